"""Writing rows of `run`: start, end, changes."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from tracer.core.records import JSON, ErrorInfo
from tracer.errors import NotFoundError
from tracer.store import blobs, facets, liveness, search
from tracer.store.writes import RunEnd, RunStart, Value

_LISTED = 200  # characters of input and output shown in lists

_START = (
    "insert into run (id, name, status, origin, started_ns, parent_run, fork, pid, process,"
    " input_text, entry, environment, input, start_passage)"
    " values (?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_END = (
    "update run set status = ?, ended_ns = ?, output = ?, output_text = ?, error = ?,"
    " warnings = ?, divergences = ?, end_passage = ? where key = ?"
)


@dataclass(slots=True)
class Pending:
    """Passages that are stored but not yet indexed: the index is written once a transaction."""

    passages: list[tuple[int, str]] = field(default_factory=list)

    def put(self, conn: sqlite3.Connection, text: str) -> int | None:
        rowid, fresh = search.put_passage(conn, text)
        if fresh and rowid is not None:
            self.passages.append((rowid, text))
        return rowid


def start(conn: sqlite3.Connection, run: RunStart, pending: Pending) -> None:
    """Insert a run that starts now."""
    process = None
    if run.origin == "local" and run.pid is not None:
        process = blobs.dump(liveness.process_mark(run.pid))
    data = None if run.input is None else run.input.data
    text = search.plain_text(data)
    name = search.clean(run.name)
    key = conn.execute(
        _START,
        (
            run.run_id,
            name,
            run.origin,
            run.started_ns,
            run.parent_run,
            None if run.fork is None else blobs.dump(run.fork),
            run.pid,
            process,
            _listed(text if run.listed is None else run.listed),
            blobs.put_json(conn, run.entry),
            blobs.put_json(conn, run.environment),
            _put_value(conn, run.input),
            pending.put(conn, search.passage_of(run.name, text)),
        ),
    ).lastrowid
    facets.add(conn, key or 0, "name", name)


def end(conn: sqlite3.Connection, run: RunEnd, pending: Pending) -> None:
    """Fill in how a run ended. Raises NotFoundError when its start was never written."""
    row = conn.execute(
        "select key, warnings, divergences from run where id = ?", (run.run_id,)
    ).fetchone()
    if row is None:
        raise no_run(run.run_id)
    key, warnings, divergences = row
    text = search.plain_text(None if run.output is None else run.output.data)
    said = "" if run.error is None else f"{run.error.type} {run.error.message}"
    conn.execute(
        _END,
        (
            run.status,
            run.ended_ns,
            _put_value(conn, run.output),
            _listed(text),
            dump_error(run.error),
            # What was reported while it ran stays; the end may repeat it.
            _merged(warnings, run.warnings),
            _merged(divergences, run.divergences),
            pending.put(conn, search.passage_of(text, said)),
            key,
        ),
    )
    if run.error is not None:
        facets.add(conn, key, "has", "error")


def update(conn: sqlite3.Connection, run_id: str, changes: dict[str, JSON]) -> None:
    """Set columns by name; values are JSON values (text for `name`, `input_text`)."""
    (key,) = _found(conn.execute("select key from run where id = ?", (run_id,)), run_id)
    for column, value in changes.items():
        if column == "name":
            stored: object = search.clean(value)
            facets.rename(conn, key, search.clean(value))
        elif column == "input_text":
            stored = _listed(str(value))
        elif column in ("entry", "environment"):
            stored = blobs.put_json(conn, value)
        else:
            stored = blobs.dump(value)
        conn.execute(f"update run set {column} = ? where key = ?", (stored, key))


def key_of(conn: sqlite3.Connection, run_id: str) -> int:
    """The row of a run. Raises NotFoundError."""
    (key,) = _found(conn.execute("select key from run where id = ?", (run_id,)), run_id)
    return int(key)


def no_run(run_id: str) -> NotFoundError:
    """The error for an id that is not there."""
    return NotFoundError(f"there is no run {run_id!r}; `tracer ls` lists the runs")


def dump_error(error: ErrorInfo | None) -> str | None:
    """An error as its column's JSON; None for none."""
    return None if error is None else blobs.dump(error.as_json())


def _found(cursor: sqlite3.Cursor, run_id: str) -> tuple[int]:
    row: tuple[int] | None = cursor.fetchone()
    if row is None:
        raise no_run(run_id)
    return row


def _put_value(conn: sqlite3.Connection, value: Value | None) -> int | None:
    return None if value is None else blobs.put(conn, value.data)


def _listed(text: str) -> str:
    return search.clean(" ".join(text[: 4 * _LISTED].split())[:_LISTED])


def _merged(stored: str, more: Sequence[JSON]) -> str:
    items = blobs.load(stored)
    items.extend(item for item in more if item not in items)
    return blobs.dump(items)
