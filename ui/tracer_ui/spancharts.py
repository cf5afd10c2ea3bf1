"""The charts over time of the overview: runs, cost, time of a run, tokens."""

from collections.abc import Iterable, Sequence

from tracer_ui.api import OverviewSpan, RunQuery
from tracer_ui.asked import runs_path
from tracer_ui.charts import Amount, Chart, Place, bars
from tracer_ui.formats import cost, duration, number, plural, stretch

Legend = tuple[tuple[str, str], ...]


def span_charts(spans: Sequence[OverviewSpan], queries: Sequence[RunQuery]) -> tuple[Chart, ...]:
    """All four; `queries` list the runs of each stretch."""
    if not spans:
        return ()
    hrefs = [runs_path(query) for query in queries]
    return (_runs(spans, hrefs), _cost(spans, hrefs), _time(spans, hrefs), _tokens(spans, hrefs))


def paid(usd: float | None, unpriced: int) -> str:
    """A cost, with a plus where some prices aren't known."""
    if usd is None:
        return "unknown" if unpriced else cost(None)
    return cost(usd) + ("+" if unpriced else "")


def _runs(spans: Sequence[OverviewSpan], hrefs: Sequence[str]) -> Chart:
    places = [
        Place(
            f"{_when(span)}: {plural(span.runs, 'run')}, {span.failed:,} failed",
            href,
            (Amount(span.failed, "failed"), Amount(span.runs - span.failed, "ok")),
        )
        for span, href in zip(spans, hrefs, strict=True)
    ]
    most = number(max(span.runs for span in spans))
    return _chart("Runs", spans, places, most, (("ok", "not failed"), ("failed", "failed")))


def _cost(spans: Sequence[OverviewSpan], hrefs: Sequence[str]) -> Chart:
    places = [
        Place(
            f"{_when(span)}: {paid(span.cost_usd, span.unpriced)}",
            href,
            (Amount(span.cost_usd or 0, "cost"),),
            unknown=span.unpriced > 0,
        )
        for span, href in zip(spans, hrefs, strict=True)
    ]
    legend: Legend = (("cost", "known"),)
    if any(span.unpriced for span in spans):
        legend = (*legend, ("unknown", "more, unknown"))
    return _chart("Cost", spans, places, cost(_most(span.cost_usd for span in spans)), legend)


def _time(spans: Sequence[OverviewSpan], hrefs: Sequence[str]) -> Chart:
    places = [
        Place(
            f"{_when(span)}: median {duration(span.median_ms)}, "
            f"95th percentile {duration(span.p95_ms)}",
            href,
            (Amount(span.p95_ms or 0, "p95"), Amount(span.median_ms or 0, "median")),
        )
        for span, href in zip(spans, hrefs, strict=True)
    ]
    legend = (("median", "median"), ("p95", "95th percentile"))
    most = duration(_most(span.p95_ms for span in spans))
    return _chart("Time of a run", spans, places, most, legend, beside=True)


def _tokens(spans: Sequence[OverviewSpan], hrefs: Sequence[str]) -> Chart:
    places = [
        Place(
            f"{_when(span)}: {number(span.input_tokens)} in, {number(span.output_tokens)} out",
            href,
            (Amount(span.input_tokens or 0, "input"), Amount(span.output_tokens or 0, "output")),
        )
        for span, href in zip(spans, hrefs, strict=True)
    ]
    most = _most(_all_tokens(span) for span in spans)
    shown = number(None if most is None else int(most))
    return _chart("Tokens", spans, places, shown, (("input", "in"), ("output", "out")))


def _chart(
    title: str,
    spans: Sequence[OverviewSpan],
    places: Sequence[Place],
    most: str,
    legend: Legend,
    *,
    beside: bool = False,
) -> Chart:
    drawn, width = bars(places, beside=beside)
    last = _when(spans[-1]) if len(spans) > 1 else ""
    return Chart(title, most, _when(spans[0]), last, width, drawn, legend)


def _when(span: OverviewSpan) -> str:
    return stretch(span.start_ns, span.end_ns)


def _all_tokens(span: OverviewSpan) -> float | None:
    known = [count for count in (span.input_tokens, span.output_tokens) if count is not None]
    return sum(known) if known else None


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
