"""A step that waits for whoever watches: the question it puts, and what is made of the answer."""

import json
import time
from dataclasses import replace
from typing import Any

from tracer.capture.boundary import Call, Decision, new_step_id
from tracer.core.diff import json_changes
from tracer.core.questions import Question
from tracer.core.records import JSON
from tracer.errors import PolicyStop, UsageError
from tracer.providers.editing import Edit, edited, is_editable
from tracer.reexecution.afterwards import Afterwards, Course
from tracer.reexecution.resolution import Resolution, check, differences

_DID = {"continue": "continued", "answer": "answered"}
_SHOWN_CHANGES = 20


class Asked:
    """A decision that is pending. `why`: the breakpoints that are met."""

    def __init__(
        self,
        after: Afterwards,
        call: Call,
        course: Course,
        why: list[str],
        run_id: str,
        fingerprint: str,
    ) -> None:
        self._after = after
        self._call = call
        self._course = course
        self._why = why
        self._run_id = run_id
        self._fingerprint = fingerprint

    def settle(self) -> Decision:
        """See `Pending`."""
        channel, problem = self._after.channel, ""
        assert channel is not None
        while True:
            question = self._question(problem)
            try:
                return self._resolved(question, channel.ask(question))
            except (UsageError, ValueError) as error:
                problem = str(error)

    async def settle_async(self) -> Decision:
        """See `Pending`."""
        channel, problem = self._after.channel, ""
        assert channel is not None
        while True:
            question = self._question(problem)
            try:
                return self._resolved(question, await channel.ask_async(question))
            except (UsageError, ValueError) as error:
                problem = str(error)

    def _question(self, problem: str) -> Question:
        call, course = self._call, self._course
        with self._after.lock:
            kept = self._after.clean(call)
            asked = asked_json(self._after, kept)
            about: dict[str, JSON] = {
                "asked": asked,
                "why": self._why,
                "goes": course.goes,
                "can": _can(call),
            }
            if call.kind == "tool":
                about["schema"] = self._after.schema(call.name)
            if problem:
                about["problem"] = problem
            about = self._after.clean_json(about)
        return Question(self._run_id, new_step_id(), call.kind, kept.name, time.time_ns(), about)

    def _resolved(self, question: Question, given: Resolution | None) -> Decision:
        """What an answer comes to. Raises UsageError or ValueError where it can't be done."""
        after, call = self._after, self._call
        with after.lock:
            if given is None:
                raise self._given_up()
            check(question, given)
            detail: dict[str, JSON] = {
                "why": self._why,
                "did": _DID.get(given.do, given.do),
                "by": given.by,
                "waited_ms": (time.time_ns() - question.asked_ns) // 1_000_000,
            }
            if given.do == "stop":
                where = f"{call.kind} {call.name}"
                raise after.stop(PolicyStop(f"the run was stopped by hand, before {where}"))
            if given.do == "block":
                after.by_hand.append(f"{call.kind} {call.name} was blocked by hand")
                after.block(call, "(by hand)")
            if given.do == "answer":
                decision = self._in_place(given)
            else:
                decision = self._going_on(question, given, detail)
            return replace(decision, detail={**decision.detail, "asked": detail})

    def _given_up(self) -> BaseException:
        after, call = self._after, self._call
        channel = after.channel
        assert channel is not None
        minutes = channel.patience / 60
        waited = f"nobody answered within {minutes:g} minute{'' if minutes == 1 else 's'}"
        met = [reason.removeprefix("breakpoint ") for reason in self._why]
        return after.unattended(call, self._course, met, waited)

    def _in_place(self, given: Resolution) -> Decision:
        after, call = self._after, self._call
        assert given.substitute is not None
        like = after.tape.named(call.kind, call.name)
        answer = after.answers.in_place(call, given.substitute, like)
        after.held.given(call, answer)
        after.gate.open()
        return Decision(answer, "substituted", fingerprint=self._fingerprint)

    def _going_on(self, question: Question, given: Resolution, detail: dict[str, JSON]) -> Decision:
        after, call = self._after, self._call
        if given.arguments is not None:
            changed, removed = differences(question, given.arguments)
            if changed or removed:
                self._no_going_live("edited arguments")
                assert call.edit is not None
                call.edit(changed, removed)
                shown = question.about.get("asked")
                detail["did"] = "edited"
                detail["changes"] = _changes(shown, given.arguments)
                return after.live_tool(call, self._fingerprint)
        if not given.edit.is_empty:
            self._no_going_live("an edited request")
            assert call.request is not None and call.api is not None
            call.request = edited(call.api.name, call.request, given.edit)
            detail["did"] = "edited"
            detail["changes"] = _edits(given.edit)
            return after.live_model(call, self._fingerprint)
        return self._course.proceed()

    def _no_going_live(self, what: str) -> None:
        if self._after.rules.after == "recorded":
            raise UsageError(
                f"{what} would go live, and --after recorded answers only from the recording"
            )


def asked_json(after: Afterwards, kept: Call) -> JSON:
    """What a call without secrets asks, for people: arguments by name, or messages and tools."""
    if kept.document is not None:
        return after.answers.asking_function(kept)
    return after.answers.asking(kept)


def _can(call: Call) -> list[str]:
    """What may be answered (see `Resolution`)."""
    can = ["continue"]
    if call.edit is not None:
        can.append("arguments")
    if call.kind == "model":
        if call.api is not None and call.editable and is_editable(call.api.name):
            can.append("request")
        can += ["say"] if call.api is None or call.api.operation == "chat" else []
        can += ["result"] if call.request is None else []
    else:
        can += ["result", "block"]
    return [*can, "error", "stop"]


def _changes(before: Any, after: Any) -> JSON:
    found = json_changes(before, after, limit=_SHOWN_CHANGES)
    return [
        [
            change.path,
            None if change.added else _short(change.old),
            None if change.removed else _short(change.new),
        ]
        for change in found
    ]


def _edits(edit: Edit) -> JSON:
    return [[name, None, _short(value)] for name, value in edit.as_json().items()]


def _short(value: Any) -> JSON:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 500 else text[:500] + "…"
