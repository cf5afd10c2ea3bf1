"""OpenTelemetry messages as a page shows them: parts in order, odd ones raw, never an error. Pure.

Recorded messages come from anywhere; nothing is taken for granted about their shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tracer_ui.blocks import Block, Room, one_line, short_json, text_block, value_block
from tracer_ui.formats import size
from tracer_ui.jsonlines import clip, dump, shape

PartKind = Literal["text", "reasoning", "call", "result", "media", "other"]
MAX_SHOWN = 40  # messages on one page
_WORDS = ("text", "reasoning", "refusal", "embeddings")  # parts whose `content` is for reading


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool call: a short value in `text`, a long one in `block`."""

    name: str
    text: str | None
    block: Block | None


@dataclass(frozen=True, slots=True)
class CallView:
    """A tool call as the model asked for it. `raw` stands for arguments that are no object."""

    name: str
    call_id: str
    arguments: tuple[Argument, ...]
    raw: Block | None


@dataclass(frozen=True, slots=True)
class PartView:
    """One part of a message; `call` for tool calls, else `block`. `label` names what it is."""

    kind: PartKind
    label: str
    block: Block | None = None
    call: CallView | None = None


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message. `index` counts from 0 in the request; `brief` is it in one line."""

    index: int
    role: str
    brief: str
    size: str
    parts: tuple[PartView, ...]
    finish: str = ""


def message_views(
    messages: Sequence[Any], room: Room, where: str, *, chosen: Sequence[int] | None = None
) -> tuple[MessageView, ...]:
    """Messages ready to show, at most `MAX_SHOWN`; `chosen` are the places of those wanted.

    `where` is "in" or "out": how a part of them is addressed.
    """
    places = range(len(messages)) if chosen is None else chosen
    return tuple(
        _message(messages[index], index, room, f"{where}.{index}") for index in places[:MAX_SHOWN]
    )


def part_value(messages: Sequence[Any], index: int, part: int) -> Any:
    """The text or value of one part. Raises LookupError when there is none."""
    found = parts_of(messages[index])[part]
    kind = found.get("type")
    if kind in _WORDS:
        return found.get("content")
    if kind == "tool_call":
        return found.get("arguments")
    return found.get("response") if kind == "tool_call_response" else found


def parts_of(message: Any) -> list[dict[str, Any]]:
    """The parts of a message; what is no part becomes one of type "?"."""
    parts = message.get("parts") if isinstance(message, Mapping) else [message]
    if not isinstance(parts, list):
        parts = [parts]
    return [part if isinstance(part, dict) else {"type": "?", "value": part} for part in parts]


def brief(message: Any) -> str:
    """A message in one line: its words, its calls, its results."""
    return clip(" · ".join(filter(None, map(_brief_part, parts_of(message)[:8]))), 200)


def argument_views(arguments: Mapping[str, Any], room: Room, part: str) -> tuple[Argument, ...]:
    """Arguments by name; short values in place, long ones as blocks."""
    return tuple(_argument(str(name), value, room, part) for name, value in arguments.items())


def _message(message: Any, index: int, room: Room, part: str) -> MessageView:
    role = message.get("role") if isinstance(message, Mapping) else None
    finish = message.get("finish_reason") if isinstance(message, Mapping) else None
    line = brief(message)
    parts = tuple(
        _part(item, room, f"{part}.{number}") for number, item in enumerate(parts_of(message)[:40])
    )
    return MessageView(
        index, clip(str(role or "?"), 40), line, _size(message), parts, clip(str(finish or ""), 40)
    )


def _size(message: Any) -> str:
    total = sum(
        len(value) if isinstance(value := part.get("content", part.get("response")), str) else 0
        for part in parts_of(message)
    )
    return size(total) if total >= 1000 else ""


def _part(part: dict[str, Any], room: Room, address: str) -> PartView:
    kind = part.get("type")
    content = part.get("content")
    if kind == "text" and isinstance(content, str):
        return PartView("text", "text", value_block(content, room, address))
    if kind == "reasoning" and isinstance(content, str):
        return PartView("reasoning", "reasoning", text_block(content, room, address))
    if kind in ("refusal", "embeddings") and isinstance(content, str):
        return PartView("other", str(kind), text_block(content, room, address))
    if kind == "tool_call":
        return PartView("call", "call", call=call_view(part, room, address))
    if kind == "tool_call_response":
        label = f"result of {part['id']}" if part.get("id") else "result"
        return PartView("result", clip(label, 80), value_block(part.get("response"), room, address))
    if kind == "blob" and isinstance(content, str):
        about = f"{part.get('modality') or 'data'}, {part.get('mime_type') or 'unknown type'}"
        text = f"{about}, {size(len(content) * 3 // 4)}"
        return PartView("media", "attached", text_block(text, room))
    return PartView("other", clip(str(kind), 40), value_block(part, room, address))


def call_view(part: Mapping[str, Any], room: Room, address: str) -> CallView:
    """A `tool_call` part ready to show."""
    arguments = part.get("arguments")
    name, call_id = clip(str(part.get("name") or "?"), 120), clip(str(part.get("id") or ""), 80)
    if isinstance(arguments, Mapping) and len(arguments) <= 60:
        return CallView(name, call_id, argument_views(arguments, room, address), None)
    return CallView(name, call_id, (), value_block(arguments, room, address))


def _argument(name: str, value: Any, room: Room, part: str) -> Argument:
    short = short_json(value)
    if short is not None and not room.full:
        room.chars -= len(short)
        return Argument(clip(name, 120), short, None)
    return Argument(clip(name, 120), None, value_block(value, room, part))


def _brief_part(part: dict[str, Any]) -> str:
    kind = part.get("type")
    if kind in _WORDS:
        return one_line(part.get("content"))
    if kind == "tool_call":
        return f"→ {part.get('name')}({call_brief(part.get('arguments'))})"
    if kind == "tool_call_response":
        return f"⇒ {one_line(part.get('response'))}"
    return f"[{kind}]"


def call_brief(arguments: Any) -> str:
    """Arguments in one line, values only: names are looked up on demand, values matter."""
    if isinstance(arguments, Mapping):
        return ", ".join(clip(_short(value), 40) for value in list(arguments.values())[:8])
    return clip(dump(arguments), 80)


def _short(value: Any) -> str:
    return shape(value) if isinstance(value, (dict, list)) else dump(value)
