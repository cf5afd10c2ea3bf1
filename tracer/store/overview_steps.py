"""The steps of an overview: by agent, model and tool; slow, costly and failing ones; loops.

Reads the table `taken` that `overview` fills: the steps looked at with the few columns that count,
those of the newest run first.
"""

import json
import sqlite3
from dataclasses import replace
from typing import Any, TypedDict

from tracer.core.overview import OverviewGroup, OverviewLoop, OverviewStep
from tracer.store.rows import error_from
from tracer.store.sums import SUMS, UNKNOWN, Middle, middles, ms, whole

_GROUPS = 20
_STEPS = 10
_LOOP = 3  # calls that are one

_AGENTS = "select *, name as label from taken where kind = 'agent'"
_TOOLS = "select *, name as label from taken where kind = 'tool' and source = 'live'"
# A call seen twice, from around it and from inside, is the one whose tokens were counted.
_MODELS = (
    "select *, model as label from taken where kind = 'model' and source = 'live'"
    " and (counted or not (inside or exists (select 1 from taken as inner"
    " where inner.run = taken.run and inner.parent = taken.id and inner.counted)))"
)
_SUMMED = (
    "select label, count(distinct run), total(counted and cost_usd is null), {sums}"
    " from ({rows}) group by label"
)
# The nearest agent around each model call whose tokens count.
_PAID = (
    "with recursive within (run, id, label) as ("
    " select run, id, name from taken where kind = 'agent' union all"
    " select taken.run, taken.id, within.label from within cross join taken"
    " on taken.run = within.run and taken.parent = within.id where taken.kind <> 'agent')"
    " select label, count(distinct taken.run), total(cost_usd is null), sum(cost_usd),"
    " sum(input_tokens * 1.0), sum(output_tokens * 1.0)"
    " from taken left join within using (run, id) where counted group by label"
)
_SLOWEST = (
    "select step from taken where kind in ('model', 'tool', 'http', 'step') and source = 'live'"
    f" and not inside and ns is not null order by ns desc limit {_STEPS}"
)
_COSTLIEST = (
    f"select step from taken where counted and cost_usd > 0 order by cost_usd desc limit {_STEPS}"
)
_LOOPS = (
    "select count(*) as times, min(n), step, place from taken"
    " where kind = 'tool' and input is not null group by run, name, input"
    f" having times >= {_LOOP} order by times desc, place, n limit {_STEPS}"
)
_FAILURE = (
    "select step from taken where kind = 'tool' and source = 'live' and name = ?"
    " and status in ('error', 'interrupted') order by place, n limit 1"
)
_READ = (
    "select step.key, run.id, run.name, n, kind, step.name, summary, step.status,"
    " step.ended_ns - step.started_ns, step.cost_usd, model, step.error"
    " from step join run on run.key = step.run where step.key in (select value from json_each(?))"
)


class Read(TypedDict):
    """What an overview says of steps."""

    agents: tuple[OverviewGroup, ...]
    models: tuple[OverviewGroup, ...]
    tools: tuple[OverviewGroup, ...]
    failing: tuple[OverviewGroup, ...]
    slowest: tuple[OverviewStep, ...]
    costliest: tuple[OverviewStep, ...]
    loops: tuple[OverviewLoop, ...]


def read_steps(conn: sqlite3.Connection) -> Read:
    """All of it."""
    conn.execute("create index temp.taken_below on taken (run, parent)")
    agents = {group.name: group for group in _groups(conn, _AGENTS)}
    tools = sorted(_groups(conn, _TOOLS), key=lambda group: group.calls, reverse=True)
    loops = conn.execute(_LOOPS).fetchall()
    looping = _steps(conn, [row[2] for row in loops])
    return {
        "agents": _by_cost(_paid(conn, agents)),
        "models": _by_cost(_groups(conn, _MODELS)),
        "tools": tuple(tools[:_GROUPS]),
        "failing": _failing(conn, tools),
        "slowest": tuple(_steps(conn, [key for (key,) in conn.execute(_SLOWEST)])),
        "costliest": tuple(_steps(conn, [key for (key,) in conn.execute(_COSTLIEST)])),
        "loops": tuple(
            OverviewLoop(row[0], step) for row, step in zip(loops, looping, strict=True)
        ),
    }


def _groups(conn: sqlite3.Connection, rows: str) -> list[OverviewGroup]:
    times = middles(conn.execute(f"select label, ns from ({rows})"))
    found = conn.execute(_SUMMED.format(sums=SUMS, rows=rows))
    return [_group(row, times.get(row[0], UNKNOWN)) for row in found]


def _group(row: tuple[Any, ...], times: Middle) -> OverviewGroup:
    label, runs, unpriced, calls, failed, cost_usd, tokens_in, tokens_out = row
    return OverviewGroup(
        label, runs, calls, int(failed), cost_usd, int(unpriced), whole(tokens_in),
        whole(tokens_out), *times,
    )  # fmt: skip


def _paid(conn: sqlite3.Connection, agents: dict[str | None, OverviewGroup]) -> list[OverviewGroup]:
    """The agents with what their own model calls cost; None for calls in no agent."""
    for label, runs, unpriced, cost_usd, tokens_in, tokens_out in conn.execute(_PAID):
        none = OverviewGroup(label, runs, 0, 0, None, 0, None, None, None, None)
        agents[label] = replace(
            agents.get(label, none),
            cost_usd=cost_usd,
            unpriced=int(unpriced),
            input_tokens=whole(tokens_in),
            output_tokens=whole(tokens_out),
        )
    return list(agents.values())


def _by_cost(groups: list[OverviewGroup]) -> tuple[OverviewGroup, ...]:
    def key(group: OverviewGroup) -> tuple[float, int]:
        return (-1 if group.cost_usd is None else group.cost_usd, group.calls)

    return tuple(sorted(groups, key=key, reverse=True)[:_GROUPS])


def _failing(conn: sqlite3.Connection, groups: list[OverviewGroup]) -> tuple[OverviewGroup, ...]:
    """The tools that failed, most often first, each with its failure in the newest run."""
    failed = [group for group in groups if group.failed]
    worst = sorted(failed, key=lambda group: group.failed, reverse=True)[:_GROUPS]
    keys = [conn.execute(_FAILURE, (group.name,)).fetchone()[0] for group in worst]
    steps = _steps(conn, keys)
    return tuple(replace(one, latest_failure=at) for one, at in zip(worst, steps, strict=True))


def _steps(conn: sqlite3.Connection, keys: list[int]) -> list[OverviewStep]:
    """The steps of these rows, in their order."""
    found = {row[0]: _step(row[1:]) for row in conn.execute(_READ, (json.dumps(keys),))}
    return [found[key] for key in keys]


def _step(row: tuple[Any, ...]) -> OverviewStep:
    run_id, run_name, n, kind, name, summary, status, ns, cost_usd, model, error = row
    failure = error_from(error)
    said = "" if failure is None else f"{failure.type.rsplit('.', 1)[-1]}: {failure.message}"
    return OverviewStep(
        run_id, run_name, n, kind, name, summary, status, ms(ns), cost_usd, model, said
    )
