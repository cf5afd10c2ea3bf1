"""A tool's JSON schema as form fields, and form fields back as JSON arguments. Pure.

A value that a field can't hold without changing its type is edited as JSON instead.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tracer_ui.jsonlines import clip, dump

Widget = Literal["text", "number", "boolean", "choice", "json"]
WIDGETS: tuple[Widget, ...] = ("text", "number", "boolean", "choice", "json")
_MAX_FIELDS = 60
_LONG = 80


@dataclass(frozen=True, slots=True)
class Field:
    """One argument. `value` is what the form holds; "" in an optional field leaves it out.

    `choices` are JSON texts for "choice". `hint` is the schema's description, `was` the recorded
    value where it differs.
    """

    name: str
    widget: Widget
    value: str
    required: bool
    choices: tuple[str, ...] = ()
    hint: str = ""
    was: str = ""
    known: bool = True

    @property
    def long(self) -> bool:
        """Whether it needs more than a line."""
        return "\n" in self.value or len(self.value) > _LONG


class BadField(ValueError):
    """A field whose text can't be read as a value; the message says what is expected."""


def fields_for(
    schema: Any, arguments: Mapping[str, Any], recorded: Mapping[str, Any]
) -> tuple[Field, ...] | None:
    """Fields for the arguments of a call; None where a form can't hold them."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return None
    names = [*properties, *(name for name in arguments if name not in properties)]
    if len(names) > _MAX_FIELDS or any("\x00" in str(name) for name in names):
        return None
    required = schema.get("required")
    needed = set(map(str, required)) if isinstance(required, list) else set()
    return tuple(
        _field(name, properties.get(name), arguments, recorded, name in needed) for name in names
    )


def read_field(widget: str, text: str) -> Any:
    """The value a field's text stands for. Raises BadField."""
    if widget == "text":
        return text
    if widget == "number":
        return _number(text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadField(f"this is not JSON: {clip(str(error), 120)}") from None


def _field(
    name: str,
    schema: Any,
    arguments: Mapping[str, Any],
    recorded: Mapping[str, Any],
    required: bool,
) -> Field:
    about = schema if isinstance(schema, dict) else {}
    present = name in arguments
    value = arguments.get(name)
    widget = _widget(about, value, present)
    if widget == "text" and present and value == "" and not required:
        widget = "json"  # an empty text field would leave it out
    choices = tuple(dump(choice) for choice in about.get("enum", ())) if widget == "choice" else ()
    was = ""
    if name in recorded and (not present or dump(recorded[name]) != dump(value)):
        was = clip(recorded[name] if isinstance(recorded[name], str) else dump(recorded[name]), 60)
    return Field(
        name=name,
        widget=widget,
        value=_shown(widget, value) if present else "",
        required=required,
        choices=choices,
        hint=clip(" ".join(str(about.get("description") or "").split()), 160),
        was=was,
        known=isinstance(schema, dict),
    )


def _widget(schema: dict[str, Any], value: Any, present: bool) -> Widget:
    choices = schema.get("enum")
    if isinstance(choices, list) and 0 < len(choices) <= 50:
        fits = not present or dump(value) in [dump(choice) for choice in choices]
        return "choice" if fits else "json"
    kind = schema.get("type")
    if kind == "string" and (not present or isinstance(value, str)):
        return "text"
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind in ("number", "integer") and (not present or is_number):
        return "number"
    if kind == "boolean" and (not present or isinstance(value, bool)):
        return "boolean"
    return "json"


def _shown(widget: Widget, value: Any) -> str:
    if widget == "text":
        return str(value)
    if widget == "json":
        return json.dumps(value, ensure_ascii=False, indent=2)
    return dump(value)


def _number(text: str) -> int | float | str:
    """A number; text that is none stays text, so that the schema says what is wrong with it."""
    cleaned = text.strip()
    try:
        return int(cleaned)
    except ValueError:
        pass
    try:
        number = float(cleaned)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
