"""The fork editor: what happens at a step instead, checked while it is typed, then run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tracer_ui.api import (
    CannotReplayError,
    Plan,
    Run,
    Step,
    Store,
    TracerError,
    UsageError,
    asked,
    plan,
    said,
    start,
    value,
)
from tracer_ui.contexts import Context, PageContext
from tracer_ui.detail import FORKABLE
from tracer_ui.drafts import (
    FAILURES,
    CallDraft,
    Draft,
    Problem,
    Recorded,
    call_fields,
    edited,
    first_draft,
    read_form,
    recorded_answer,
    recorded_result,
)
from tracer_ui.forking import ChangeView, Forked, forked, spec
from tracer_ui.formats import cost, number, plural
from tracer_ui.outline import Outline
from tracer_ui.rendering import frame, respond
from tracer_ui.schemaforms import Field
from tracer_ui.site import site_of
from tracer_ui.stepviews import title
from tracer_ui.views.loading import canonical, found_run, found_step, opened

_FORM_BYTES = 16 << 20
_FORM_FIELDS = 5000


@dataclass(frozen=True, slots=True)
class CallForm:
    """One tool call in the editor; `fields` None: only the JSON box."""

    index: int
    draft: CallDraft
    fields: tuple[Field, ...] | None
    offered: bool


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """What a later tool may do. `count`: how often it ran after this step in the recording."""

    name: str
    count: int
    policy: str
    stub: str
    confirmed: str


@dataclass(frozen=True, slots=True)
class After:
    """What followed the step in the recording: what a fork has to do again."""

    steps: int
    model_calls: str
    tokens: str
    cost: str
    free_tools: str


@dataclass(frozen=True, slots=True)
class Editor:
    """The form. `offered` are the names of the tools the model could call."""

    run_id: str
    n: int
    heading: str
    is_model: bool
    draft: Draft
    calls: tuple[CallForm, ...]
    offered: tuple[str, ...]
    kept: int
    tools: tuple[ToolChoice, ...]
    needs_program: bool
    served: int
    failures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Check:
    """What the draft comes to: problems, warnings, changes, the command, what the button says."""

    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    refusal: str
    changes: tuple[ChangeView, ...]
    error: str
    unchanged: bool
    after: After
    command: str
    button: str
    blocked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkPage(PageContext):
    """`failed` is why the fork did not start, after trying; the fields keep what was typed."""

    template: ClassVar[str] = "fork.html"
    editor: Editor
    check: Check
    failed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsFragment(Context):
    """The tool calls after a button was pressed, and the check that follows from them."""

    template: ClassVar[str] = "_fork_changed.html"
    editor: Editor
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFragment(Context):
    """The check alone, while typing."""

    template: ClassVar[str] = "_fork_check.html"
    check: Check


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fork is made: a step, what was recorded there, and the run around it."""

    store: Store
    run: Run
    step: Step
    outline: Outline
    recorded: Recorded


def fork_page(request: Request) -> Response:
    """`GET …/steps/{n}/fork`: the recording, ready to be changed."""
    store = opened(request)
    run = found_run(request, store)
    moved = canonical(request, run, found_step(request, store, run))
    if moved is not None:
        return moved
    place = _place(request)
    return _page(request, place, _with_policies(place, first_draft(place.recorded)))


async def fork_draft(request: Request) -> Response:
    """`POST …/fork/draft`: add or remove a call, switch it to JSON; nothing is run."""
    form = await _form(request)
    return await run_in_threadpool(_drafted, request, form)


async def fork_check(request: Request) -> Response:
    """`POST /f/…/fork/check`: what the draft comes to; nothing is run."""
    form = await _form(request)
    return await run_in_threadpool(_checked, request, form)


async def fork_run(request: Request) -> Response:
    """`POST …/fork`: start the re-execution, go to its page."""
    form = await _form(request)
    return await run_in_threadpool(_run, request, form)


async def _form(request: Request) -> dict[str, str]:
    async with request.form(
        max_files=0, max_fields=_FORM_FIELDS, max_part_size=_FORM_BYTES
    ) as form:
        return {name: text for name, text in form.items() if isinstance(text, str)}


def _drafted(request: Request, form: Mapping[str, str]) -> Response:
    place = _place(request)
    draft = edited(read_form(form), place.recorded, form.get("do", ""))
    if not request.url.path.startswith("/f/"):
        return _page(request, place, draft)
    check = _check(place, draft)
    fragment = CallsFragment(editor=_editor(place, draft, check), check=check)
    return respond(request, fragment)


def _checked(request: Request, form: Mapping[str, str]) -> Response:
    place = _place(request)
    return respond(request, CheckFragment(check=_check(place, read_form(form))))


def _run(request: Request, form: Mapping[str, str]) -> Response:
    place = _place(request)
    draft = read_form(form)
    result = forked(draft, place.recorded)
    if result.substitute is None:
        return _page(request, place, draft, "The fork was not started.", 422)
    try:
        planned = plan(place.store, spec(place.run, place.step, draft, result.substitute))
        child = start(planned, output="stderr")
    except UsageError as error:
        return _page(request, place, draft, str(error), 422)
    except TracerError as error:
        return _page(request, place, draft, str(error), 409)
    site_of(request).children.add(child)
    return RedirectResponse(f"/runs/{child.run_id}", status_code=303)


def _place(request: Request) -> Place:
    store = opened(request)
    run = found_run(request, store)
    step = found_step(request, store, run)
    if step.kind not in FORKABLE:
        raise UsageError(
            f"Step {step.n} is of kind {step.kind}: fork at a model call, a tool or a step."
        )
    outline = site_of(request).outline(store, run)
    if step.kind == "model":
        request_read = asked(store, step)
        answers = said(store, step)
        tools = request_read.tools if request_read is not None else []
        recorded = recorded_answer(answers[0] if answers else None, tools)
    else:
        recorded = recorded_result(value(store, step, "output"))
    return Place(store, run, step, outline, recorded)


def _page(
    request: Request, place: Place, draft: Draft, failed: str = "", status: int = 200
) -> Response:
    check = _check(place, draft)
    page = ForkPage(
        frame=frame(request, f"Fork step {place.step.n} · {place.run.name}", page="fork"),
        editor=_editor(place, draft, check),
        check=check,
        failed=failed,
    )
    return respond(request, page, status)


def _editor(place: Place, draft: Draft, check: Check) -> Editor:
    step, recorded = place.step, place.recorded
    calls = tuple(
        CallForm(index, call, call_fields(call, recorded), call.name in recorded.tools)
        for index, call in enumerate(draft.calls)
    )
    return Editor(
        run_id=place.run.id,
        n=step.n,
        heading=title(
            step,
            place.outline.agent_name(step.n),
            [str(part.get("name")) for part in recorded.calls],
        ),
        is_model=recorded.is_model,
        draft=draft,
        calls=calls,
        offered=tuple(recorded.tools),
        kept=len(recorded.kept),
        tools=_tool_choices(place, draft),
        needs_program=bool(check.refusal or draft.program),
        served=step.n - 1,
        failures=FAILURES,
    )


def _check(place: Place, draft: Draft) -> Check:
    result = forked(draft, place.recorded)
    planned, refusal = _plan(place, draft, result)
    shown = {problem.message for problem in result.problems}
    warnings = [text for text in planned.warnings if text not in shown] if planned else []
    return Check(
        problems=result.problems,
        warnings=tuple(warnings),
        refusal=refusal,
        changes=result.changes,
        error=dict(FAILURES).get(draft.failure, draft.failure) if draft.mode == "error" else "",
        unchanged=result.unchanged,
        after=_after(place),
        command=planned.command if planned else "",
        button=_button(result),
        blocked=result.blocked,
    )


def _plan(place: Place, draft: Draft, result: Forked) -> tuple[Plan | None, str]:
    if result.substitute is None:
        return None, ""
    try:
        return plan(place.store, spec(place.run, place.step, draft, result.substitute)), ""
    except CannotReplayError as error:
        return None, str(error)
    except TracerError as error:
        return None, str(error)


def _button(result: Forked) -> str:
    if any(not problem.blocks for problem in result.problems):
        return "Run fork with these problems"
    return "Re-run unchanged" if result.unchanged else "Run fork"


def _after(place: Place) -> After:
    steps = place.store.steps(place.run.id, first=place.step.n + 1)
    models = [step for step in steps if step.kind == "model"]
    counts = [
        (step.usage.input_tokens or 0) + (step.usage.output_tokens or 0)
        for step in models
        if step.usage is not None
    ]
    costs = [step.cost_usd for step in models if step.cost_usd is not None]
    free = sum(step.kind == "tool" and step.effect in ("read", "local") for step in steps)
    return After(
        steps=len(steps),
        model_calls=plural(len(models), "model call"),
        tokens=number(sum(counts)) if counts else "",
        cost=cost(sum(costs)) if costs else "",
        free_tools=plural(free, "tool execution") if free else "",
    )


def _with_policies(place: Place, draft: Draft) -> Draft:
    """The draft with the careful choice for every tool that may change the world."""
    policies = {choice.name: "recorded" for choice in _tool_choices(place, draft)}
    return replace(draft, policies=policies)


def _tool_choices(place: Place, draft: Draft) -> tuple[ToolChoice, ...]:
    """Tools that may change the world: those that ran and aren't known to be harmless, and those
    a model was offered and never asked for, of which nothing is known."""
    effects: dict[str, int] = {}
    known, offered = set[str](), dict[str, None]()
    for step in place.store.steps(place.run.id):
        if step.kind == "tool":
            known.add(step.name)
            if step.effect not in ("read", "local"):
                effects[step.name] = effects.get(step.name, 0) + (step.n > place.step.n)
        elif step.kind == "model":
            names = step.detail.get("tools_offered")
            offered |= dict.fromkeys(map(str, names if isinstance(names, list) else ()))
            # A tool that was asked for without ever running is only a form of answer.
            known |= {name for name in offered if f"{name}(" in step.summary}
    effects |= {name: 0 for name in offered if name not in known}
    return tuple(
        ToolChoice(
            name,
            count,
            draft.policies.get(name, "recorded"),
            draft.stubs.get(name, "null"),
            draft.confirmed.get(name, ""),
        )
        for name, count in list(effects.items())[:40]
    )
