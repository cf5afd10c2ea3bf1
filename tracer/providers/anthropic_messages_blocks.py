"""Anthropic content blocks to OpenTelemetry parts and back, one part a block, in order.

A part keeps what else its block said (signature, citations, caller), so that the block can be
built again as it was: signed reasoning is refused by the provider when one character differs.
"""

from typing import Any

from tracer.core.messages import Message, Part
from tracer.providers import media
from tracer.providers.jsontext import JsonObject, as_dict, parse_arguments
from tracer.providers.wire import content_of, make_part, text, unknown_part, without

TOOL_USES = ("tool_use", "server_tool_use", "mcp_tool_use")  # their input streams as JSON text
_NO_BLOCK = ("blob", "uri", "file", "tool_call_response", "unknown")  # not a model's to say


def read_message(wire: Any) -> Message:
    """One wire message, one message; the role is `tool` where it holds tool results alone."""
    if not isinstance(wire, dict):
        return {"role": "unknown", "parts": [unknown_part(wire)]}
    role = text(wire.get("role")) or "unknown"
    parts = read_content(wire.get("content"))
    has_results_only = bool(parts) and all(p.get("type") == "tool_call_response" for p in parts)
    return {"role": "tool" if role == "user" and has_results_only else role, "parts": parts}


def read_content(content: Any) -> list[Part]:
    """The parts of a content, a system prompt's too: a text, a list of blocks, or nothing."""
    if content is None or content == "":
        return []
    return [read_block(block) for block in (content if isinstance(content, list) else [content])]


def read_block(block: Any) -> Part:
    """One block; what has no known shape is kept whole."""
    if isinstance(block, str):
        return {"type": "text", "content": block}
    if not isinstance(block, dict):
        return unknown_part(block)
    kind = str(block.get("type"))
    read = _READERS.get(kind)
    if read is None and kind.endswith("_tool_result"):
        read = _server_result
    part = read(block) if read else None
    return unknown_part(block) if part is None else part


def can_be_said(part: Part) -> bool:
    """Whether a model can answer with `part` in this format."""
    return part.get("type") not in _NO_BLOCK


def write_block(part: Part, same: Any, new_id: str) -> JsonObject:
    """The block for `part`; `same` = the recorded block of its id, `new_id` if it has none."""
    kind = part.get("type")
    if kind in ("text", "refusal"):
        extras = without(part, "type", "content")
        return {"type": "text", "text": content_of(part), **extras}
    if kind == "reasoning":
        return _thinking_block(part)
    if kind == "tool_call":
        extras = without(part, "type", "id", "name", "arguments", "tool_type")
        old = as_dict(same) if as_dict(same).get("type") == "tool_use" else {}
        call = {
            "type": "tool_use",
            "id": text(part.get("id")) or new_id,
            "name": text(part.get("name")) or "",
            "input": parse_arguments(part.get("arguments") or {}),
        }
        return {**call, **without(old, *call), **extras}
    if kind in ("server_tool_call", "server_tool_call_response"):
        return as_dict(part.get(str(kind)))
    return part


def _thinking_block(part: Part) -> JsonObject:
    extras = without(part, "type", "content", "signature", "redacted_data", "details")
    if text(part.get("redacted_data")):
        return {"type": "redacted_thinking", "data": part["redacted_data"], **extras}
    signature = text(part.get("signature")) or ""
    return {"type": "thinking", "thinking": content_of(part), "signature": signature, **extras}


def _text(block: JsonObject) -> Part | None:
    said = block.get("text")
    return make_part("text", without(block, "text"), content=said) if _is_text(said) else None


def _thinking(block: JsonObject) -> Part | None:
    said = block.get("thinking")
    extras = without(block, "thinking")
    return make_part("reasoning", extras, content=said) if _is_text(said) else None


def _redacted(block: JsonObject) -> Part | None:
    data = block.get("data")
    extras = without(block, "data")
    return make_part("reasoning", extras, content="", redacted_data=data) if text(data) else None


def _tool_use(block: JsonObject) -> Part:
    identity = {"id": block["id"]} if text(block.get("id")) else {}
    extras = without(block, "id", "name", "input")
    arguments = parse_arguments(block.get("input", {}))
    name = text(block.get("name")) or ""
    return make_part("tool_call", extras, **identity, name=name, arguments=arguments)


def _tool_result(block: JsonObject) -> Part:
    identity = {"id": block["tool_use_id"]} if text(block.get("tool_use_id")) else {}
    extras = without(block, "tool_use_id", "content")
    return make_part("tool_call_response", extras, **identity, response=block.get("content"))


def _server_call(block: JsonObject) -> Part:
    identity = {"id": block["id"]} if text(block.get("id")) else {}
    name = text(block.get("name")) or ""
    return {"type": "server_tool_call", **identity, "name": name, "server_tool_call": block}


def _server_result(block: JsonObject) -> Part:
    identity = {"id": block["tool_use_id"]} if text(block.get("tool_use_id")) else {}
    return {"type": "server_tool_call_response", **identity, "server_tool_call_response": block}


def _image(block: JsonObject) -> Part | None:
    return _sourced(block, "image")


def _document(block: JsonObject) -> Part | None:
    return _sourced(block, "document")


def _sourced(block: JsonObject, modality: str) -> Part | None:
    source, extras = as_dict(block.get("source")), without(block, "source")
    kind, mime_type, data = source.get("type"), source.get("media_type"), source.get("data")
    if kind == "base64" and isinstance(mime_type, str) and isinstance(data, str):
        return media.blob(mime_type, data, media.modality_of(mime_type, modality), extras)
    if kind == "url":
        return media.from_url(source.get("url"), modality, extras)
    return media.from_file_id(source.get("file_id"), modality, extras) if kind == "file" else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_READERS = {
    "text": _text,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "server_tool_use": _server_call,
    "mcp_tool_use": _server_call,
    "image": _image,
    "document": _document,
}
