"""What a re-execution asks, as its page shows it, and what a posted form answers. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tracer_ui.api import Edit, Question, Resolution, Substitute, UsageError, first_new
from tracer_ui.blocks import Block, Room, value_block
from tracer_ui.drafts import (
    FAILURES,
    CallDraft,
    Draft,
    Recorded,
    call_arguments,
    call_fields,
    draft_call,
    edited,
    read_form,
)
from tracer_ui.editor import CallForm
from tracer_ui.forking import forked
from tracer_ui.jsonlines import clip
from tracer_ui.messages import MessageView, message_views
from tracer_ui.schemaforms import BadField

GOES = {
    "live": "If you continue, it is done for real.",
    "recorded": "If you continue, it gets the recorded answer.",
    "stubbed": "If you continue, it gets the value chosen for it.",
    "blocked": "If you continue, it is blocked.",
    "stopped": "If you continue, the run ends here.",
}


@dataclass(frozen=True, slots=True)
class QuestionEditor:
    """The tool calls of a question's form, see `_fork_calls.html`. `fixed`: the arguments of the
    one tool that asks."""

    drafting: str
    draft: Draft
    calls: tuple[CallForm, ...]
    offered: tuple[str, ...]
    fixed: bool


@dataclass(frozen=True, slots=True)
class QuestionView:
    """An open question and the form that answers it.

    `messages` are what is new in a model's request, `earlier` counts the others; `given` is what
    anything else asks, where no form shows it. `more`: questions that wait behind it. `can`: the
    parts of the form; `model`, `temperature` and `system` hold what was typed there.
    """

    run_id: str
    id: str
    base: str
    kind: str
    name: str
    why: str
    goes: str
    problem: str
    failed: str
    more: int
    messages: tuple[MessageView, ...]
    earlier: int
    given: Block | None
    editor: QuestionEditor
    can: tuple[str, ...]
    asked_model: str
    model: str
    temperature: str
    system: str
    error: str
    failures: tuple[tuple[str, str], ...]


def question_view(
    question: Question,
    form: Mapping[str, str] | None = None,
    *,
    failed: str = "",
    more: int = 0,
    do: str = "",
) -> QuestionView:
    """A question with the form as it opens, or as it was posted and after a button of it."""
    draft = first_draft(question) if form is None else read_form(form)
    draft = edited(draft, asked_tools(question), do) if do else draft
    given = {} if form is None else form
    asked = question.about.get("asked")
    request = asked if question.kind == "model" and isinstance(asked, dict) else {}
    messages = request.get("messages")
    shown = messages if isinstance(messages, list) else []
    new = first_new(shown)
    room = Room(chars=8_000, lines=120)
    base = f"/runs/{question.run_id}/questions/{question.id}"
    fields = question.can("arguments")
    return QuestionView(
        run_id=question.run_id,
        id=question.id,
        base=base,
        kind=question.kind,
        name=clip(str(request.get("model") or question.name), 120),
        why=clip(", ".join(question.why), 300),
        goes=GOES.get(str(question.about.get("goes")), ""),
        problem=clip(str(question.about.get("problem") or ""), 400),
        failed=failed,
        more=more,
        messages=message_views(shown, room, "in", chosen=range(new, len(shown))),
        earlier=new,
        given=None if fields or shown else value_block(asked, room),
        editor=question_editor(question, draft),
        can=tuple(word for word in _CAN if question.can(word)),
        asked_model=clip(str(request.get("model") or ""), 120),
        model=given.get("model", "")[:200],
        temperature=given.get("temperature", "")[:20],
        system=given.get("system", "").replace("\r\n", "\n"),
        error=given.get("error", "")[:500],
        failures=FAILURES,
    )


_CAN = ("arguments", "request", "say", "result", "block")


def question_editor(question: Question, draft: Draft) -> QuestionEditor:
    """The calls of a question's form, holding a draft."""
    recorded = asked_tools(question)
    calls = tuple(
        CallForm(index, call, call_fields(call, recorded), call.name in recorded.tools)
        for index, call in enumerate(draft.calls)
    )
    return QuestionEditor(
        drafting=f"/runs/{question.run_id}/questions/{question.id}/draft",
        draft=draft,
        calls=calls,
        offered=tuple(recorded.tools),
        fixed=question.can("arguments"),
    )


def asked_tools(question: Question) -> Recorded:
    """What the form is measured against: the arguments as they were asked, or the tools offered."""
    asked = question.about.get("asked")
    if question.can("arguments"):
        part = {"name": question.name, "arguments": asked, "id": "asked"}
        tools = {question.name: question.about.get("schema")}
        return Recorded(True, "", (part,), (), None, tools)
    offered = asked.get("tools") if isinstance(asked, dict) and question.kind == "model" else None
    known = [tool for tool in offered or () if isinstance(tool, dict) and tool.get("name")]
    tools = {str(tool["name"]): tool.get("parameters") for tool in known}
    return Recorded(question.kind == "model", "", (), (), None, tools)


def first_draft(question: Question) -> Draft:
    """The form as it opens: what was asked, and no answer."""
    mode: Literal["say", "result"] = "say" if question.kind == "model" else "result"
    if not question.can("arguments"):
        return Draft(mode, result="null")
    schema = question.about.get("schema")
    call = draft_call(question.name, "asked", question.about.get("asked"), schema, as_json=False)
    return Draft(mode, calls=(call,), result="null")


def resolution_of(question: Question, form: Mapping[str, str], do: str) -> Resolution:
    """What a posted form answers. Raises UsageError with what is wrong in it."""
    draft = read_form(form)
    if do == "block":
        return Resolution("block", "page")
    if do == "stop":
        return Resolution("stop", "page")
    if do == "fail":
        if question.kind in ("model", "http"):
            return _answer(Substitute("error", error=draft.failure))
        return _answer(Substitute("error", error=form.get("error", "").strip() or "RuntimeError:"))
    if do == "answer":
        return _answer(_in_place(question, draft))
    if do == "continue":
        return _going_on(question, form, draft)
    raise UsageError("Choose one of the buttons: continue, answer, fail, block or stop.")


def _answer(substitute: Substitute) -> Resolution:
    return Resolution("answer", "page", substitute=substitute)


def _in_place(question: Question, draft: Draft) -> Substitute:
    if question.kind != "model":
        return Substitute("result", result=_json(draft.result, "The result"))
    made = forked(draft, asked_tools(question))
    if made.substitute is None:
        blocking = [problem.message for problem in made.problems if problem.blocks]
        raise UsageError(" ".join(blocking))
    return made.substitute


def _going_on(question: Question, form: Mapping[str, str], draft: Draft) -> Resolution:
    if question.can("arguments") and draft.calls:
        return Resolution("continue", "page", arguments=_arguments(question, draft.calls[0]))
    if not question.can("request"):
        return Resolution("continue", "page")
    words = form.get("temperature", "").strip()
    try:
        temperature = float(words) if words else None
    except ValueError:
        raise UsageError(f"The temperature {clip(words, 40)} is no number.") from None
    edit = Edit(
        form.get("model", "").strip() or None,
        temperature,
        form.get("system", "").replace("\r\n", "\n") or None,
    )
    return Resolution("continue", "page", edit=edit)


def _arguments(question: Question, call: CallDraft) -> dict[str, Any]:
    try:
        made = call_arguments(call, question.about.get("schema"))
    except BadField as error:
        raise UsageError(f"{question.name}: {error}.") from None
    if not isinstance(made, dict):
        raise UsageError("The arguments must be a JSON object.")
    return made


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        said = clip(str(error), 120)
        raise UsageError(f"{what} is not JSON: {said}. Text needs double quotes.") from None
