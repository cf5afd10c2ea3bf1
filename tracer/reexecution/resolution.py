"""What somebody answers to a question of a re-execution: go on, otherwise, instead, or not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from tracer.core.questions import Question
from tracer.errors import UsageError
from tracer.providers.editing import Edit
from tracer.reexecution.substitute import Substitute, failure_kind
from tracer.store.writing import StoreWriter

Do = Literal["continue", "answer", "block", "stop"]
_REDACTED = "[redacted"
# What a substitute needs a question to allow.
_NEEDED = {
    "text": "say",
    "tool_call": "say",
    "response": "say",
    "result": "result",
    "error": "error",
}


@dataclass(frozen=True, slots=True)
class Resolution:
    """One answer. "continue": as the code asked, or with other `arguments` (all of them, by name)
    or an `edit` of the request; "answer": `substitute` in its place. `by`: from where it came."""

    do: Do
    by: str = ""
    arguments: dict[str, Any] | None = None
    edit: Edit = field(default_factory=Edit)
    substitute: Substitute | None = None

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        found: dict[str, Any] = {"do": self.do, "by": self.by}
        if self.arguments is not None:
            found["arguments"] = self.arguments
        if not self.edit.is_empty:
            found["edit"] = self.edit.as_json()
        if self.substitute is not None:
            found["substitute"] = self.substitute.as_json()
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Resolution":
        """From `as_json`. Raises UsageError for what is none."""
        try:
            do = data["do"]
            if do not in ("continue", "answer", "block", "stop"):
                raise ValueError(do)
            given = data.get("substitute")
            return cls(
                cast(Do, do),
                str(data.get("by") or ""),
                None if data.get("arguments") is None else dict(data["arguments"]),
                Edit(**(data.get("edit") or {})),
                None if given is None else Substitute.from_json(dict(given)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"this is no answer to a question ({error}): answer again") from None


def check(question: Question, resolution: Resolution) -> None:
    """Raise UsageError for an answer that the question has no use for."""
    given = resolution.substitute
    if resolution.do == "answer":
        if given is None or given.kind == "again":
            raise UsageError(
                "give what is to be answered: a text, a tool call, a result or an error"
            )
        if not question.can(_NEEDED[given.kind]):
            raise UsageError(f"a {question.kind} step can't be answered with a {given.kind}")
        if given.kind == "error" and question.kind in ("model", "http"):
            failure_kind(given.error or "")
    elif resolution.do == "block" and not question.can("block"):
        raise UsageError(
            "a model call can't be blocked alone: stop the run, or answer with an error"
        )
    if resolution.arguments is not None:
        if not question.can("arguments"):
            raise UsageError("these arguments can't be edited: answer in the step's place instead")
        changed, _ = differences(question, resolution.arguments)
        if _REDACTED in str(changed):
            raise UsageError(
                "an edited argument holds [redacted…], which the tool would be given as it stands: "
                "write the value out, or leave that argument as it was"
            )
    if not resolution.edit.is_empty and not question.can("request"):
        raise UsageError("this request can't be asked otherwise: answer in its place instead")


def differences(
    question: Question, arguments: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Which arguments are others than those shown, and the names of those left out."""
    shown = question.about.get("asked")
    before = shown if isinstance(shown, dict) else {}
    changed = {
        name: value
        for name, value in arguments.items()
        if name not in before or before[name] != value or type(before[name]) is not type(value)
    }
    return changed, [name for name in before if name not in arguments]


def answer_question(database: Path, question: Question, resolution: Resolution) -> bool:
    """Answer a question; False where somebody else was first, or it was given up.

    Raises UsageError for an answer it has no use for, StoreError.
    """
    check(question, resolution)
    writer = StoreWriter(database)
    try:
        return writer.end_question(question.id, resolution.as_json())
    finally:
        writer.close()


def watch_questions(database: Path, run_id: str) -> None:
    """Say that somebody is there to answer what a run asks: it waits on. Raises StoreError."""
    writer = StoreWriter(database)
    try:
        writer.seen_questions(run_id)
    finally:
        writer.close()
