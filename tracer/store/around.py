"""Rows of `around`: what happened beside a step's own input and output, in pieces."""

import sqlite3
from collections.abc import Iterator

from tracer.core.records import NotedKind
from tracer.store import blobs, runs
from tracer.store.writes import Noted

_ADD = "insert into around (run, n, kind, piece) values (?, ?, ?, ?)"
_OF_STEP = (
    "select around.kind, piece from run join around on around.run = run.key"
    " where run.id = ? and n = ? order by around.key"
)
_OF_RUN = (
    "select n, around.kind, piece from run join around on around.run = run.key"
    " where run.id = ? order by n, around.key"
)
_STEPS = (
    "select distinct n from run join around on around.run = run.key"
    " where run.id = ? and around.kind = ?"
)


def add(conn: sqlite3.Connection, noted: Noted) -> None:
    """Insert one piece. Raises NotFoundError when the run's start was never written."""
    run = runs.key_of(conn, noted.run_id)
    conn.execute(_ADD, (run, noted.n, noted.kind, blobs.put(conn, noted.data)))


def of_step(conn: sqlite3.Connection, run_id: str, n: int) -> list[tuple[NotedKind, bytes]]:
    """The pieces of a step (0: outside any step), in the order they were written."""
    rows = conn.execute(_OF_STEP, (run_id, n)).fetchall()
    return [(kind, blobs.get(conn, piece) or b"[]") for kind, piece in rows]


def of_run(conn: sqlite3.Connection, run_id: str) -> Iterator[Noted]:
    """Every piece of a run, by step and in the order they were written."""
    for n, kind, piece in conn.execute(_OF_RUN, (run_id,)).fetchall():
        yield Noted(run_id, n, kind, blobs.get(conn, piece) or b"[]")


def steps_with(conn: sqlite3.Connection, run_id: str, kind: NotedKind) -> set[int]:
    """Numbers of the steps that have pieces of a kind."""
    return {n for (n,) in conn.execute(_STEPS, (run_id, kind))}
