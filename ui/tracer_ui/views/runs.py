"""The run list: families of a run and its forks, newest activity first; the first-run page."""

from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tracer_ui.api import NotFoundError, Run, Store
from tracer_ui.contexts import Context, PageContext
from tracer_ui.rendering import frame, respond
from tracer_ui.runrows import PAGE, RunRow, run_row
from tracer_ui.site import site_of

_FAMILY = 200


@dataclass(frozen=True, slots=True)
class RunRows:
    """A page of the list. `more` is the address of what follows, "" at the end."""

    rows: tuple[RunRow, ...]
    more: str
    more_fragment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsPage(PageContext):
    """`newest` and `running` (ids) tell the live stream what the page shows; `problem` is what
    went wrong with an import just tried.
    """

    template: ClassVar[str] = "runs.html"
    list: RunRows
    query: str
    failed: bool
    newest: str
    running: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsFragment(Context):
    """Rows that follow."""

    template: ClassVar[str] = "_run_rows.html"
    list: RunRows


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRunPage(PageContext):
    """What is shown before anything was recorded."""

    template: ClassVar[str] = "first_run.html"
    problem: str


def home(request: Request) -> Response:
    """`/`."""
    return RedirectResponse("/runs", status_code=302)


def run_list(request: Request) -> Response:
    """`/runs`."""
    return list_page(request)


def list_page(request: Request, problem: str = "", status: int = 200) -> Response:
    """The list, or the first-run page while there are no runs."""
    store = site_of(request).store()
    newest = [] if store is None else store.runs(limit=1)
    if store is None or not newest:
        page = FirstRunPage(frame=frame(request, "No runs yet", page="runs"), problem=problem)
        return respond(request, page, status)
    query, failed = _filter(request)
    command = "tracer ls" + (" --failed" if failed else "")
    rows = _rows(request, store)
    context = RunsPage(
        frame=frame(
            request,
            "Runs",
            command=command + (f" --search {query!r}" if query else ""),
            twin="/runs.json" + (f"?{request.url.query}" if request.url.query else ""),
            page="runs",
        ),
        list=rows,
        query=query,
        failed=failed,
        newest=newest[0].id,
        running=",".join(row.id for row in rows.rows if row.status == "running"),
        problem=problem,
    )
    return respond(request, context, status)


def rows_fragment(request: Request) -> Response:
    """`/f/runs?before=`: what follows in the list."""
    store = site_of(request).store()
    rows = RunRows((), "", "") if store is None else _rows(request, store)
    return respond(request, RowsFragment(list=rows))


def _filter(request: Request) -> tuple[str, bool]:
    params = request.query_params
    return params.get("q", "").strip()[:500], params.get("status", "") == "failed"


def _rows(request: Request, store: Store) -> RunRows:
    query, failed = _filter(request)
    before = request.query_params.get("before") or None
    found = store.runs(failed=failed, search=query or None, limit=PAGE + 1, before=before)
    page = found[:PAGE]
    if query or failed:
        rows = [run_row(run) for run in page]
    else:
        rows = [row for run in page for row in _family(store, run)]
    if len(found) <= PAGE:
        return RunRows(tuple(rows), "", "")
    kept = {"q": query, "status": "failed" if failed else "", "before": page[-1].id}
    more = "?" + urlencode({name: value for name, value in kept.items() if value})
    return RunRows(tuple(rows), f"/runs{more}", f"/f/runs{more}")


def _family(store: Store, run: Run) -> list[RunRow]:
    """The whole family of a run where its newest member stands in the list, else nothing."""
    root = _root(store, run)
    members: list[tuple[Run, int]] = []
    _collect(store, root, 0, members)
    newest = max(members, key=lambda member: (member[0].started_ns, member[0].id))[0]
    return [run_row(member, depth) for member, depth in members] if newest.id == run.id else []


def _root(store: Store, run: Run) -> Run:
    seen = {run.id}
    while run.parent_run is not None:
        try:
            parent = store.find_run(run.parent_run)
        except NotFoundError:
            break
        if parent.id in seen:  # only a hostile file makes a circle
            break
        seen.add(parent.id)
        run = parent
    return run


def _collect(store: Store, run: Run, depth: int, members: list[tuple[Run, int]]) -> None:
    if len(members) >= _FAMILY or any(run.id == member.id for member, _ in members):
        return
    members.append((run, depth))
    for fork in store.forks_of(run.id):
        _collect(store, fork, depth + 1, members)
