"""The run list and the first-run page."""

import shlex
from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tracer_ui.api import Store, parse_query
from tracer_ui.asked import Asked, asked
from tracer_ui.contexts import Context, PageContext
from tracer_ui.filterviews import Filters, Head, filters, heads
from tracer_ui.formats import plural
from tracer_ui.rendering import frame, respond
from tracer_ui.runlist import RunRows, kin, rows
from tracer_ui.runrows import RunRow
from tracer_ui.site import site_of
from tracer_ui.views.loading import opened

_COUNTED = 1000
_UNFOLDED = 20
_TRASH = parse_query("is:deleted")
# Sentences an action may send the reader back with.
SAID = {
    "select": "Select a run first.",
    "running": "A run under way can't be deleted; stop it first.",
}


@dataclass(frozen=True, slots=True)
class Live:
    """What the stream of news must know of the list it goes into: its address, and its pill's."""

    stream: str
    fresh: str
    path: str


@dataclass(frozen=True, slots=True)
class Undo:
    """What was just deleted; `when` brings it back."""

    words: str
    when: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsPage(PageContext):
    """`problem` is what is wrong with the filter, `message` what is to be said of an action just
    tried; `count` "" where counting takes too long; `tips`, in an empty list, links with one
    condition less; `here` is where the list's forms come back to.
    """

    template: ClassVar[str] = "runs.html"
    list: RunRows
    query: str
    order: str
    heads: dict[str, Head]
    filters: Filters
    problem: str
    message: str
    count: str
    total: str
    live: Live
    undo: Undo | None
    here: str
    trash: bool
    first: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsFragment(Context):
    """Rows that follow."""

    template: ClassVar[str] = "_run_rows.html"
    list: RunRows


@dataclass(frozen=True, slots=True, kw_only=True)
class KinFragment(Context):
    """The re-executions of a run."""

    template: ClassVar[str] = "_kin_rows.html"
    rows: tuple[RunRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshFragment(Context):
    """The list anew, put over the one that is shown: selection and focus stay."""

    template: ClassVar[str] = "_fresh_runs.html"
    list: RunRows
    live: Live


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRunPage(PageContext):
    """What is shown before anything was recorded."""

    template: ClassVar[str] = "first_run.html"
    message: str


def home(request: Request) -> Response:
    """`/`."""
    return RedirectResponse("/runs", status_code=302)


def run_list(request: Request) -> Response:
    """`/runs?q=&sort=&before=&open=`."""
    return list_page(request)


def list_page(request: Request, message: str = "", status: int = 200) -> Response:
    """The list, or the first-run page while there are no runs."""
    store = site_of(request).store()
    if store is None or not (store.runs(limit=1) or store.count_runs(_TRASH, most=1)):
        page = FirstRunPage(frame=frame(request, "No runs yet", page="runs"), message=message)
        return respond(request, page, status)
    wanted, given = asked(request), request.query_params
    before = given.get("before") or None
    found = rows(store, wanted, before, given.getlist("open")[:_UNFOLDED])
    context = RunsPage(
        frame=frame(
            request,
            "Runs",
            command=_command(wanted),
            twin=f"/runs.json{wanted.parameters()}",
            page="runs",
        ),
        list=found,
        query=wanted.text,
        order=str(wanted.order),
        heads=heads(wanted),
        filters=filters(store, wanted),
        problem=wanted.problem,
        message=message or SAID.get(given.get("said", ""), ""),
        count=_count(store, wanted, found),
        total="" if found.rows else _counted(store.count_runs(most=_COUNTED)),
        live=_live(store, wanted, found),
        undo=_undo(store, given.get("deleted", "")),
        here=wanted.path(before=before or ""),
        trash=wanted.query.asks("is", "deleted"),
        first=wanted.path() if before else "",
    )
    return respond(request, context, 422 if wanted.problem and status == 200 else status)


def rows_fragment(request: Request) -> Response:
    """`/f/runs?q=&sort=&before=`: what follows in the list."""
    store = site_of(request).store()
    before = request.query_params.get("before") or None
    found = RunRows((), "", "") if store is None else rows(store, asked(request), before, ())
    return respond(request, RowsFragment(list=found))


def kin_fragment(request: Request) -> Response:
    """`/f/runs/{run}/kin`: what is folded under a run."""
    store = opened(request)
    return respond(request, KinFragment(rows=kin(store, request.path_params["run"])))


def fresh_fragment(request: Request) -> Response:
    """`/f/runs/fresh?q=&sort=`: the top of the list as it is now."""
    store, wanted = opened(request), asked(request)
    found = rows(store, wanted, None, request.query_params.getlist("open")[:_UNFOLDED])
    return respond(request, FreshFragment(list=found, live=_live(store, wanted, found)))


def _live(store: Store, wanted: Asked, found: RunRows) -> Live:
    newest = store.runs(limit=1)
    running = ",".join(row.id for row in found.rows if row.status == "running")
    seen = wanted.parameters(newest=newest[0].id if newest else "", running=running)
    return Live(f"/sse/runs{seen}", f"/f/runs/fresh{wanted.parameters()}", wanted.path())


def _count(store: Store, wanted: Asked, found: RunRows) -> str:
    if wanted.problem:
        return ""
    if not found.more and not wanted.is_plain:
        return f"{len(found.rows):,}"
    if any(not term.field for term in wanted.query.terms):  # a common word is in very many texts
        return ""
    return _counted(store.count_runs(wanted.query, most=_COUNTED))


def _counted(count: int) -> str:
    return f"{count:,}+" if count >= _COUNTED else f"{count:,}"


def _undo(store: Store, when: str) -> Undo | None:
    at = int(when) if when.isascii() and when.isdigit() and len(when) < 20 else 0
    count = store.thrown_away(at) if at else 0
    return Undo(f"{plural(count, 'run')} deleted.", at) if count else None


def _command(wanted: Asked) -> str:
    words = ["tracer ls"]
    if wanted.text and not wanted.problem:
        text = shlex.quote(wanted.text)
        words.append(f"--filter={text}" if wanted.text.startswith("-") else text)
    if str(wanted.order) != "started":
        words.append(f"--sort {wanted.order}")
    return " ".join(words)
