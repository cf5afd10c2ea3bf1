"""The overview: what many runs look like together, as a page and as JSON."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from tracer_ui.api import Overview, OverviewSpan, RunQuery, Term, timestamp
from tracer_ui.asked import Asked, asked
from tracer_ui.contexts import PageContext
from tracer_ui.filterviews import Filters, filters
from tracer_ui.overviews import Shown, shown
from tracer_ui.rendering import frame, respond
from tracer_ui.site import site_of
from tracer_ui.views.twins import Json

_LATELY = Term("after", ("30d",))
_EVER = Term("after", ("1970-01-02",))
_TIMES = ("after", "before")
_EMPTY = OverviewSpan(0, 0, 0, 0, None, 0, None, None, None, None)
_NOTHING = Overview(_EMPTY, (), (), (), (), (), (), (), (), True, 0, 0, True)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage(PageContext):
    """`lately`: nobody asked for a time, so it is the last 30 days; `ever` is the same without.

    `list` is the run list of the same runs.
    """

    template: ClassVar[str] = "overview.html"
    shown: Shown
    query: str
    order: str
    filters: Filters
    problem: str
    here: str
    lately: bool
    ever: str
    list: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewEmptyPage(PageContext):
    """What is shown before anything was recorded."""

    template: ClassVar[str] = "overview_empty.html"


def overview_page(request: Request) -> Response:
    """`/overview?q=`."""
    store = site_of(request).store()
    if store is None or not store.count_runs(most=1):
        page = OverviewEmptyPage(frame=frame(request, "Overview", page="overview"))
        return respond(request, page)
    wanted = asked(request, "/overview")
    query, lately = _bounded(wanted.query)
    found = _NOTHING if wanted.problem else store.overview(query)
    context = OverviewPage(
        frame=frame(
            request, "Overview", twin=f"/overview.json{wanted.parameters()}", page="overview"
        ),
        shown=shown(found, query),
        query=wanted.text,
        order=str(wanted.order),
        filters=filters(store, wanted),
        problem=wanted.problem,
        here=wanted.path(),
        lately=lately,
        ever=wanted.filtered(_ever(wanted.query)),
        list=Asked(str(query), query, wanted.order, "").path(),
    )
    return respond(request, context, 422 if wanted.problem else 200)


def overview_json(request: Request) -> Response:
    """`/overview.json?q=`; a filter that means nothing is an `error`, status 422."""
    wanted = asked(request, "/overview")
    if wanted.problem:
        return Json({"error": wanted.problem}, status_code=422)
    query, _ = _bounded(wanted.query)
    store = site_of(request).store()
    found = _NOTHING if store is None else store.overview(query)
    return Json({"query": str(query), **_timed(asdict(found))})


def _bounded(query: RunQuery) -> tuple[RunQuery, bool]:
    """The query, of the last 30 days unless it says of when; and whether it doesn't."""
    lately = not any(term.field in (*_TIMES, "id") for term in query.terms)
    return (query.plus(_LATELY) if lately else query), lately


def _ever(query: RunQuery) -> RunQuery:
    terms = tuple(term for term in query.terms if term.field not in _TIMES)
    return RunQuery((*terms, _EVER))


def _timed(value: Any) -> Any:
    """With times as the other JSON has them."""
    if isinstance(value, dict):
        return {
            key.removesuffix("_ns") if key.endswith("_ns") else key: timestamp(item)
            if key.endswith("_ns")
            else _timed(item)
            for key, item in value.items()
        }
    return [_timed(item) for item in value] if isinstance(value, list | tuple) else value
