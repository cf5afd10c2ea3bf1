"""From a draft to a re-execution: the substitute, what is wrong with it, what it changes. Pure."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tracer_ui.api import (
    ReplaySpec,
    Run,
    Step,
    Substitute,
    UsageError,
    json_changes,
    parse_break,
    schema_problems,
    text_diff,
)
from tracer_ui.drafts import (
    CallDraft,
    Draft,
    Problem,
    Recorded,
    call_arguments,
)
from tracer_ui.jsonlines import clip, dump
from tracer_ui.schemaforms import BadField

WAIT_MINUTES = 10.0  # for an answer, when no page of the run is open
_AFTER: tuple[Literal["live", "recorded", "ask"], ...] = ("live", "recorded", "ask")
_SHOWN = 30
_SPANS = 400


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a diff: `same`, `old` (only recorded) or `new` (only given now)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One place that differs from the recording."""

    path: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Forked:
    """What a draft comes to. `substitute` is None while a problem blocks it."""

    substitute: Substitute | None
    problems: tuple[Problem, ...]
    changes: tuple[ChangeView, ...]
    unchanged: bool

    @property
    def blocked(self) -> bool:
        """Whether something must be mended before it can run."""
        return any(problem.blocks for problem in self.problems)


def forked(draft: Draft, recorded: Recorded) -> Forked:
    """Read a draft against the recording."""
    problems = [*_policy_problems(draft)]
    if draft.mode == "error" and recorded.is_model:
        return _done(Substitute("error", error=draft.failure), problems, ())
    if not recorded.is_model:
        return _result(draft, recorded, problems)
    calls: list[dict[str, Any]] = []
    for index, call in enumerate(draft.calls):
        _read_call(index, call, recorded, calls, problems)
    changes = _answer_changes(draft, recorded, calls)
    return _done(_said(draft, recorded, calls), problems, changes, unchanged=not changes)


def spec(run: Run, step: Step, draft: Draft, substitute: Substitute) -> ReplaySpec:
    """What is asked of tracer. Raises ValueError for a program that can't be split into words."""
    words = shlex.split(draft.program)
    function = words[0] if len(words) == 1 and _is_function(words[0]) else None
    policies = {
        name: f"stub:{draft.stubs.get(name, 'null')}" if policy == "stub" else policy
        for name, policy in draft.policies.items()
    }
    return ReplaySpec(
        run_id=run.id,
        step=step.n,
        substitute=substitute,
        after=next((word for word in _AFTER if word == draft.after), "live"),
        tools=policies,
        script=tuple(words) if words and function is None else None,
        function=function,
        max_live_calls=int(draft.max_live) if _is_count(draft.max_live) else 100,
        reason=draft.reason or None,
        breaks=breaks_of(draft),
        wait_minutes=WAIT_MINUTES,
    )


def breaks_of(draft: Draft) -> tuple[str, ...]:
    """The breakpoints, as they are written on the command line."""
    return tuple(line.strip() for line in draft.breaks.splitlines() if line.strip())


def _is_function(word: str) -> bool:
    return ":" in word and not word.endswith(".py")


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _done(
    substitute: Substitute,
    problems: list[Problem],
    changes: tuple[ChangeView, ...],
    *,
    unchanged: bool = False,
) -> Forked:
    blocked = any(problem.blocks for problem in problems)
    return Forked(None if blocked else substitute, tuple(problems), changes, unchanged)


def _result(draft: Draft, recorded: Recorded, problems: list[Problem]) -> Forked:
    try:
        value = json.loads(draft.result)
    except (ValueError, RecursionError) as error:
        message = f"This is not JSON: {clip(str(error), 120)}. Text needs double quotes around it."
        problems.append(Problem("result", message, True))
        return _done(Substitute("result"), problems, ())
    changes = _views(json_changes(recorded.result, value, limit=_SHOWN))
    return _done(Substitute("result", result=value), problems, changes, unchanged=not changes)


def _read_call(
    index: int,
    call: CallDraft,
    recorded: Recorded,
    calls: list[dict[str, Any]],
    problems: list[Problem],
) -> None:
    where = f"call.{index}.json" if call.as_json else f"call.{index}.name"
    if not call.name:
        problems.append(Problem(f"call.{index}.name", f"Call {index + 1} names no tool.", True))
        return
    try:
        arguments = call_arguments(call, recorded.tools.get(call.name))
    except BadField as error:
        problems.append(Problem(where, f"Call {index + 1}, {call.name}: {error}.", True))
        return
    if call.name not in recorded.tools:
        message = f"The model was offered no tool named {call.name}."
        problems.append(Problem(f"call.{index}.name", message, False))
    for problem in schema_problems(call.name, arguments, recorded.tools.get(call.name)):
        problems.append(Problem(_place(index, call, problem), problem, False))
    made = {"type": "tool_call", "name": call.name, "arguments": arguments}
    calls.append({**made, "id": call.id} if call.id else made)


def _place(index: int, call: CallDraft, problem: str) -> str:
    """Id of the field a schema problem ("tool: start: …") is about."""
    if call.as_json:
        return f"call.{index}.json"
    name = problem.removeprefix(f"{call.name}: ").split(":", 1)[0].split(".", 1)[0]
    return f"call.{index}.f.{name}" if name in call.values else f"call.{index}.name"


def _said(draft: Draft, recorded: Recorded, calls: list[dict[str, Any]]) -> Substitute:
    if not calls and not any(part.get("type") != "reasoning" for part in recorded.kept):
        return Substitute("text", text=draft.text)
    if len(calls) == 1 and len(recorded.calls) <= 1 and draft.text == recorded.text:
        call = calls[0]
        same = not recorded.calls or recorded.calls[0].get("name") == call["name"]
        if same:
            return Substitute("tool_call", tool_name=call["name"], arguments=call["arguments"])
    text = [{"type": "text", "content": draft.text}] if draft.text else []
    message = {
        "role": "assistant",
        "parts": [*recorded.kept, *text, *calls],
        "finish_reason": "tool_call" if calls else "stop",
    }
    return Substitute("response", response=message)


def _answer_changes(
    draft: Draft, recorded: Recorded, calls: list[dict[str, Any]]
) -> tuple[ChangeView, ...]:
    found: list[ChangeView] = []
    if draft.text != recorded.text:
        found.append(ChangeView("text", _pieces(recorded.text, draft.text)))
    before = [_bare(part) for part in recorded.calls]
    after = [_bare(part) for part in calls]
    return (*found, *_views(json_changes(before, after, limit=_SHOWN, path="calls")))


def _bare(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": part.get("name"), "arguments": part.get("arguments")}


def _views(changes: Any) -> tuple[ChangeView, ...]:
    return tuple(change_view(change) for change in changes)


def change_view(change: Any, whole: str = "value") -> ChangeView:
    """A change of a JSON value as pieces: two texts by words, anything else whole.

    `whole` names the value itself, where the path is empty.
    """
    path = clip(change.path or whole, 200)
    old, new = change.old, change.new
    if not change.added and not change.removed and isinstance(old, str) and isinstance(new, str):
        return ChangeView(path, _pieces(old, new))
    pieces = [] if change.added else [Piece("old", clip(dump(old), 1000))]
    if not change.removed:
        pieces.append(Piece("new", clip(dump(new), 1000)))
    return ChangeView(path, tuple(pieces))


def _pieces(old: str, new: str) -> tuple[Piece, ...]:
    spans = text_diff(old[:40_000], new[:40_000])[:_SPANS]
    return tuple(_piece(span.kind, span.text) for span in spans)


def _piece(kind: str, text: str) -> Piece:
    if kind == "same" and len(text) > 240:
        return Piece(kind, f"{text[:100]} … {text[-100:]}")
    return Piece(kind, clip(text, 2000))


def _policy_problems(draft: Draft) -> list[Problem]:
    problems: list[Problem] = []
    for name, policy in draft.policies.items():
        if policy == "live" and draft.confirmed.get(name, "").strip() != name:
            message = f"{name} would really be called: type its name to confirm."
            problems.append(Problem(f"confirm.{name}", message, True))
        if policy == "stub":
            try:
                json.loads(draft.stubs.get(name, ""))
            except (ValueError, RecursionError):
                message = f"The value for {name} is not JSON."
                problems.append(Problem(f"stub.{name}", message, True))
    if not _is_count(draft.max_live):
        problems.append(Problem("max_live", "The number of live calls must be a number.", True))
    for text in breaks_of(draft):
        try:
            parse_break(text)
        except UsageError as error:
            said = str(error).removeprefix("--break ")
            problems.append(Problem("breaks", f"Breakpoint {clip(said, 200)}", True))
    try:
        shlex.split(draft.program)
    except ValueError:
        problems.append(Problem("program", "A quotation mark in the program is not closed.", True))
    return problems
