"""Two runs side by side, from the first difference on."""

from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from tracer_ui.api import Comparison, NotFoundError, Run, Step, Store, compare
from tracer_ui.contexts import PageContext
from tracer_ui.forking import ChangeView, change_view
from tracer_ui.formats import cost, difference, duration, number, signed
from tracer_ui.jsonlines import clip
from tracer_ui.rendering import frame, respond
from tracer_ui.runrows import RunRow, run_row
from tracer_ui.stepviews import LETTERS, fork_words, run_cost, total_tokens
from tracer_ui.views.loading import opened

_ROWS = 400
_CHANGES = 12
_CHOICES = 50
STATES = {
    "equal": "equal",
    "moved": "moved",
    "answer": "answer",
    "result": "result",
    "args": "request",
    "only_a": "only in A",
    "only_b": "only in B",
    "edited": "edited",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One side of a row."""

    run_id: str
    n: int
    kind: str
    letter: str
    text: str
    failed: bool
    time: str


@dataclass(frozen=True, slots=True)
class CompareRow:
    """A row that differs (`cells` of a and b), or a stretch of `equal` rows in between."""

    a: Cell | None
    b: Cell | None
    state: str
    word: str
    changes: tuple[ChangeView, ...]
    more: int
    open: bool
    equal: int = 0
    span: str = ""
    first: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """One line of the table of numbers."""

    label: str
    a: str
    b: str
    difference: str


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs."""

    id: str
    name: str
    status: str
    lineage: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePage(PageContext):
    """`everything` shows the equal rows too."""

    template: ClassVar[str] = "compare.html"
    a: Side
    b: Side
    rows: tuple[CompareRow, ...]
    left_out: int
    numbers: tuple[Number, ...]
    shape: tuple[tuple[str, str, int, int], ...]
    output: tuple[ChangeView, ...]
    first: str
    everything: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoosePage(PageContext):
    """Which two runs?"""

    template: ClassVar[str] = "compare_choose.html"
    runs: tuple[RunRow, ...]
    chosen: str
    message: str


def compare_page(request: Request) -> Response:
    """`/compare?a=&b=`; `?run=&run=` as the run list sends it."""
    store = opened(request)
    picked = request.query_params.getlist("run")
    if len(picked) == 2:
        older, newer = sorted(map(store.find_run, picked), key=lambda run: run.started_ns)
        return RedirectResponse(f"/compare?a={older.id}&b={newer.id}", status_code=303)
    names = _names(request)
    if not all(names):
        return _choose(request, store, picked, names)
    run_a, run_b = map(store.find_run, names)
    comparison = compare(store, run_a, run_b)
    everything = request.query_params.get("show") == "all"
    rows = _rows(comparison, everything=everything)
    page = ComparePage(
        frame=frame(
            request,
            f"{run_a.id[:8]} and {run_b.id[:8]}",
            command=f"tracer diff {run_a.id[:8]} {run_b.id[:8]}",
            twin=f"/compare.json?a={run_a.id}&b={run_b.id}",
            page="compare",
        ),
        a=_side(run_a),
        b=_side(run_b),
        rows=tuple(rows[:_ROWS]),
        left_out=max(len(rows) - _ROWS, 0),
        numbers=_numbers(run_a, run_b),
        shape=tuple(line for line in comparison.shape if line[2] != line[3])[:20],
        output=tuple(change_view(change, "output") for change in comparison.output[:_CHANGES]),
        first=_first_words(comparison),
        everything=everything,
    )
    return respond(request, page)


def compare_json(request: Request) -> Response:
    """`/compare.json?a=&b=`."""
    store = opened(request)
    run_a, run_b = map(store.find_run, _names(request))
    return JSONResponse(compare(store, run_a, run_b).as_json())


def _names(request: Request) -> tuple[str, str]:
    query = request.query_params
    return query.get("a", "").strip(), query.get("b", "").strip()


def _choose(request: Request, store: Store, picked: list[str], names: tuple[str, str]) -> Response:
    chosen = next(filter(None, (*names, *picked)), "")
    try:
        chosen = store.find_run(chosen).id if chosen else ""
    except NotFoundError:
        chosen = ""
    message = "Select two runs, not more." if len(picked) > 2 else ""
    page = ChoosePage(
        frame=frame(request, "Compare", page="compare", command="tracer diff RUN RUN"),
        runs=tuple(run_row(run) for run in store.runs(limit=_CHOICES)),
        chosen=chosen,
        message=message,
    )
    return respond(request, page)


def _rows(comparison: Comparison, *, everything: bool) -> list[CompareRow]:
    found: list[CompareRow] = []
    stretch: list[tuple[Step, Step]] = []
    for row in comparison.rows:
        if row.same and row.a is not None and row.b is not None and not everything:
            stretch.append((row.a, row.b))
            continue
        if stretch:
            found.append(_equal(stretch))
            stretch = []
        first = not row.same and not any(r.first for r in found)
        found.append(
            CompareRow(
                a=_cell(row.a, failed=row.a is not None and row.a.status == "error"),
                b=_cell(row.b, failed=row.b is not None and row.b.status == "error"),
                state=row.state,
                word=_word(row.state, row.a or row.b),
                changes=tuple(change_view(change) for change in row.changes[:_CHANGES]),
                more=max(len(row.changes) - _CHANGES, 0),
                open=first or row.state == "edited",
                first=first,
            )
        )
    if stretch:
        found.append(_equal(stretch))
    return found


def _word(state: str, step: Step | None) -> str:
    if state == "args" and step is not None and step.kind not in ("model", "http"):
        return "arguments"
    return STATES[state]


def _equal(stretch: list[tuple[Step, Step]]) -> CompareRow:
    (a1, b1), (a2, b2) = stretch[0], stretch[-1]
    span_a = f"{a1.n}–{a2.n}" if a1.n != a2.n else f"{a1.n}"
    span_b = f"{b1.n}–{b2.n}" if b1.n != b2.n else f"{b1.n}"
    span = span_a if span_a == span_b else f"{span_a} = {span_b}"
    return CompareRow(None, None, "equal", "equal", (), 0, False, len(stretch), span)


def _cell(step: Step | None, *, failed: bool) -> Cell | None:
    if step is None:
        return None
    return Cell(
        step.run_id,
        step.n,
        step.kind,
        LETTERS[step.kind],
        clip(step.summary or step.name, 400),
        failed,
        duration(step.duration_ms),
    )


def _side(run: Run) -> Side:
    failure = f"{run.error.type.rsplit('.', 1)[-1]}: {run.error.message}" if run.error else ""
    return Side(
        run.id,
        clip(run.name, 80),
        run.status,
        fork_words(run),
        clip(" ".join((failure or run.output_text)[:600].split()), 200),
    )


def _numbers(a: Run, b: Run) -> tuple[Number, ...]:
    tokens = (total_tokens(a), total_tokens(b))
    found = [
        _count("steps", a.steps, b.steps),
        _count("model calls", a.model_calls, b.model_calls),
        _count("tool executions", a.tool_calls, b.tool_calls),
        _count("tokens", *tokens),
    ]
    time = difference(a.duration_ms, b.duration_ms)
    money = difference(a.cost_usd, b.cost_usd)
    found.append(
        Number(
            "time",
            duration(a.duration_ms),
            duration(b.duration_ms),
            signed(duration(time), time) if time is not None else "",
        )
    )
    found.append(
        Number(
            "cost",
            run_cost(a),
            run_cost(b),
            signed(cost(money), money) if money is not None else "",
        )
    )
    return tuple(found)


def _count(label: str, a: int | None, b: int | None) -> Number:
    change = difference(a, b)
    shown = "" if change is None else "0" if not change else signed(f"{change:,}", change)
    return Number(label, number(a), number(b), shown.replace("-", "−"))


def _first_words(comparison: Comparison) -> str:
    row = comparison.first_difference
    if row is None:
        return "The two runs are the same but for time and cost."
    step = row.a or row.b
    n = step.n if step is not None else 0
    if row.state == "edited":
        return f"First difference: step {n}, edited."
    return f"First difference: step {n}, {STATES[row.state]}."
