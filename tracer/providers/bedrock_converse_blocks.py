"""Converse content blocks to OpenTelemetry parts and back, one part a block, in order.

A block is an object of one key that names its kind. A part keeps what else its block said, so that
it can be built again: signed reasoning is refused by the provider when one character differs.
"""

from collections.abc import Callable
from typing import Any

from tracer.core.messages import Message, Part
from tracer.providers import media
from tracer.providers.jsontext import JsonObject, as_dict, as_list, parse_arguments
from tracer.providers.wire import content_of, make_part, text, unknown_part, without

_FOREIGN = ("blob", "uri", "file", "tool_call_response", "unknown")  # nothing a model says anew
_SERVER = "server_tool_use"


def read_message(wire: Any) -> Message:
    """One wire message, one message; the role is `tool` where it holds tool results alone."""
    if not isinstance(wire, dict):
        return {"role": "unknown", "parts": [unknown_part(wire)]}
    role = text(wire.get("role")) or "unknown"
    parts = read_content(wire.get("content"))
    has_results_only = bool(parts) and all(p.get("type") == "tool_call_response" for p in parts)
    return {"role": "tool" if role == "user" and has_results_only else role, "parts": parts}


def read_content(content: Any) -> list[Part]:
    """The parts of a content, a system prompt's too: a list of blocks, or nothing."""
    if content is None or content == "":
        return []
    return [read_block(block) for block in (content if isinstance(content, list) else [content])]


def read_block(block: Any) -> Part:
    """One block; what has no known shape is kept whole."""
    if isinstance(block, str):
        return {"type": "text", "content": block}
    if not isinstance(block, dict) or len(block) != 1:
        return {"type": "unknown", "value": block}
    [(kind, value)] = block.items()
    read = _READERS.get(kind)
    part = read(value) if read else None
    return {"type": kind, kind: value} if part is None else part


def can_be_said(part: Part) -> bool:
    """Whether a model can answer with `part` in this format."""
    return part.get("type") not in _FOREIGN


def write_block(part: Part, same: Any, new_id: str) -> JsonObject:
    """The block for `part`; `same` = the recorded block of its id, `new_id` if it has none."""
    kind = str(part.get("type"))
    if kind in ("text", "refusal"):
        return {"text": content_of(part)}
    if kind == "reasoning":
        return {"reasoningContent": _reasoning_content(part)}
    if kind == "tool_call":
        old = as_dict(as_dict(same).get("toolUse"))
        use_type = part.get("tool_type", old.get("type"))
        return {
            "toolUse": {
                "toolUseId": text(part.get("id")) or new_id,
                "name": text(part.get("name")) or "",
                "input": parse_arguments(part.get("arguments") or {}),
                **({} if use_type is None else {"type": use_type}),
            }
        }
    if kind in ("server_tool_call", "server_tool_call_response"):
        return as_dict(part.get(kind))
    return {kind: part[kind]} if kind in part else {"text": content_of(part)}


def _reasoning_content(part: Part) -> JsonObject:
    if text(part.get("redacted_data")):
        return {"redactedContent": part["redacted_data"]}
    said = {"text": content_of(part)}
    if isinstance(part.get("signature"), str):
        said["signature"] = part["signature"]
    return {"reasoningText": said}


def _text(value: Any) -> Part | None:
    return {"type": "text", "content": value} if isinstance(value, str) else None


def _guarded(value: Any) -> Part | None:
    """Text that a guardrail looks at; `guard` says how."""
    inner = as_dict(as_dict(value).get("text"))
    if not isinstance(inner.get("text"), str) or len(as_dict(value)) != 1:
        return None
    return {"type": "text", "content": inner["text"], "guard": without(inner, "text")}


def _cited(value: Any) -> Part | None:
    """Text with citations, which stay beside it."""
    entry = as_dict(value)
    content = as_list(entry.get("content"))
    texts = [item.get("text") for item in content if isinstance(item, dict) and len(item) == 1]
    if not all(isinstance(said, str) for said in texts) or len(texts) != len(content):
        return None
    extras = without(entry, "content", "citations")
    citations = as_list(entry.get("citations"))
    return make_part("text", extras, content="".join(map(str, texts)), citations=citations)


def _reasoning(value: Any) -> Part | None:
    entry = as_dict(value)
    if set(entry) == {"redactedContent"} and text(entry["redactedContent"]):
        return {"type": "reasoning", "content": "", "redacted_data": entry["redactedContent"]}
    said = as_dict(entry.get("reasoningText"))
    if set(entry) != {"reasoningText"} or not isinstance(said.get("text"), str):
        return None
    return make_part("reasoning", without(said, "text"), content=said["text"])


def _tool_use(value: Any) -> Part | None:
    if not isinstance(value, dict):
        return None
    identity = {"id": value["toolUseId"]} if text(value.get("toolUseId")) else {}
    name = text(value.get("name")) or ""
    if value.get("type") == _SERVER:
        return {"type": "server_tool_call", **identity, "name": name,
                "server_tool_call": {"toolUse": value}}  # fmt: skip
    extras = {
        **without(value, "toolUseId", "name", "input", "type"), "tool_type": value.get("type"),
    }  # fmt: skip
    arguments = parse_arguments(value.get("input", {}))
    return make_part("tool_call", extras, **identity, name=name, arguments=arguments)


def _tool_result(value: Any) -> Part | None:
    if not isinstance(value, dict):
        return None
    identity = {"id": value["toolUseId"]} if text(value.get("toolUseId")) else {}
    if str(value.get("type") or "tool_result") != "tool_result":  # of a tool the provider runs
        return {"type": "server_tool_call_response", **identity,
                "server_tool_call_response": {"toolResult": value}}  # fmt: skip
    extras = without(value, "toolUseId", "content")
    return make_part("tool_call_response", extras, **identity, response=value.get("content"))


def _media(modality: str) -> Callable[[Any], Part | None]:
    def read(value: Any) -> Part | None:
        entry = as_dict(value)
        source, extras = as_dict(entry.get("source")), without(entry, "source", "format")
        form = text(entry.get("format")) or ""
        data, place = source.get("bytes"), as_dict(source.get("s3Location"))
        if isinstance(data, str) and len(source) == 1:
            mime_type = _MIME_TYPES.get(form) or f"{_MAIN[modality]}/{form}"
            return media.blob(mime_type, data, modality, {**extras, "format": form or None})
        more = {**extras, "format": form or None, **without(place, "uri")}
        return media.from_url(place.get("uri"), modality, more) if len(source) == 1 else None

    return read


# Where it is not the kind of medium and the name of the format.
_MIME_TYPES = {
    "csv": "text/csv",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "three_gp": "video/3gpp",
    "mp3": "audio/mpeg",
}
_MAIN = {"image": "image", "video": "video", "audio": "audio", "document": "application"}
_READERS: dict[str, Callable[[Any], Part | None]] = {
    "text": _text,
    "guardContent": _guarded,
    "citationsContent": _cited,
    "reasoningContent": _reasoning,
    "toolUse": _tool_use,
    "toolResult": _tool_result,
    **{kind: _media(kind) for kind in _MAIN},
}
