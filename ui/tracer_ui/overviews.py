"""The overview as its page shows it: sums as words, tables, and the charts beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tracer_ui.api import (
    Overview,
    OverviewGroup,
    OverviewLoop,
    OverviewSpan,
    OverviewStep,
    RunQuery,
    Term,
)
from tracer_ui.asked import runs_path
from tracer_ui.charts import Amount, Chart, Piece, share
from tracer_ui.formats import DASH, cost, duration, minute, number, plural, stretch
from tracer_ui.jsonlines import clip
from tracer_ui.spancharts import paid, span_charts
from tracer_ui.stepviews import LETTERS, WORDS

_FAILED = Term("status", ("failed",))
_STEP_FAILED = Term("has", ("error",))


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A stretch of time in the table; links are "" where there is nothing to list."""

    when: str
    href: str
    runs: str
    failed: str
    failed_href: str
    median: str
    p95: str
    tokens_in: str
    tokens_out: str
    cost: str


@dataclass(frozen=True, slots=True)
class GroupRow:
    """An agent, model or tool in its table, with a bar of its share."""

    name: str
    href: str
    runs: str
    calls: str
    failed: str
    failed_href: str
    median: str
    p95: str
    tokens: str
    cost: str
    share: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step in a table; `much` is what it stands there for."""

    href: str
    letter: str
    kind: str
    word: str
    text: str
    run: str
    much: str
    share: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class FailingRow:
    """A tool that failed, and the failure in the newest run."""

    name: str
    href: str
    failed: str
    rate: str
    share: tuple[Piece, ...]
    latest: str
    latest_href: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything between the filter and the foot."""

    whole: SpanRow
    rate: str
    charts: tuple[Chart, ...]
    spans: tuple[SpanRow, ...]
    agents: tuple[GroupRow, ...]
    models: tuple[GroupRow, ...]
    tools: tuple[GroupRow, ...]
    failing: tuple[FailingRow, ...]
    slowest: tuple[StepRow, ...]
    costliest: tuple[StepRow, ...]
    loops: tuple[StepRow, ...]
    bounds: tuple[str, ...]


def shown(found: Overview, query: RunQuery) -> Shown:
    """The page's content for the runs of a query."""
    whole, spans = found.whole, found.spans
    return Shown(
        whole=_span_row(whole, query),
        rate=_rate(whole.failed, whole.runs),
        charts=span_charts(spans, [_within(query, span) for span in spans]),
        spans=tuple(_span_row(span, _within(query, span)) for span in spans if span.runs),
        agents=_groups(found.agents, "agent", query),
        models=_groups(found.models, "model", query),
        tools=_groups(found.tools, "tool", query),
        failing=tuple(_failing(group, query) for group in found.failing),
        slowest=_steps(found.slowest, [step.ms or 0 for step in found.slowest], duration),
        costliest=_steps(found.costliest, [step.cost_usd or 0 for step in found.costliest], cost),
        loops=_loops(found.loops),
        bounds=_bounds(found),
    )


def _rate(part: int, of: int) -> str:
    return f"{100 * part / of:.0f} %" if of else ""


def _bounds(found: Overview) -> tuple[str, ...]:
    words = []
    if not found.all_runs:
        words.append(f"Only the newest {found.whole.runs:,} runs that fit are counted.")
    if not found.all_steps:
        looked = f"the newest {plural(found.step_runs, 'run')}, {plural(found.steps, 'step')}"
        words.append(f"Agents, models, tools, steps and loops are those of {looked}.")
    return tuple(words)


def _within(query: RunQuery, span: OverviewSpan) -> RunQuery:
    after = Term("after", (minute(span.start_ns),))
    return query.plus(after).plus(Term("before", (minute(span.end_ns),)))


def _span_row(span: OverviewSpan, query: RunQuery) -> SpanRow:
    return SpanRow(
        when=stretch(span.start_ns, span.end_ns),
        href=runs_path(query),
        runs=number(span.runs),
        failed=number(span.failed),
        failed_href=runs_path(query.plus(_FAILED)) if span.failed else "",
        median=duration(span.median_ms),
        p95=duration(span.p95_ms),
        tokens_in=number(span.input_tokens),
        tokens_out=number(span.output_tokens),
        cost=paid(span.cost_usd, span.unpriced),
    )


def _groups(groups: Sequence[OverviewGroup], field: str, query: RunQuery) -> tuple[GroupRow, ...]:
    """A table. The bar is the share of the cost; of tools, that of the calls."""
    by_cost = field != "tool" and any(group.cost_usd for group in groups)
    pieces = [_share_of(group, by_cost=by_cost) for group in groups]
    most = max((sum(piece.value for piece in one) for one in pieces), default=0)
    return tuple(
        GroupRow(
            name=_named(group.name, field),
            href=_found_by(query, field, group.name),
            runs=number(group.runs),
            calls=number(group.calls),
            failed=number(group.failed),
            failed_href=_found_by(query.plus(_STEP_FAILED), field, group.name)
            if group.failed
            else "",
            median=duration(group.median_ms),
            p95=duration(group.p95_ms),
            tokens=f"{number(group.input_tokens)} / {number(group.output_tokens)}"
            if _has_tokens(group)
            else DASH,
            cost=paid(group.cost_usd, group.unpriced),
            share=share(one, most),
        )
        for group, one in zip(groups, pieces, strict=True)
    )


def _share_of(group: OverviewGroup, *, by_cost: bool) -> list[Amount]:
    if by_cost:
        return [Amount(group.cost_usd or 0, "cost")]
    return [Amount(group.failed, "failed"), Amount(group.calls - group.failed, "ok")]


def _has_tokens(group: OverviewGroup) -> bool:
    return group.input_tokens is not None or group.output_tokens is not None


def _named(name: str | None, field: str) -> str:
    if name is None:
        return "outside any agent" if field == "agent" else "not named"
    return clip(" ".join(name.split()), 80) or "no name"


def _found_by(query: RunQuery, field: str, name: str | None) -> str:
    """The runs with a name in them; "" where no filter can say so."""
    if name is None or not name.strip():
        return ""
    return runs_path(query.plus(Term(field, (name,))))


def _failing(group: OverviewGroup, query: RunQuery) -> FailingRow:
    latest = group.latest_failure
    return FailingRow(
        name=_named(group.name, "tool"),
        href=_found_by(query.plus(_STEP_FAILED), "tool", group.name),
        failed=f"{group.failed:,} of {group.calls:,}",
        rate=_rate(group.failed, group.calls),
        share=share([Amount(group.failed, "failed")], group.calls),
        latest="" if latest is None else _line(latest.error or latest.status),
        latest_href="" if latest is None else _path(latest),
    )


def _steps(
    steps: Sequence[OverviewStep], values: Sequence[float], said: Callable[[float], str]
) -> tuple[StepRow, ...]:
    most = max(values, default=0)
    return tuple(
        _step_row(step, said(value), share([Amount(value, "cost")], most))
        for step, value in zip(steps, values, strict=True)
    )


def _loops(loops: Sequence[OverviewLoop]) -> tuple[StepRow, ...]:
    most = max((loop.times for loop in loops), default=0)
    return tuple(
        _step_row(loop.step, f"{loop.times:,} times", share([Amount(loop.times, "ok")], most))
        for loop in loops
    )


def _step_row(step: OverviewStep, much: str, pieces: tuple[Piece, ...]) -> StepRow:
    return StepRow(
        href=_path(step),
        letter=LETTERS[step.kind],
        kind=step.kind,
        word=WORDS[step.kind],
        text=_line(step.summary or step.name) or f"step {step.n}",
        run=clip(" ".join(step.run_name.split()), 60) or "no name",
        much=much,
        share=pieces,
    )


def _line(text: str) -> str:
    return clip(" ".join(text[:1000].split()), 160)


def _path(step: OverviewStep) -> str:
    return f"/runs/{step.run_id}/steps/{step.n}"
