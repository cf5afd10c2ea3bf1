"""Rows of `draw`: what a run read of the clock and of chance."""

import sqlite3
from collections.abc import Iterable
from typing import Any

from tracer.core.draws import DrawKind, Drawn, pack, unpack
from tracer.store import runs, search


def add(conn: sqlite3.Connection, run_id: str, drawn: Iterable[Drawn]) -> None:
    """Append draws to those of a run. Raises NotFoundError when its start was never written."""
    key = runs.key_of(conn, run_id)
    conn.executemany(
        "insert into draw (run, path, kind, data) values (?, ?, ?, ?)",
        [(key, search.clean(one.path), one.kind, pack(one)) for one in drawn],
    )


def of_run(conn: sqlite3.Connection, run_id: str) -> list[Drawn]:
    """The draws of a run, one record for each kind in a scope. Raises ValueError for damage."""
    rows = conn.execute(
        "select path, kind, data from draw where run = ? order by key",
        (runs.key_of(conn, run_id),),
    )
    found: dict[tuple[str, DrawKind], tuple[list[Any], list[int]]] = {}
    for path, kind, data in rows:
        more = unpack(path, kind, data)
        values, places = found.setdefault((path, kind), ([], []))
        values += more.values
        places += more.places
    return [Drawn(*of, tuple(values), tuple(places)) for of, (values, places) in found.items()]
