"""The list of runs: filtered, sorted, in pages that begin behind a run. Finds rows, then reads.

Runs that have ended and runs under way are two queries, merged here: what has ended stands in
indexes that recording a step need not touch, what hasn't is little.
"""

import heapq
import sqlite3
import time
from collections.abc import Iterator, Sequence
from itertools import islice

from tracer.core.records import Run
from tracer.core.runquery import OrderBy, RunOrder, RunQuery, Term
from tracer.store import blobs, filtering
from tracer.store.filtering import Filter
from tracer.store.rows import RUN_COLUMNS, run_from, run_status
from tracer.store.runs import no_run

Place = tuple[float, int, int]  # what the list is sorted by, start, row

FAILED = RunQuery((Term("status", ("failed",)),))
_ENDED = "status <> 'running'"
_OPEN = "status = 'running'"
# A run whose process died counts as interrupted, which only the process table knows.
_NOW = "run_status_now(origin, process, coalesce(last_step_ns, started_ns))"
_BY: dict[OrderBy, str] = {
    "started": "0",
    "duration": filtering.DURATION,
    "cost": filtering.COST,
    "tokens": filtering.TOKENS,
    "steps": "steps",
}
_INDEX: dict[OrderBy, str] = {
    "started": "run_started",
    "duration": "run_by_duration",
    "cost": "run_by_cost",
    "tokens": "run_by_tokens",
    "steps": "run_by_steps",
}
_BATCH = 500


def runs(
    conn: sqlite3.Connection,
    query: RunQuery,
    order: RunOrder,
    *,
    words: str | None = None,
    limit: int | None = None,
    before: str | None = None,
) -> list[Run]:
    """The runs that fit, in that order; `before` = those that follow the run of that id."""
    at = None if before is None else place_of(conn, before, order.by)
    found = _places(conn, query, order, words, at, limit)
    keys = [key for _, _, key in islice(found, limit)]
    return list(read(conn, keys))


def count(conn: sqlite3.Connection, query: RunQuery, *, after: str | None, most: int) -> int:
    """How many runs fit, counted up to `most`; `after` = only those newer than that run."""
    newer = None if after is None else place_of(conn, after, "started")
    total = 0
    for state, status in ((_ENDED, "status"), (_OPEN, _NOW)):
        made = _filter(conn, query, None, status)
        if newer is not None:
            made.parts.append(_behind(made, newer, "0", ">"))
        sql = f"select count(*) from (select 1 from {_from(made, RunOrder(), state)}"
        total += conn.execute(f"{sql} limit {most + 1})", made.parameters).fetchone()[0]
    return min(total, most)


def selections(
    conn: sqlite3.Connection, query: RunQuery
) -> Iterator[tuple[str, str, list[object]]]:
    """The runs that fit, as SQL: what a run's status is, from where and which, parameters.

    Twice, for those that have ended and those under way.
    """
    for state, status in ((_ENDED, "status"), (_OPEN, _NOW)):
        made = _filter(conn, query, None, status)
        yield status, _from(made, RunOrder(), state), made.parameters


def place_of(conn: sqlite3.Connection, run_id: str, by: OrderBy) -> Place:
    """Where a run stands in the list. Raises NotFoundError."""
    sql = f"select {_BY[by]}, started_ns, key from run where id = ?"
    row: Place | None = conn.execute(sql, (run_id,)).fetchone()
    if row is None:
        raise no_run(run_id)
    return row


def read(conn: sqlite3.Connection, keys: Sequence[int]) -> Iterator[Run]:
    """The runs of these rows, in the order of the keys."""
    documents: dict[int, bytes] = {}  # environments repeat from run to run
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        places = ", ".join("?" * len(batch))
        sql = f"select {RUN_COLUMNS} from run where key in ({places})"
        rows = {row[0]: row for row in conn.execute(sql, batch)}
        for row in (rows[key] for key in batch if key in rows):  # pruned meanwhile
            for rowid in row[-2:]:
                if rowid not in documents:
                    documents[rowid] = blobs.get(conn, rowid) or b"{}"
            yield run_from(row, documents)


def _places(
    conn: sqlite3.Connection,
    query: RunQuery,
    order: RunOrder,
    words: str | None,
    at: Place | None,
    limit: int | None,
) -> Iterator[Place]:
    by = _BY[order.by]
    columns = ["started_ns", "key"] if order.by == "started" else [by, "started_ns", "key"]
    sorted_by = ", ".join(column + ("" if order.up else " desc") for column in columns)
    tail = f" order by {sorted_by} limit {-1 if limit is None else limit}"
    both = []
    for state, status in ((_ENDED, "status"), (_OPEN, _NOW)):
        made = _filter(conn, query, words, status)
        if at is not None:
            made.parts.append(_behind(made, at, by, ">" if order.up else "<"))
        sql = f"select {by}, started_ns, key from {_from(made, order, state)}{tail}"
        both.append(conn.execute(sql, made.parameters).fetchall())
    return heapq.merge(*both, reverse=not order.up)


def _filter(conn: sqlite3.Connection, query: RunQuery, words: str | None, status: str) -> Filter:
    conn.create_function("run_status_now", 3, _status_now)
    made = filtering.conditions(conn, query, now_ns=time.time_ns(), status=status)
    if words is not None and words.strip():
        filtering.add_words(conn, made, words)
    return made


def _status_now(origin: str, process: str | None, last_ns: int) -> str:
    return run_status("running", origin, process, last_ns)


def _from(made: Filter, order: RunOrder, state: str) -> str:
    """Table, index and conditions. SQLite does not know how few runs fit what."""
    where = f"{state} and {made.where}"
    if state == _OPEN or made.not_ok:
        return f"run where status <> 'ok' and {where}"
    if made.led:
        return f"run where {where}"
    index = _INDEX[order.by]
    if order.by == "started" and made.numbers:
        index = "run_numbers"
    return f"run indexed by {index} where {where}"


def _behind(made: Filter, at: Place, by: str, sign: str) -> str:
    if by == _BY["started"]:
        return f"(started_ns, key) {sign} ({made.bind(at[1])}, {made.bind(at[2])})"
    return f"({by}, started_ns, key) {sign} ({', '.join(map(made.bind, at))})"
