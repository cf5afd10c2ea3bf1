"""Sums over many runs, for the overview. What is looked at is bounded, so that it stays quick.

The runs that fit, and the steps of the newest of them, are first copied, with the few columns that
count, into tables of this connection's own, which the end of the transaction takes away again.
"""

import sqlite3
from bisect import bisect_right

from tracer.core.overview import Overview, OverviewSpan
from tracer.core.runquery import RunQuery
from tracer.store import listing, spans
from tracer.store.overview_steps import read_steps
from tracer.store.sums import NTH, SUMS, ms, whole

MOST_RUNS = 200_000
MOST_STEPS = 30_000

_RUNS = (
    "create temp table picked as"
    " select 0 as key, '' as status, 0 as started_ns, 0 as ns, 0.0 as cost_usd, 0 as input_tokens,"
    " 0 as output_tokens, 0 as unpriced, 0 as steps where 0"
)
_STEPS = (
    "create temp table taken as"
    " select key as step, 0 as place, run, n, id, parent, kind, name, status, source,"
    " ended_ns - started_ns as ns, model, input_tokens, output_tokens, cost_usd, counted, input,"
    " 0 as inside from step where 0"
)
_TAKE = (
    "insert into taken"
    " select step.key, place, run, n, id, parent, kind, name, status, source,"
    " ended_ns - started_ns, model, input_tokens, output_tokens, cost_usd, counted, input,"
    " path glob 'model[0-9]*' or path glob '*/model[0-9]*'"
    " from (select key, row_number() over newest as place, sum(steps) over newest - steps as before"
    " from picked window newest as (order by started_ns desc, key desc)) as those"
    " cross join step on step.run = those.key"
    " where before < ?1 order by place, n limit ?1"
)


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
    conn.execute(_STEPS)
    conn.execute(_TAKE, (most_steps,))
    read = read_steps(conn)
    first, last, steps = conn.execute(
        "select min(started_ns), max(started_ns), sum(steps) from picked"
    ).fetchone()
    parts = spans.edges(first, last) if runs else [0, 0]
    step_runs, taken = conn.execute("select count(distinct run), count(*) from taken").fetchone()
    return Overview(
        whole=_spans(conn, [parts[0], parts[-1]])[0],
        spans=_spans(conn, parts) if runs else (),
        all_runs=runs < most_runs,
        step_runs=step_runs,
        steps=taken,
        all_steps=taken >= (steps or 0),
        **read,
    )


def _pick(conn: sqlite3.Connection, query: RunQuery, most: int) -> int:
    """Copy the newest runs that fit; says how many they are."""
    conn.execute(_RUNS)
    count = 0
    for status, rows, parameters in listing.selections(conn, query):
        count += conn.execute(
            f"insert into picked select key, {status}, started_ns, ended_ns - started_ns, cost_usd,"
            f" input_tokens, output_tokens, unpriced, steps from {rows}"
            f" order by started_ns desc limit {most}",
            parameters,
        ).rowcount
    return count


def _spans(conn: sqlite3.Connection, edges: list[int]) -> tuple[OverviewSpan, ...]:
    inner = edges[1:-1]  # what lies outside belongs to the first or the last
    conn.create_function("run_span", 1, lambda ns: bisect_right(inner, ns), deterministic=True)
    rows = conn.execute(
        f"select span, total(unpriced > 0), {SUMS} from (select *, {NTH.format(by='span')}"
        " from (select *, run_span(started_ns) as span from picked)) group by span"
    )
    found = {row[0]: row[1:] for row in rows}
    return tuple(
        _span(edges[at], edges[at + 1], found.get(at, (0, 0, 0, None, None, None, None, None)))
        for at in range(len(edges) - 1)
    )


def _span(start_ns: int, end_ns: int, row: tuple[float | None, ...]) -> OverviewSpan:
    unpriced, runs, failed, cost_usd, tokens_in, tokens_out, median, p95 = row
    return OverviewSpan(
        start_ns, end_ns, int(runs or 0), int(failed or 0), cost_usd, int(unpriced or 0),
        whole(tokens_in), whole(tokens_out), ms(median), ms(p95),
    )  # fmt: skip
