"""Sums over many runs, for the overview. What is looked at is bounded, so that it stays quick.

The runs that fit, and the steps of the newest of them, are first copied, with the few columns that
count, into tables of this connection's own, which the end of the transaction takes away again.
"""

import json
import sqlite3
from collections.abc import Iterable
from itertools import pairwise
from typing import TypeVar

from tracer.core.overview import Overview, OverviewSpan
from tracer.core.runquery import RunQuery
from tracer.store import listing, spans
from tracer.store.overview_steps import read_steps
from tracer.store.sums import SUMS, middle, whole

MOST_RUNS = 100_000
MOST_STEPS = 20_000

_N = TypeVar("_N", int, float)
_ALL = (-(1 << 63), (1 << 63) - 1)
# Sorted by `age`, as the list gives them: rows that come in order are quick to add.
_RUNS = (
    "create temp table picked (age, run, status, ns, cost_usd, input_tokens, output_tokens,"
    " unpriced, steps, primary key (age, run desc)) without rowid"
)
_PICK = (
    "insert into picked select -started_ns, key, {status}, ended_ns - started_ns, cost_usd,"
    " input_tokens, output_tokens, unpriced, steps from {rows}"
    " order by started_ns desc limit {most}"
)
_STEPS = (
    "create temp table taken (step, place, run, n, id, parent, kind, name, status, source, ns,"
    " model, input_tokens, output_tokens, cost_usd, counted, input, inside)"
)
_TAKE = (
    "insert into taken select step.key, place, run, n, step.id, parent, kind, name, status,"
    " source, ended_ns - started_ns, model, input_tokens, output_tokens, cost_usd, counted, input,"
    " path glob 'model[0-9]*' or path glob '*/model[0-9]*'"  # inside a model call
    " from (select key as place, value as wanted from json_each(?1))"
    " cross join step on step.run = wanted limit ?2"
)
_WITHIN = "from picked where age > -? and age <= -?"


def overview(
    conn: sqlite3.Connection,
    query: RunQuery,
    *,
    most_runs: int = MOST_RUNS,
    most_steps: int = MOST_STEPS,
) -> Overview:
    """The runs that fit, added up."""
    conn.execute("pragma temp_store = memory")
    conn.execute("begin")
    try:
        return _overview(conn, query, most_runs, most_steps)
    finally:
        conn.execute("rollback")


def _overview(
    conn: sqlite3.Connection, query: RunQuery, most_runs: int, most_steps: int
) -> Overview:
    runs = _pick(conn, query, most_runs)
    wanted, there = _take(conn, most_steps)
    first, last = conn.execute("select -max(age), -min(age) from picked").fetchone()
    parts = spans.edges(first, last) if runs else []
    # What a time outside the calendar leaves over belongs to the first part or the last.
    bounds = [_ALL[0], *parts[1:-1], _ALL[1]]
    found, times = list[OverviewSpan](), list[int]()
    for start, end, within in zip(parts, parts[1:], pairwise(bounds), strict=False):
        found.append(_span(conn, start, end, within, times))
    taken = conn.execute("select count(*) from taken").fetchone()[0]
    return Overview(
        whole=_added(found, times),
        spans=tuple(found),
        all_runs=runs < most_runs,
        step_runs=wanted,
        steps=taken,
        all_steps=taken >= there,
        **read_steps(conn),
    )


def _pick(conn: sqlite3.Connection, query: RunQuery, most: int) -> int:
    """Copy the newest runs that fit; says how many they are."""
    conn.execute(_RUNS)
    count = 0
    for status, rows, parameters in listing.selections(conn, query):
        sql = _PICK.format(status=status, rows=rows, most=most)
        count += conn.execute(sql, parameters).rowcount
    return count


def _take(conn: sqlite3.Connection, most: int) -> tuple[int, int]:
    """Copy the steps of the newest runs; says of how many runs, and how many steps there are."""
    conn.execute(_STEPS)
    taken, steps = list[int](), 0
    newest = "select run, steps from picked where steps > 0 order by age, run desc"
    for run, count in conn.execute(newest):
        if steps >= most:
            break
        taken.append(run)
        steps += count
    conn.execute(_TAKE, (json.dumps(taken), most))
    there = conn.execute("select total(steps) from picked").fetchone()[0]
    return len(taken), int(there)


def _span(
    conn: sqlite3.Connection, start_ns: int, end_ns: int, within: tuple[int, int], all_ns: list[int]
) -> OverviewSpan:
    """The runs that started `within`, shown as a stretch of time; their times join the others."""
    bounds = (within[1], within[0])  # as ages
    sql = f"select total(unpriced > 0), {SUMS} {_WITHIN}"
    unpriced, runs, failed, cost_usd, tokens_in, tokens_out = conn.execute(sql, bounds).fetchone()
    rows = conn.execute(f"select ns {_WITHIN}", bounds)
    times = sorted(ns for (ns,) in rows if ns is not None)
    all_ns += times
    return OverviewSpan(
        start_ns, end_ns, runs, int(failed), cost_usd, int(unpriced), whole(tokens_in),
        whole(tokens_out), *middle(times),
    )  # fmt: skip


def _added(found: list[OverviewSpan], times: list[int]) -> OverviewSpan:
    """All stretches as one."""
    times.sort()
    return OverviewSpan(
        found[0].start_ns if found else 0,
        found[-1].end_ns if found else 0,
        sum(one.runs for one in found),
        sum(one.failed for one in found),
        _sum(one.cost_usd for one in found),
        sum(one.unpriced for one in found),
        _sum(one.input_tokens for one in found),
        _sum(one.output_tokens for one in found),
        *middle(times),
    )


def _sum(amounts: Iterable[_N | None]) -> _N | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None
