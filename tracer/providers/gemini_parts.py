"""Gemini's parts to OpenTelemetry parts and back, one for one and in order.

A part keeps what else its wire part said (`thoughtSignature` above all, which the provider checks),
in the spelling it came in, so that it can be written again as it was.
"""

from typing import Any

from tracer.core.messages import Message, Part
from tracer.providers import media
from tracer.providers.gemini_names import drop, get, many
from tracer.providers.jsontext import JsonObject, as_dict, parse_arguments
from tracer.providers.wire import content_of, make_part, text

SIGNATURE = "thoughtSignature"
_ROLES = {"model": "assistant", "function": "tool", None: "user"}
_IN_CALL = ("partialArgs", "willContinue")  # beside name and arguments, inside the call
_SERVER = ("server_tool_call", "server_tool_call_response")
_SAID = ("text", "refusal", "reasoning", "tool_call", "blob", "uri", "unknown", *_SERVER)


def read_message(wire: Any) -> Message:
    """One content, one message; the role is `tool` where it holds function responses alone."""
    if isinstance(wire, str):
        return {"role": "user", "parts": [{"type": "text", "content": wire}]}
    if not isinstance(wire, dict):
        return {"role": "unknown", "parts": [_unknown(wire)]}
    said = text(wire.get("role"))
    parts = read_parts(wire.get("parts"))
    has_results_only = bool(parts) and all(p["type"] == "tool_call_response" for p in parts)
    role = _ROLES.get(said, said)
    return {"role": "tool" if role == "user" and has_results_only else role, "parts": parts}


def read_parts(wire: Any) -> list[Part]:
    """The parts of a content; an empty text without a signature says nothing."""
    return [read_part(part) for part in many(wire) if not _is_empty(part)]


def read_part(wire: Any) -> Part:
    """One part; what has no known shape is kept whole."""
    if isinstance(wire, str):
        return {"type": "text", "content": wire}
    if not isinstance(wire, dict):
        return _unknown(wire)
    for name, read in _READERS.items():
        value = get(wire, name)
        part = None if value is None else read(value, drop(wire, name), wire)
        if part is not None:
            return part
    return _unknown(wire)


def can_be_said(part: Part) -> bool:
    """Whether a model can answer with `part` in this format."""
    return part.get("type") in _SAID


def is_text(wire: Any) -> bool:
    """Whether a wire part is text or thought with at most a signature, so that it can stream."""
    if not isinstance(wire, dict) or not isinstance(wire.get("text"), str):
        return False
    return not drop(wire, "text", "thought", SIGNATURE)


def signature_of(part: JsonObject) -> str | None:
    """The signature of a part, on the wire or as it was read."""
    return text(get(part, SIGNATURE))


def write_part(part: Part, new_id: str | None) -> JsonObject:
    """The wire part for `part`; a tool call without an id is given `new_id`."""
    kind = part.get("type")
    if kind in ("text", "refusal", "reasoning"):
        thought = {"thought": True} if kind == "reasoning" else {}
        return {"text": content_of(part), **thought, **_extras(part, "content")}
    if kind == "tool_call":
        return _function_call(part, new_id)
    if kind == "blob":
        data = {"mimeType": part.get("mime_type"), "data": part.get("content")}
        return {"inlineData": data, **_extras(part, "mime_type", "modality", "content")}
    if kind == "uri":
        mime_type = {"mimeType": part["mime_type"]} if text(part.get("mime_type")) else {}
        extras = _extras(part, "mime_type", "modality", "uri")
        return {"fileData": {**mime_type, "fileUri": part.get("uri")}, **extras}
    return as_dict(part.get("value" if kind == "unknown" else str(kind)))


def _function_call(part: Part, new_id: str | None) -> JsonObject:
    call_id = text(part.get("id")) or new_id
    inner = {k: v for k, v in part.items() if not drop({k: v}, *_IN_CALL)}
    call = {
        **({"id": call_id} if call_id else {}),
        "name": text(part.get("name")) or "",
        "args": parse_arguments(part.get("arguments") or {}),
        **inner,
    }
    return {"functionCall": call, **_extras(part, "id", "name", "arguments", *inner)}


def _extras(part: Part, *fields: str) -> JsonObject:
    return {key: value for key, value in part.items() if key not in ("type", *fields)}


def _is_empty(wire: Any) -> bool:
    return wire == "" or (is_text(wire) and not wire["text"] and signature_of(wire) is None)


def _unknown(value: Any) -> Part:
    return {"type": "unknown", "value": value}


def _text(value: Any, extras: JsonObject, _: JsonObject) -> Part | None:
    if not isinstance(value, str):
        return None
    if extras.get("thought") is True:
        return make_part("reasoning", drop(extras, "thought"), content=value)
    return make_part("text", extras, content=value)


def _call(value: Any, extras: JsonObject, _: JsonObject) -> Part | None:
    if not isinstance(value, dict):
        return None
    identity = {"id": value["id"]} if text(value.get("id")) else {}
    name, arguments = text(value.get("name")) or "", parse_arguments(value.get("args", {}))
    inner = drop(value, "id", "name", "args")
    return make_part("tool_call", {**inner, **extras}, **identity, name=name, arguments=arguments)


def _response(value: Any, extras: JsonObject, _: JsonObject) -> Part | None:
    if not isinstance(value, dict):
        return None
    identity = {"id": value["id"]} if text(value.get("id")) else {}
    inner = drop(value, "id", "response")
    said = value.get("response")
    return make_part("tool_call_response", {**inner, **extras}, **identity, response=said)


def _inline(value: Any, extras: JsonObject, _: JsonObject) -> Part | None:
    data, mime_type = as_dict(value).get("data"), get(as_dict(value), "mimeType")
    if not isinstance(data, str) or not isinstance(mime_type, str):
        return None
    inner = drop(value, "data", "mimeType")
    return media.blob(mime_type, data, media.modality_of(mime_type), {**inner, **extras})


def _file(value: Any, extras: JsonObject, _: JsonObject) -> Part | None:
    uri, mime_type = get(as_dict(value), "fileUri"), get(as_dict(value), "mimeType")
    if not isinstance(uri, str):
        return None
    known = text(mime_type)
    inner = {**drop(value, "fileUri", "mimeType"), "mime_type": known}
    modality = media.modality_of(known or "")
    return make_part("uri", {**inner, **extras}, modality=modality, uri=uri)


def _server_call(value: Any, _: JsonObject, wire: JsonObject) -> Part:
    call = as_dict(value)
    identity = {"id": call["id"]} if text(call.get("id")) else {}
    name = text(get(call, "toolType")) or "code_execution"
    return {"type": "server_tool_call", **identity, "name": name, "server_tool_call": wire}


def _server_response(value: Any, _: JsonObject, wire: JsonObject) -> Part:
    call_id = text(as_dict(value).get("id"))
    identity = {"id": call_id} if call_id else {}
    kind = "server_tool_call_response"
    return {"type": kind, **identity, kind: wire}


_READERS = {
    "text": _text,
    "functionCall": _call,
    "functionResponse": _response,
    "inlineData": _inline,
    "fileData": _file,
    "executableCode": _server_call,
    "toolCall": _server_call,
    "codeExecutionResult": _server_response,
    "toolResponse": _server_response,
}
