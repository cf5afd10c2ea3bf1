"""Cohere chat messages to OpenTelemetry messages.

What sits beside the content becomes parts too: the plan for the tools first (reasoning, marked
`tool_plan`), then the content, then the tool calls. Citations stand on the first text.
"""

from typing import Any

from tracer.core.messages import Message, Part
from tracer.providers import media
from tracer.providers.jsontext import JsonObject, as_dict, as_list, parse_arguments
from tracer.providers.wire import make_part, text, unknown_part, without


def read_message(wire: Any) -> Message:
    """One wire message, one message."""
    if not isinstance(wire, dict):
        return {"role": "unknown", "parts": [unknown_part(wire)]}
    role = text(wire.get("role")) or "unknown"
    if role == "tool":
        identity = {"id": wire["tool_call_id"]} if text(wire.get("tool_call_id")) else {}
        extras = without(wire, "role", "tool_call_id", "content")
        part = make_part("tool_call_response", extras, **identity, response=wire.get("content"))
        return {"role": "tool", "parts": [part]}
    return {"role": role, "parts": message_parts(wire)}


def message_parts(wire: JsonObject) -> list[Part]:
    """All parts of a wire message other than a tool's."""
    return [*plan_parts(wire), *content_parts(wire), *tool_parts(wire)]


def plan_parts(wire: JsonObject) -> list[Part]:
    """What the model says it will do with the tools."""
    plan = text(wire.get("tool_plan"))
    return [{"type": "reasoning", "content": plan, "tool_plan": True}] if plan else []


def content_parts(wire: JsonObject) -> list[Part]:
    """The parts of `content`, a text or a list of typed items; an empty text has no part."""
    content = wire.get("content")
    items = content if isinstance(content, list) else [content]
    parts = [read_item(item) for item in items if item is not None and item != ""]
    citations = as_list(wire.get("citations"))
    if not citations:
        return parts
    place = next((i for i, part in enumerate(parts) if part.get("type") == "text"), None)
    if place is None:
        return [*parts, {"type": "citations", "citations": citations}]
    parts[place] = {**parts[place], "citations": citations}
    return parts


def tool_parts(wire: JsonObject) -> list[Part]:
    """The tool calls of a message."""
    return [read_call(call) for call in as_list(wire.get("tool_calls"))]


def read_call(call: Any) -> Part:
    """One tool call."""
    if not isinstance(call, dict):
        return unknown_part(call)
    function = as_dict(call.get("function"))
    identity = {"id": call["id"]} if text(call.get("id")) else {}
    extras = {
        **without(call, "id", "type", "function"),
        **without(function, "name", "arguments"),
    }
    arguments = parse_arguments(function.get("arguments", ""))
    name = text(function.get("name")) or ""
    return make_part("tool_call", extras, **identity, name=name, arguments=arguments)


def read_item(item: Any) -> Part:
    """One item of a content; what has no known shape is kept whole."""
    if isinstance(item, str):
        return {"type": "text", "content": item}
    if not isinstance(item, dict):
        return unknown_part(item)
    kind = item.get("type")
    if kind == "text" and isinstance(item.get("text"), str):
        return make_part("text", without(item, "text"), content=item["text"])
    if kind == "thinking" and isinstance(item.get("thinking"), str):
        return make_part("reasoning", without(item, "thinking"), content=item["thinking"])
    if kind == "image_url":
        image = item.get("image_url")
        inner = as_dict(image)
        extras = {**without(item, "image_url"), **without(inner, "url")}
        url = image if isinstance(image, str) else inner.get("url")
        return media.from_url(url, "image", extras) or unknown_part(item)
    return unknown_part(item)
