"""The run page: head, list of steps, detail of the step in focus; and its fragments."""

from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tracer_ui.api import NotFoundError, Run, Step, Store
from tracer_ui.contexts import Context, PageContext
from tracer_ui.detail import Detail, asked_by, step_detail
from tracer_ui.outline import MOVES, Outline
from tracer_ui.questions import QuestionView
from tracer_ui.rendering import frame, respond, theme_of
from tracer_ui.runviews import RunHead, run_head
from tracer_ui.site import Site, site_of
from tracer_ui.stepviews import Row, fork_step, row
from tracer_ui.views.errors import Way, error_response
from tracer_ui.views.loading import canonical, found_run, found_step, opened, query_int
from tracer_ui.views.starting import starting_page
from tracer_ui.waiting import waiting

CHUNK = 50  # rows that are loaded at once
BLOCK = 20 * CHUNK  # rows that one placeholder stands for, far from view


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of the list: its rows, or (no rows) a placeholder for `count` of them.

    A placeholder that comes into view loads its rows; one for more than `CHUNK`, smaller ones.
    """

    run_id: str
    first: int
    count: int
    of: int
    current: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage(PageContext):
    """`last` and `open` (the steps still running) tell the live stream what the page shows."""

    template: ClassVar[str] = "run.html"
    head: RunHead
    chunks: tuple[Chunk, ...]
    detail: Detail
    live: bool
    last: int
    open: str
    question: QuestionView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyRunPage(PageContext):
    """A run without any step."""

    template: ClassVar[str] = "run_empty.html"
    head: RunHead
    live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailFragment(Context):
    """The detail pane."""

    template: ClassVar[str] = "_detail.html"
    detail: Detail


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFragment(Context):
    """The unchanged earlier messages of a model call."""

    template: ClassVar[str] = "_history_messages.html"
    detail: Detail


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunksFragment(Context):
    """What comes into view."""

    template: ClassVar[str] = "_chunks.html"
    chunks: tuple[Chunk, ...]


def run_redirect(request: Request) -> Response:
    """`/runs/{run}`: to the step worth looking at first."""
    site = site_of(request)
    run_id = request.path_params["run"]
    store = site.store()
    try:
        if store is None:
            raise NotFoundError("nothing recorded")
        run = store.find_run(run_id)
    except NotFoundError:
        if site.children.get(run_id) is not None:
            return starting_page(request, run_id)
        raise
    outline = site.outline(store, run)
    if not len(outline):
        return canonical(request, run) or _empty_page(request, store, run)
    return RedirectResponse(f"/runs/{run.id}/steps/{focus(run, outline)}", status_code=302)


def focus(run: Run, outline: Outline) -> int:
    """Where to look first: the last error that was not recovered, the end of what goes on, the
    edited step of a fork, else the final answer."""
    if run.status == "running":
        return outline.last
    errors = outline.errors()
    if run.status != "ok" and errors:
        return errors[-1]
    forked_at = fork_step(run)
    if forked_at is not None and forked_at in outline:
        return forked_at
    models = outline.of_kind("model")
    return models[-1] if models else outline.last


def step_page(request: Request) -> Response:
    """`/runs/{run}/steps/{n}`."""
    site, store = site_of(request), opened(request)
    run = found_run(request, store)
    outline = site.outline(store, run)
    try:
        step = found_step(request, store, run)
    except NotFoundError as error:
        return error_response(request, 404, str(error), ways=_ways(run, outline))
    moved = canonical(request, run, step)
    if moved is not None:
        return moved
    live = run.status == "running" or site.children.is_running(run.id)
    page = RunPage(
        frame=frame(
            request,
            f"Step {step.n} · {run.name}",
            command=f"tracer show {run.id[:8]} --step {step.n}",
            twin=f"/runs/{run.id}/steps/{step.n}.json",
            page="run",
        ),
        head=_head(site, store, run, outline),
        chunks=_chunks(store, run, outline, step.n),
        detail=_step_detail(request, store, run, step, outline),
        live=live,
        last=outline.last,
        open=",".join(map(str, outline.running()[:200])),
        question=waiting(site, store, run),
    )
    return respond(request, page, tag=None if live else _tag(request, store, run))


def detail_fragment(request: Request) -> Response:
    """`/f/runs/{run}/steps/{n}`."""
    return _detail(request, history=False)


def history_fragment(request: Request) -> Response:
    """`/f/runs/{run}/steps/{n}/history`."""
    return _detail(request, history=True)


def rows_fragment(request: Request) -> Response:
    """`/f/runs/{run}/rows?first=`."""
    store = opened(request)
    run = found_run(request, store)
    outline = site_of(request).outline(store, run)
    first = max(query_int(request, "first", 1), 1)
    last = min(first + query_int(request, "count", CHUNK), outline.last + 1) - 1
    if last - first < CHUNK:
        chunks = [filled(store, run, outline, first, last, 0)]
    else:
        chunks = _gaps(run, first, min(last, first + BLOCK - 1), CHUNK)
    return respond(request, ChunksFragment(chunks=tuple(chunks)))


def go(request: Request) -> Response:
    """`…/steps/{n}/go/{command}`: to the step where a stepping command leads.

    At the end of the recording it leads to the step itself, with `?end=1`.
    """
    site, store = site_of(request), opened(request)
    run = found_run(request, store)
    step = found_step(request, store, run)
    command = request.path_params["command"]
    outline = site.outline(store, run)
    if command == "asked":
        target = _asked(store, step, outline)
    elif command in MOVES:
        target = outline.go(command, step.n)
    else:
        raise NotFoundError(f"There is no command {command!r}; `?` lists them.")
    prefix = "/f" if request.url.path.startswith("/f/") else ""
    end = "" if target is not None else "?end=1"
    return RedirectResponse(f"{prefix}/runs/{run.id}/steps/{target or step.n}{end}", 303)


def filled(store: Store, run: Run, outline: Outline, first: int, last: int, current: int) -> Chunk:
    """A chunk with its rows."""
    steps = store.steps(run.id, first=first, last=last) if last >= first else []
    rows = [_row(run, step, outline) for step in steps if step.n in outline]
    return Chunk(run.id, first, last - first + 1, size_of(run, outline), current, tuple(rows))


def _row(run: Run, step: Step, outline: Outline) -> Row:
    return row(step, outline[step.n], outline, reexecuted=run.parent_run is not None)


def size_of(run: Run, outline: Outline) -> int:
    """`aria-setsize`: -1 while nobody knows."""
    return -1 if run.status == "running" else max(run.steps, outline.last)


def _chunks(store: Store, run: Run, outline: Outline, current: int) -> tuple[Chunk, ...]:
    """The list around a step: its own stretch with rows, its block as small placeholders."""
    before = (current - 1) // CHUNK * CHUNK
    here = filled(store, run, outline, before + 1, min(before + CHUNK, outline.last), current)
    block = (current - 1) // BLOCK * BLOCK
    end = min(block + BLOCK, outline.last)
    return (
        *_gaps(run, 1, block, BLOCK),
        *_gaps(run, block + 1, before, CHUNK),
        here,
        *_gaps(run, before + CHUNK + 1, end, CHUNK),
        *_gaps(run, end + 1, outline.last, BLOCK),
    )


def _gaps(run: Run, first: int, last: int, size: int) -> list[Chunk]:
    return [
        Chunk(run.id, n, min(size, last - n + 1), 0, 0, ()) for n in range(first, last + 1, size)
    ]


def _head(site: Site, store: Store, run: Run, outline: Outline) -> RunHead:
    return run_head(store, run, outline, site.children)


def _detail(request: Request, *, history: bool) -> Response:
    site, store = site_of(request), opened(request)
    run = found_run(request, store)
    step = found_step(request, store, run)
    outline = site.outline(store, run)
    detail = _step_detail(request, store, run, step, outline, history=history)
    context = HistoryFragment(detail=detail) if history else DetailFragment(detail=detail)
    tag = f"{run.id}-{detail.n}-{detail.version}-{run.steps}-{detail.at_end}-{history}"
    return respond(request, context, tag=tag if run.ended_ns else None)


def _step_detail(
    request: Request, store: Store, run: Run, step: Step, outline: Outline, *, history: bool = False
) -> Detail:
    query = request.query_params
    history = history or "history" in query
    return step_detail(store, run, step, outline, history=history, at_end="end" in query)


def _asked(store: Store, step: Step, outline: Outline) -> int | None:
    """From a tool execution to the model call that asked for it, and back."""
    if step.kind == "model":
        here = outline[step.n]
        n = outline.go("next", step.n)
        while n is not None and outline[n].kind != "model":
            if outline[n].kind == "tool" and outline[n].agent == here.agent:
                return n
            n = outline.go("next", n)
        return None
    return asked_by(store, step, outline)


def _empty_page(request: Request, store: Store, run: Run) -> Response:
    site = site_of(request)
    page = EmptyRunPage(
        frame=frame(
            request, run.name, command=f"tracer show {run.id[:8]}", twin=f"/runs/{run.id}.json"
        ),
        head=_head(site, store, run, Outline()),
        live=run.status == "running" or site.children.is_running(run.id),
    )
    return respond(request, page)


def _ways(run: Run, outline: Outline) -> tuple[Way, ...]:
    first = (Way(f"/runs/{run.id}/steps/1", "Step 1"),)
    last = (Way(f"/runs/{run.id}/steps/{outline.last}", f"Last step, {outline.last}"),)
    return first + last if len(outline) else ()


def _tag(request: Request, store: Store, run: Run) -> str:
    forks = store.forks_of(run.id)
    state = "-".join(f"{fork.id[:8]}{fork.status[:2]}" for fork in forks)
    cost = run.cost_usd or 0
    return f"{run.id}-{run.status}-{run.steps}-{cost:.6f}-{theme_of(request)}-{state}"
