"""An answer as it is typed at a terminal: a letter, and JSON or words behind it. Pure."""

import json
from typing import Any

from tracer.core.questions import Question
from tracer.errors import UsageError
from tracer.providers.editing import Edit
from tracer.reexecution.resolution import Resolution
from tracer.reexecution.substitute import Substitute, is_message

GOES = {
    "live": "it would be done for real",
    "recorded": "it would get the recorded answer",
    "stubbed": "it would get its stub",
    "blocked": "it would be blocked",
    "stopped": "it would end the run",
}
_LETTERS = {"c", "e", "a", "f", "b", "s"}
_WORDS = {"continue", "edit", "answer", "fail", "block", "stop"}


def resolution_of(question: Question, word: str, rest: str, by: str) -> Resolution:
    """`c`, `e JSON`, `a JSON-or-text`, `f KIND`, `b`, `s`; or whole words. Raises UsageError."""
    letter = word.lower()[:1] if word.lower() in _LETTERS | _WORDS else ""
    if letter == "c":
        return Resolution("continue", by)
    if letter == "s":
        return Resolution("stop", by)
    if letter == "b":
        return Resolution("block", by)
    if letter == "e":
        return _edit(question, rest, by)
    if letter == "f":
        kind = rest or ("server_error" if question.kind in ("model", "http") else "RuntimeError: ")
        return Resolution("answer", by, substitute=Substitute("error", error=kind))
    if letter == "a":
        return Resolution("answer", by, substitute=_substitute(question, rest))
    raise UsageError("type c, e, a, f, b or s")


def _edit(question: Question, text: str, by: str) -> Resolution:
    given = _json(text)
    if not isinstance(given, dict):
        raise UsageError("write a JSON object, as it is shown above")
    if question.kind != "model":
        return Resolution("continue", by, arguments=given)
    return Resolution("continue", by, edit=edit_of(given))


def edit_of(given: dict[str, Any]) -> Edit:
    """What is to be asked otherwise of a model. Raises UsageError."""
    unknown = [name for name in given if name not in ("model", "temperature", "system")]
    if unknown:
        raise UsageError(f"{unknown[0]} can't be edited: model, temperature and system can")
    model, system = given.get("model"), given.get("system")
    temperature = given.get("temperature")
    if isinstance(temperature, bool) or not isinstance(temperature, int | float | None):
        raise UsageError("temperature must be a number")
    return Edit(
        None if model is None else str(model),
        None if temperature is None else float(temperature),
        None if system is None else str(system),
    )


def _substitute(question: Question, text: str) -> Substitute:
    if question.kind != "model":
        return Substitute("result", result=_json(text))
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return Substitute("text", text=text)
    if is_message(given):
        return Substitute("response", response=given)
    if isinstance(given, dict) and isinstance(given.get("tool"), str):
        arguments = given.get("arguments", {})
        return Substitute("tool_call", tool_name=given["tool"], arguments=arguments)
    if question.can("result") and not isinstance(given, str):
        return Substitute("result", result=given)
    return Substitute("text", text=given if isinstance(given, str) else text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"this is not JSON ({error}): text needs double quotes") from None
