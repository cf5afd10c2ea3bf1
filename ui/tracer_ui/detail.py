"""What the detail pane says of one step: the answer first, then what is new, then the rest.

Reads payloads through the store and turns them into views that fit on a page whatever they weigh.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tracer_ui import stepviews
from tracer_ui.api import (
    Around,
    ErrorInfo,
    NotFoundError,
    Run,
    Step,
    Store,
    around,
    changed_files,
    decided_changes,
    decided_words,
    is_untouched,
    said,
    value,
)
from tracer_ui.aroundviews import AroundView, Variables, around_view, variables_of
from tracer_ui.blocks import Block, Room, text_block, value_block
from tracer_ui.formats import clock, iso
from tracer_ui.jsonlines import clip
from tracer_ui.messages import (
    Argument,
    argument_views,
    parts_of,
)
from tracer_ui.modelviews import ModelView, asked_for, model_view
from tracer_ui.outline import Outline
from tracer_ui.tracebacks import Fold, folds

FORKABLE = ("model", "tool", "step")


@dataclass(frozen=True, slots=True)
class ErrorView:
    """An exception: its class with and without module, its message, its traceback, and the local
    variables of the frames it passed, innermost first."""

    type: str
    name: str
    message: Block
    folds: tuple[Fold, ...]
    variables: tuple[Variables, ...] = ()


@dataclass(frozen=True, slots=True)
class FunctionView:
    """A call of a function: a tool, an agent, a step, a note's values."""

    arguments: tuple[Argument, ...]
    result: Block | None
    asked_by: int | None


@dataclass(frozen=True, slots=True)
class Detail:
    """One step. Exactly one of `model`, `function` and `http` is set."""

    run_id: str
    n: int
    of: int
    kind: str
    letter: str
    word: str
    title: str
    status: str
    failed: bool
    source: str
    source_help: str
    diverged: bool
    facts: tuple[tuple[str, str], ...]
    about: tuple[tuple[str, str], ...]
    started: str
    started_at: str
    error: ErrorView | None
    remark: str
    model: ModelView | None
    function: FunctionView | None
    http: tuple[tuple[str, Block], ...] | None
    around: AroundView | None
    files: tuple[tuple[str, str], ...]
    decided: str
    edited: tuple[tuple[str, str, str], ...]
    has_wire: bool
    forkable: bool
    twin: tuple[str, int] | None
    parent_run: str | None
    version: str
    at_end: bool


def step_detail(
    store: Store,
    run: Run,
    step: Step,
    outline: Outline,
    *,
    history: bool = False,
    at_end: bool = False,
) -> Detail:
    """Everything the pane shows of a step.

    `history` includes the unchanged messages; `at_end` says that a command led nowhere.
    """
    room = Room()
    beside = around(store, run.id, step.n)
    error = None if step.error is None else error_view(step.error, room, beside)
    model = model_view(store, step, outline, room, history) if step.kind == "model" else None
    http = _http(store, step, room) if step.kind == "http" else None
    function = None if model or http is not None else _function(store, step, outline, room)
    node = outline[step.n]
    reexecuted = run.parent_run is not None
    return Detail(
        run_id=run.id,
        n=step.n,
        of=max(run.steps, outline.last),
        kind=step.kind,
        letter=stepviews.LETTERS[step.kind],
        word=stepviews.WORDS[step.kind],
        title=stepviews.title(step, outline.agent_name(step.n), asked_for(model)),
        status=step.status,
        failed=outline.is_error(node),
        source=stepviews.SOURCE_WORDS[step.source] if reexecuted else "",
        source_help=stepviews.SOURCE_HELP[step.source],
        diverged=step.diverged,
        facts=stepviews.facts(step),
        about=_about(step),
        started=iso(step.started_ns),
        started_at=clock(step.started_ns),
        error=error,
        remark=(step.summary or step.name) if step.kind == "note" else "",
        model=model,
        function=function,
        http=http,
        around=around_view(beside, Room(), untouched=is_untouched(store, run, step)),
        files=tuple((word, clip(path, 300)) for word, path in changed_files(step)),
        decided=clip(decided_words(step.detail.get("asked")), 400),
        edited=tuple(
            (clip(place, 120), clip(before, 600), clip(after, 600))
            for place, before, after in decided_changes(step.detail.get("asked"))[:20]
        ),
        has_wire=step.kind in ("model", "http") and store.request(step) is not None,
        forkable=step.kind in FORKABLE and step.status != "running",
        twin=_twin(store, run, step),
        parent_run=run.parent_run,
        version=f"{step.end_seq or 0}-{step.status}",
        at_end=at_end,
    )


def error_view(error: ErrorInfo, room: Room, beside: Around | None = None) -> ErrorView:
    """An exception ready to show."""
    trace = folds(error.traceback) if error.traceback else ()
    kind = clip(error.type, 300)
    return ErrorView(
        kind,
        clip(kind.rsplit(".", 1)[-1], 80),
        text_block(error.message, room),
        trace,
        () if beside is None else variables_of(beside),
    )


def _about(step: Step) -> tuple[tuple[str, str], ...]:
    detail = step.detail
    reasons = detail.get("finish_reasons")
    found = [
        ("provider", step.provider),
        ("effect", step.effect),
        ("finish reason", ", ".join(map(str, reasons)) if isinstance(reasons, list) else None),
        ("HTTP status", detail.get("http_status")),
        ("retry", detail.get("retry")),
        ("request id", detail.get("request_id")),
        ("called at", step.callsite),
        ("fidelity", step.fidelity if step.fidelity not in (None, "exact") else None),
    ]
    return tuple((label, clip(str(shown), 200)) for label, shown in found if shown)


def _function(store: Store, step: Step, outline: Outline, room: Room) -> FunctionView:
    given = value(store, step, "input")
    has_result = step.ended_ns is not None and step.error is None and step.kind != "note"
    result = value_block(value(store, step, "output"), room, "output") if has_result else None
    if isinstance(given, Mapping) and len(given) <= 60:
        arguments = argument_views(given, room, "input")
    elif given is None:
        arguments = ()
    else:
        arguments = (Argument("input", None, value_block(given, room, "input")),)
    return FunctionView(arguments, result, asked_by(store, step, outline))


def asked_by(store: Store, step: Step, outline: Outline) -> int | None:
    """The model call whose answer asked for this tool execution."""
    if step.kind != "tool":
        return None
    n = outline.go("previous-model", step.n)
    if n is None:
        return None
    for message in said(store, store.step(step.run_id, n)):
        for part in parts_of(message):
            if part.get("type") == "tool_call" and part.get("name") == step.name:
                return n
    return None


def _http(store: Store, step: Step, room: Room) -> tuple[tuple[str, Block], ...]:
    found: list[tuple[str, Block]] = []
    reply = store.reply(step)
    if reply is not None:
        body = b"".join(reply.chunks).decode("utf-8", "replace")
        found.append((f"Response {reply.status}", value_block(body, room, "response-body")))
    request = store.request(step)
    if request is not None:
        body = request.body.decode("utf-8", "replace")
        found.append((f"{request.method} {request.url}", value_block(body, room, "request-body")))
    return tuple(found)


def _twin(store: Store, run: Run, step: Step) -> tuple[str, int] | None:
    """Run and number of the parent's step that answered this one."""
    if run.parent_run is None or step.matched_step is None:
        return None
    try:
        return run.parent_run, store.step(run.parent_run, step.matched_step).n
    except NotFoundError:
        return None
