"""Small pages and buttons: keys and words, the theme switch, Stop, search in a run."""

from dataclasses import dataclass
from typing import ClassVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tracer_ui.api import NotFoundError
from tracer_ui.contexts import THEMES, PageContext
from tracer_ui.rendering import THEME_COOKIE, frame, respond
from tracer_ui.security import local_path
from tracer_ui.site import site_of
from tracer_ui.stepviews import Row, row
from tracer_ui.views.loading import canonical, found_run, opened

_HITS = 300
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpPage(PageContext):
    """Keys and the words used."""

    template: ClassVar[str] = "help.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPage(PageContext):
    """Steps of a run in which a text occurs."""

    template: ClassVar[str] = "find.html"
    run_id: str
    query: str
    rows: tuple[Row, ...]
    total: int


def help_page(request: Request) -> Response:
    """`/help`."""
    return respond(request, HelpPage(frame=frame(request, "Keys and words")))


async def theme(request: Request) -> Response:
    """`POST /theme`: remember the colour scheme, go back."""
    async with request.form(max_files=0, max_fields=5) as form:
        chosen, following = form.get("theme"), form.get("next")
    path = local_path(following) if isinstance(following, str) else "/runs"
    response = RedirectResponse(path, status_code=303)
    if chosen in THEMES:
        response.set_cookie(
            THEME_COOKIE, str(chosen), max_age=_YEAR, httponly=True, samesite="strict", path="/"
        )
    return response


async def stop(request: Request) -> Response:
    """`POST /runs/{run}/stop`: end a re-execution started here."""
    run_id = request.path_params["run"]
    child = site_of(request).children.get(run_id)
    if child is None:
        raise NotFoundError(
            f"Run {run_id[:8]} was not started from this page; stop it where it is."
        )
    await run_in_threadpool(child.stop)
    return RedirectResponse(f"/runs/{run_id}", status_code=303)


def find(request: Request) -> Response:
    """`/runs/{run}/find?q=`: search all payloads of a run."""
    store = opened(request)
    run = found_run(request, store)
    moved = canonical(request, run)
    if moved is not None:
        return moved
    query = request.query_params.get("q", "").strip()[:500]
    hits = store.search(run.id, query) if query else []
    outline = site_of(request).outline(store, run)
    steps = [store.step(run.id, n) for n in hits[:_HITS] if n in outline]
    reexecuted = run.parent_run is not None
    page = FindPage(
        frame=frame(request, f"Search {run.name}", page="find"),
        run_id=run.id,
        query=query,
        rows=tuple(row(s, outline[s.n], outline, reexecuted=reexecuted) for s in steps),
        total=len(hits),
    )
    return respond(request, page)
