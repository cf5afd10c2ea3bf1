"""What the fork editor shows: the form, the check beside it, the tools one must decide about."""

from dataclasses import dataclass, replace

from tracer_ui.api import Plan, Run, Step, Store, TracerError, plan
from tracer_ui.drafts import FAILURES, CallDraft, Draft, Problem, Recorded, call_fields
from tracer_ui.forking import ChangeView, Forked, forked, spec
from tracer_ui.formats import cost, number, plural
from tracer_ui.outline import Outline
from tracer_ui.schemaforms import Field
from tracer_ui.stepviews import title


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
    drafting: str
    fixed: bool = False  # the arguments of one tool, which no button adds to


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fork is made: a step, what was recorded there, and the run around it."""

    store: Store
    run: Run
    step: Step
    outline: Outline
    recorded: Recorded


def make_editor(place: Place, draft: Draft, check: Check) -> Editor:
    """The form, holding a draft."""
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
        drafting=f"/runs/{place.run.id}/steps/{step.n}/fork/draft",
    )


def make_check(place: Place, draft: Draft) -> Check:
    """What a draft comes to; nothing is run."""
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


def with_policies(place: Place, draft: Draft) -> Draft:
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
