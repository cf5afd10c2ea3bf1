"""Ollama's messages to OpenTelemetry's: thinking, then text, then tool calls, images beside text.

Tool calls have arguments that are objects, and often no id.
"""

from typing import Any

from tracer.core.messages import Message, Part
from tracer.providers.jsontext import JsonObject, as_dict, as_list, parse_arguments
from tracer.providers.wire import make_part, text, unknown_part, without

_IN_FUNCTION = ("index",)  # beside name and arguments, inside the function
# How images begin in base64; the format itself does not name their types.
_IMAGES = {
    "iVBOR": "image/png",
    "/9j/": "image/jpeg",
    "R0lGO": "image/gif",
    "UklGR": "image/webp",
}


def read_message(wire: Any) -> Message:
    """One wire message, one message."""
    if not isinstance(wire, dict):
        return {"role": "unknown", "parts": [unknown_part(wire)]}
    role = text(wire.get("role")) or "unknown"
    if role == "tool":
        name, call_id = text(wire.get("tool_name"), wire.get("name")), wire.get("tool_call_id")
        identity = {"id": call_id} if text(call_id) else {}
        extras = {"name": name}
        response = make_part("tool_call_response", extras, **identity, response=wire.get("content"))
        return {"role": role, "parts": [response, *image_parts(wire.get("images"))]}
    return {"role": role, "parts": read_parts(wire, wire.get("content"))}


def read_parts(wire: JsonObject, said: Any) -> list[Part]:
    """The parts of a message or reply; `said` is its text."""
    thinking = text(wire.get("thinking"))
    parts: list[Part] = [{"type": "reasoning", "content": thinking}] if thinking else []
    if text(said):
        parts.append({"type": "text", "content": said})
    elif said is not None and not isinstance(said, str):
        parts.append(unknown_part(said))
    parts += image_parts(wire.get("images"))
    parts += image_parts([wire["image"]] if text(wire.get("image")) else [])
    return parts + [read_call(call) for call in as_list(wire.get("tool_calls"))]


def image_parts(images: Any) -> list[Part]:
    """Images, each base64."""
    return [_image(image) for image in as_list(images)]


def _image(data: Any) -> Part:
    if not isinstance(data, str):
        return unknown_part(data)
    known = next((kind for start, kind in _IMAGES.items() if data.startswith(start)), None)
    return make_part("blob", {"mime_type": known}, modality="image", content=data)


def read_call(call: Any) -> Part:
    """One tool call."""
    function = as_dict(call).get("function")
    if not isinstance(function, dict):
        return unknown_part(call)
    identity = {"id": call["id"]} if text(call.get("id")) else {}
    extras = {**without(function, "name", "arguments"), **without(call, "id", "function")}
    name, arguments = text(function.get("name")) or "", parse_arguments(function.get("arguments"))
    arguments = {} if arguments is None else arguments
    return make_part("tool_call", extras, **identity, name=name, arguments=arguments)


def write_call(part: Part, new_id: str | None) -> JsonObject:
    """The wire call for a part; one without an id is given `new_id`."""
    call_id = text(part.get("id")) or new_id
    inner = {key: part[key] for key in _IN_FUNCTION if key in part}
    name = text(part.get("name")) or ""
    arguments = parse_arguments(part.get("arguments") or {})
    extras = without(part, "type", "id", "name", "arguments", *_IN_FUNCTION)
    function = {**inner, "name": name, "arguments": arguments}
    return {**({"id": call_id} if call_id else {}), "function": function, **extras}
