"""What a person has typed into the fork editor, whole or half done, and what it asks for. Pure.

A draft is made from the recording or from a posted form, and shown again as it is, so nothing
typed is lost. Names of form fields: `text`, `call.0.name`, `call.0.f.start`, `tool.send_email` ….
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tracer_ui.messages import parts_of
from tracer_ui.schemaforms import WIDGETS, BadField, Field, fields_for, read_field

Mode = Literal["say", "error", "result"]
POLICIES = ("recorded", "ask", "block", "stub", "live")
FAILURES = (
    ("rate_limit", "Rate limit (429)"),
    ("server_error", "Server error (500)"),
    ("timeout", "Timeout, no answer"),
    ("connection_reset", "Connection reset"),
    ("cut_stream", "Answer cut off in the middle"),
    ("invalid_json", "Answer that is not JSON"),
)
MAX_CALLS = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a field; `field` is its id in the form. `blocks`: can't be run so."""

    field: str
    message: str
    blocks: bool


@dataclass(frozen=True, slots=True)
class CallDraft:
    """One tool call. `values` are the form's fields by name (widget, text); `json` the box.

    `as_json` tells which of the two counts. `id` is the recorded call's.
    """

    name: str
    id: str = ""
    as_json: bool = False
    values: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    json: str = "{}"


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything in the form."""

    mode: Mode
    text: str = ""
    calls: tuple[CallDraft, ...] = ()
    failure: str = "rate_limit"
    result: str = ""
    reason: str = ""
    after: str = "live"
    max_live: str = "100"
    policies: Mapping[str, str] = field(default_factory=dict)
    stubs: Mapping[str, str] = field(default_factory=dict)
    confirmed: Mapping[str, str] = field(default_factory=dict)
    program: str = ""
    breaks: str = ""  # one condition a line


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the step said or returned in the recording. `tools`: schema of each offered tool."""

    is_model: bool
    text: str
    calls: tuple[dict[str, Any], ...]
    kept: tuple[dict[str, Any], ...]
    result: Any
    tools: Mapping[str, Any]


def recorded_answer(message: Any, tools: list[dict[str, Any]]) -> Recorded:
    """The recorded answer of a model call, taken apart for editing.

    `kept` are parts that can't be edited here (reasoning, media): they stay as they are.
    """
    parts = [] if message is None else parts_of(message)
    texts = [str(part.get("content") or "") for part in parts if part.get("type") == "text"]
    return Recorded(
        True,
        "\n".join(texts),
        tuple(part for part in parts if part.get("type") == "tool_call"),
        tuple(part for part in parts if part.get("type") not in ("text", "tool_call")),
        None,
        {str(tool.get("name")): tool.get("parameters") for tool in tools if tool.get("name")},
    )


def recorded_result(value: Any) -> Recorded:
    """The recorded result of a tool execution."""
    return Recorded(False, "", (), (), value, {})


def first_draft(recorded: Recorded) -> Draft:
    """The form as it opens: the recording unchanged."""
    if not recorded.is_model:
        text = json.dumps(recorded.result, ensure_ascii=False, indent=2, default=repr)
        return Draft("result", result=text)
    calls = tuple(_from_part(part, recorded.tools) for part in recorded.calls[:MAX_CALLS])
    return Draft("say", text=recorded.text, calls=calls)


def _from_part(part: Mapping[str, Any], tools: Mapping[str, Any]) -> CallDraft:
    name, arguments = str(part.get("name") or ""), part.get("arguments")
    return draft_call(name, str(part.get("id") or ""), arguments, tools.get(name), as_json=False)


def draft_call(name: str, call_id: str, arguments: Any, schema: Any, *, as_json: bool) -> CallDraft:
    """A call with given arguments, as form fields where the schema allows it."""
    text = json.dumps(arguments, ensure_ascii=False, indent=2, default=repr)
    fields = fields_for(schema, arguments, {}) if isinstance(arguments, Mapping) else None
    values = {f.name: (f.widget, f.value) for f in fields or ()}
    return CallDraft(name, call_id, as_json or fields is None, values, text)


def call_arguments(call: CallDraft, schema: Any) -> Any:
    """The arguments a draft stands for. Raises BadField."""
    if call.as_json:
        return read_field("json", call.json)
    required = schema.get("required") if isinstance(schema, dict) else None
    needed = set(map(str, required)) if isinstance(required, list) else set()
    arguments: dict[str, Any] = {}
    for name, (widget, text) in call.values.items():
        if text == "" and (widget != "text" or name not in needed):
            continue
        try:
            arguments[name] = read_field(widget, text)
        except BadField as error:
            raise BadField(f"{name}: {error}") from None
    return arguments


def call_fields(call: CallDraft, recorded: Recorded) -> tuple[Field, ...] | None:
    """The form fields of a call, holding what was typed; None where only JSON will do."""
    schema = recorded.tools.get(call.name)
    try:
        arguments = call_arguments(call, schema)
    except BadField:
        arguments = {}
    if not isinstance(arguments, Mapping):
        return None
    fields = fields_for(schema, arguments, _recorded_arguments(call, recorded))
    if fields is None or call.as_json:
        return fields
    return tuple(_as_typed(f, call) for f in fields)


def _as_typed(made: Field, call: CallDraft) -> Field:
    widget, value = call.values.get(made.name, (made.widget, made.value))
    known = next((w for w in WIDGETS if w == widget), made.widget)
    return replace(made, widget=known if known != "choice" or made.choices else "json", value=value)


def _recorded_arguments(call: CallDraft, recorded: Recorded) -> Mapping[str, Any]:
    for part in recorded.calls:
        if call.id and part.get("id") == call.id and part.get("name") == call.name:
            arguments = part.get("arguments")
            return arguments if isinstance(arguments, Mapping) else {}
    return {}


def edited(draft: Draft, recorded: Recorded, do: str) -> Draft:
    """The draft after a button of the form: add, remove.N, json.N, form.N, tool.N."""
    action, _, number = do.partition(".")
    index = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else -1
    calls = list(draft.calls)
    if action == "add" and len(calls) < MAX_CALLS:
        name = next(iter(recorded.tools), "")
        calls.append(draft_call(name, "", {}, recorded.tools.get(name), as_json=False))
    elif action == "remove" and 0 <= index < len(calls):
        del calls[index]
    elif action in ("json", "form", "tool") and 0 <= index < len(calls):
        calls[index] = _switched(calls[index], recorded, as_json=action == "json")
    return replace(draft, calls=tuple(calls))


def _switched(call: CallDraft, recorded: Recorded, *, as_json: bool) -> CallDraft:
    """The same call in the other form; text that can't be read stays where it is."""
    schema = recorded.tools.get(call.name)
    try:
        arguments = call_arguments(call, schema)
    except BadField:
        return call
    return draft_call(call.name, call.id, arguments, schema, as_json=as_json)


def read_form(form: Mapping[str, str]) -> Draft:
    """A posted form. Missing fields read as empty; unknown ones are ignored."""
    mode = form.get("mode", "")
    modes: dict[str, Mode] = {"say": "say", "error": "error", "result": "result"}
    count = form.get("calls", "0")
    calls = min(int(count), MAX_CALLS) if count.isascii() and count[:4].isdigit() else 0
    return Draft(
        mode=modes.get(mode, "say"),
        text=_text(form.get("text", "")),
        calls=tuple(_read_call(form, f"call.{index}.") for index in range(calls)),
        failure=form.get("failure", "rate_limit"),
        result=_text(form.get("result", "")),
        reason=form.get("reason", "").strip()[:500],
        after=form["after"] if form.get("after") in ("recorded", "ask") else "live",
        max_live=form.get("max_live", "100").strip()[:6],
        policies=_prefixed(form, "tool."),
        stubs=_prefixed(form, "stub."),
        confirmed=_prefixed(form, "confirm."),
        program=form.get("program", "").strip()[:2000],
        breaks=_text(form.get("breaks", "")).strip()[:2000],
    )


def _read_call(form: Mapping[str, str], prefix: str) -> CallDraft:
    widgets = _prefixed(form, f"{prefix}k.")
    texts = _prefixed(form, f"{prefix}f.")
    return CallDraft(
        name=form.get(f"{prefix}name", "").strip()[:200],
        id=form.get(f"{prefix}id", "")[:200],
        as_json=form.get(f"{prefix}as") == "json",
        values={name: (widget, _text(texts.get(name, ""))) for name, widget in widgets.items()},
        json=_text(form.get(f"{prefix}json", "")),
    )


def _prefixed(form: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key[len(prefix) :]: value for key, value in form.items() if key.startswith(prefix)}


def _text(value: str) -> str:
    # Forms send line ends as CR LF, whatever was in the field.
    return value.replace("\r\n", "\n")
