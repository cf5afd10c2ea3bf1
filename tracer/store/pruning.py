"""Deleting runs, and giving back the space of what nothing refers to any more."""

import contextlib
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tracer.core.runquery import RunOrder, RunQuery, parse
from tracer.store import blobs, connection, listing
from tracer.store.failures import store_error

_DELETED, _PINNED = parse("is:deleted"), parse("is:pinned -is:deleted")


@dataclass(frozen=True, slots=True)
class Pruned:
    """Ids of the deleted runs, and bytes of the file before and after."""

    runs: tuple[str, ...]
    bytes_before: int
    bytes_after: int


def prune(
    path: Path,
    run_ids: Sequence[str] = (),
    *,
    keep: int | None = None,
    before_ns: int | None = None,
    max_bytes: int | None = None,
    trash: bool = False,
) -> Pruned:
    """Delete the runs named, those in the `trash`, those started before `before_ns` (ns since
    epoch), all but the `keep` newest, and the oldest until the file has at most `max_bytes`.

    A run that is under way is never deleted, a pinned one only by its name. Raises StoreError.
    """
    conn = connection.connect(path, create=False)
    try:
        before = _bytes(conn)
        # References are swept by hand below; checking each deleted row would scan every table.
        conn.execute("pragma foreign_keys = off")
        conn.execute("begin immediate")
        try:
            deleted = _delete(conn, set(run_ids), keep, before_ns, max_bytes, trash=trash)
            conn.execute("commit")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                conn.execute("rollback")
            raise
        if deleted:
            _shrink(conn)
        return Pruned(tuple(deleted), before, _bytes(conn))
    except sqlite3.Error as error:
        sentence = store_error(error, path)
        if sentence is None:
            raise
        raise sentence from error
    finally:
        connection.close_quietly(conn)


def _delete(
    conn: sqlite3.Connection,
    named: set[str],
    keep: int | None,
    before_ns: int | None,
    max_bytes: int | None,
    *,
    trash: bool,
) -> list[str]:
    bin_ = listing.runs(conn, _DELETED, RunOrder())
    spared = {run.id for run in listing.runs(conn, _PINNED, RunOrder())}
    runs = listing.runs(conn, RunQuery(), RunOrder())
    doomed = [
        run.id
        for place, run in enumerate(runs)
        if run.status != "running"
        and (
            run.id in named
            or (keep is not None and place >= keep and run.id not in spared)
            or (before_ns is not None and run.started_ns < before_ns and run.id not in spared)
        )
    ]
    doomed += [
        run.id
        for run in bin_
        if trash
        or run.id in named
        or keep is not None
        or (before_ns is not None and run.started_ns < before_ns)
    ]
    _delete_runs(conn, doomed)
    gone = {*doomed, *spared}
    # What was thrown away goes first.
    oldest = [
        run.id
        for run in (*bin_[::-1], *runs[::-1])
        if run.id not in gone and run.status != "running"
    ]
    while max_bytes is not None and oldest and (used := _bytes(conn)) > max_bytes:
        # Runs differ in size and share payloads: half of what looks needed, then look again.
        count = max(1, math.floor(len(oldest) * (used - max_bytes) / used / 2))
        _delete_runs(conn, oldest[:count])
        doomed += oldest[:count]
        del oldest[:count]
    return doomed


def _delete_runs(conn: sqlite3.Connection, run_ids: Sequence[str]) -> None:
    if not run_ids:
        return
    for run_id in run_ids:
        for table in ("around", "draw", "question", "step", "facet", "label"):
            own = f"delete from {table} where run = (select key from run where id = ?)"
            conn.execute(own, (run_id,))
        conn.execute("delete from run where id = ?", (run_id,))
    _sweep_passages(conn)
    conn.execute(
        "delete from link where id not in ("
        " with recursive used (id) as (select link from step where link is not null"
        " union select parent from used join link using (id) where parent is not null)"
        " select id from used)"
    )
    conn.execute(f"delete from blob where id not in ({_references('blob')})")


def _sweep_passages(conn: sqlite3.Connection) -> None:
    unused = f"id not in ({_references('passage')})"
    rows = conn.execute(f"select id, codec, size, data from passage where {unused}")
    for rowid, *packed in rows.fetchall():
        # A contentless index forgets a text only when told the text.
        conn.execute(
            "insert into search (search, rowid, text) values ('delete', ?, ?)",
            (rowid, blobs.unpack(*packed).decode()),
        )
    conn.execute(f"delete from passage where {unused}")
    conn.execute("insert into search (search) values ('optimize')")


_COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "passage": {"step": ("start_passage", "end_passage"), "run": ("start_passage", "end_passage")},
    "blob": {
        "step": ("request_headers", "input", "tail", "output", "reply_headers", "messages"),
        "run": ("entry", "environment", "input", "output"),
        "link": ("blob",),
        "around": ("piece",),
        "question": ("about",),
    },
}


def _references(target: str) -> str:
    """A query for every row of `target` that something refers to."""
    return " union all ".join(
        f"select {column} from {table} where {column} is not null"
        for table, columns in _COLUMNS[target].items()
        for column in columns
    )


def _shrink(conn: sqlite3.Connection) -> None:
    # Others may be reading or writing; then the freed pages are used up by later runs instead.
    conn.execute("pragma busy_timeout = 500")
    with contextlib.suppress(sqlite3.OperationalError):
        conn.execute("vacuum")
        conn.execute("pragma wal_checkpoint(truncate)")


def _bytes(conn: sqlite3.Connection) -> int:
    """Bytes in use, without pages that are free already."""
    (size,) = conn.execute("pragma page_size").fetchone()
    (pages,) = conn.execute("pragma page_count").fetchone()
    (free,) = conn.execute("pragma freelist_count").fetchone()
    return int((pages - free) * size)
