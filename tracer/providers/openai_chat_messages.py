"""Chat Completions messages to OpenTelemetry messages.

A part keeps what else its wire form said, so that it can be built again. What sits beside the
content on a wire message becomes parts too: reasoning first, then content, refusal, tool calls.
"""

from typing import Any

from tracer.core.messages import Message, Part
from tracer.providers import media
from tracer.providers.jsontext import JsonObject, as_dict, as_list, parse_arguments
from tracer.providers.wire import make_part, text, unknown_part, without

REASONING_FIELDS = ("reasoning_content", "reasoning")  # DeepSeek and others; OpenRouter, Groq, vLLM


def read_message(wire: Any) -> Message:
    """One wire message, one message: indices line up with the request's list."""
    if not isinstance(wire, dict):
        return {"role": "unknown", "parts": [unknown_part(wire)]}
    role = text(wire.get("role")) or "unknown"
    name = text(wire.get("name"))
    if role in ("tool", "function"):
        return {"role": "tool", "parts": [_tool_response(wire, name)]}
    named = {"name": name} if name else {}
    return {"role": role, **named, "parts": message_parts(wire)}


def message_parts(wire: JsonObject) -> list[Part]:
    """All parts of a wire message other than a tool's."""
    return [
        *reasoning_parts(wire),
        *content_parts(wire),
        *_refusal_parts(wire),
        *tool_parts(wire),
        *_server_tool_parts(wire),
        *_audio_parts(wire),
    ]


def reasoning_parts(wire: JsonObject) -> list[Part]:
    """Reasoning beside the content; `details` = OpenRouter's list with signatures."""
    content = text(*(wire.get(field) for field in REASONING_FIELDS))
    details = as_list(wire.get("reasoning_details"))
    if content is None and not details:
        return []
    return [make_part("reasoning", {"details": details or None}, content=content or "")]


def content_parts(wire: JsonObject) -> list[Part]:
    """The parts of `content`: text, or a list of typed items; an empty text has no part."""
    content = wire.get("content")
    if content is None or content == "":
        return []
    items = content if isinstance(content, list) else [content]
    parts = [read_content_item(item) for item in items]
    annotations = as_list(wire.get("annotations"))
    for i, part in enumerate(parts):
        if annotations and part.get("type") == "text":
            parts[i] = {**part, "annotations": annotations}
            break
    return parts


def tool_parts(wire: JsonObject) -> list[Part]:
    """The tool calls of a message, the one of the old function calling last (it has no id)."""
    parts = [tool_part(call) for call in as_list(wire.get("tool_calls"))]
    call = wire.get("function_call")
    if text(as_dict(call).get("name")):  # Snowflake sends an empty one where there is none
        parts.append(tool_part({"function": call}))
    return parts


def tool_part(call: Any) -> Part:
    """One tool call; a custom tool's has `tool_type` "custom" and text for arguments."""
    if not isinstance(call, dict):
        return unknown_part(call)
    extras = without(call, "id", "type", "index", "function", "custom")
    identity = {"id": call["id"]} if text(call.get("id")) else {}
    function, custom = call.get("function"), call.get("custom")
    if isinstance(function, dict):
        arguments = parse_arguments(function.get("arguments", ""))
        name = text(function.get("name")) or ""
        return make_part("tool_call", extras, **identity, name=name, arguments=arguments)
    if isinstance(custom, dict):
        extras["tool_type"] = "custom"
        name, said = text(custom.get("name")) or "", custom.get("input", "")
        return make_part("tool_call", extras, **identity, name=name, arguments=said)
    return unknown_part(call)


def _tool_response(wire: JsonObject, name: str | None) -> Part:
    call_id = text(wire.get("tool_call_id"))
    identity = {"id": call_id} if call_id else {}
    extras = {"name": name}
    return make_part("tool_call_response", extras, **identity, response=wire.get("content"))


def _refusal_parts(wire: JsonObject) -> list[Part]:
    refusal = text(wire.get("refusal"))
    return [{"type": "refusal", "content": refusal}] if refusal else []


def _server_tool_parts(wire: JsonObject) -> list[Part]:
    return [
        {
            "type": "server_tool_call",
            "name": text(as_dict(tool).get("type")) or "",
            "server_tool_call": tool,
        }
        for tool in as_list(wire.get("executed_tools"))
    ]


def _audio_parts(wire: JsonObject) -> list[Part]:
    audio = as_dict(wire.get("audio"))
    return [make_part("audio", audio)] if any(audio.values()) else []


def read_content_item(item: Any) -> Part:
    """One item of a `content` list; what has no known shape is kept whole."""
    if isinstance(item, str):
        return {"type": "text", "content": item}
    if not isinstance(item, dict):
        return unknown_part(item)
    read = _READERS.get(str(item.get("type")))
    part = read(item) if read else None
    return unknown_part(item) if part is None else part


def _text(item: JsonObject) -> Part | None:
    said = item.get("text")
    return make_part("text", without(item, "text"), content=said) if isinstance(said, str) else None


def _thinking(item: JsonObject) -> Part | None:
    """Mistral's thinking item, a list of text items (or a text)."""
    said = item.get("thinking")
    pieces = said if isinstance(said, list) else [{"type": "text", "text": said}]
    texts = [piece.get("text") for piece in pieces if isinstance(piece, dict)]
    if len(texts) != len(pieces) or any(not isinstance(text, str) for text in texts):
        return None
    return make_part("reasoning", without(item, "thinking"), content="".join(map(str, texts)))


def _refusal(item: JsonObject) -> Part | None:
    said = item.get("refusal")
    return {"type": "refusal", "content": said} if isinstance(said, str) else None


def _image(item: JsonObject) -> Part | None:
    return _linked(item, "image_url", "image")


def _video(item: JsonObject) -> Part | None:
    return _linked(item, "video_url", "video")


def _document(item: JsonObject) -> Part | None:
    return _linked(item, "document_url", "document")


def _linked(item: JsonObject, key: str, modality: str) -> Part | None:
    link, extras = item.get(key), without(item, key)
    if isinstance(link, dict):
        return media.from_url(link.get("url"), modality, {**extras, **without(link, "url")})
    return media.from_url(link, modality, extras)


def _audio(item: JsonObject) -> Part | None:
    sound = as_dict(item.get("input_audio"))
    data, form = sound.get("data"), sound.get("format")
    if not isinstance(data, str) or not isinstance(form, str):
        return None
    extras = without(item, "input_audio")
    return media.blob(f"audio/{form}", data, "audio", extras)


def _file(item: JsonObject) -> Part | None:
    file = as_dict(item.get("file"))
    extras = {**without(item, "file"), **without(file, "file_data", "file_id")}
    if text(file.get("file_data")):
        return media.from_url(file["file_data"], "document", extras)
    return media.from_file_id(file.get("file_id"), "document", extras)


_READERS = {
    "text": _text,
    "thinking": _thinking,
    "refusal": _refusal,
    "image_url": _image,
    "video_url": _video,
    "document_url": _document,
    "input_audio": _audio,
    "file": _file,
}
