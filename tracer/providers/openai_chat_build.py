"""Chat Completions objects in which the model says something else: the recorded one, edited.

What the edit does not touch stays as recorded, byte for byte inside texts: an agent sends the
arguments of a tool call back as text, and another spelling would be another request.
"""

from tracer.core.messages import Message, Part
from tracer.providers.jsontext import JsonObject, arguments_text, as_dict, as_list, same_json
from tracer.providers.openai_chat_messages import (
    REASONING_FIELDS,
    message_parts,
    read_content_item,
    tool_part,
)
from tracer.providers.openai_chat_reply import FINISH, wire_usage
from tracer.providers.openai_chat_request import Asked
from tracer.providers.wire import content_of, made_id, parts_of, rebuild, text, without

_GROUPS = {
    "content": ("content", "annotations"),
    "reasoning": (*REASONING_FIELDS, "reasoning_details"),
    "refusal": ("refusal",),
    "tools": ("tool_calls", "function_call"),
    "audio": ("audio",),
    "server_tools": ("executed_tools",),
}
_GROUP_OF = {
    "reasoning": "reasoning",
    "refusal": "refusal",
    "tool_call": "tools",
    "audio": "audio",
    "server_tool_call": "server_tools",
}
_NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
# They speak of the old answer and nobody needs them to read the new one.
_STALE_CHOICE = ("logprobs", "delta", "native_finish_reason", "message", "index", "finish_reason")


def edited(template: JsonObject, said: Message, asked: Asked) -> JsonObject:
    """The JSON reply in which the first choice says `said`; other choices stay as recorded."""
    choices = [as_dict(choice) for choice in as_list(template.get("choices"))] or [{}]
    old = as_dict(choices[0].get("message"))
    parts = parts_of(said)
    is_unchanged = bool(old) and same_json(parts, message_parts(old))
    message = old if is_unchanged else _edited_message(old, parts, asked)
    reason = FINISH.write(said, choices[0].get("finish_reason"), is_unchanged=is_unchanged)
    if reason in ("tool_calls", "function_call") and not is_unchanged:
        reason = "function_call" if message.get("function_call") else "tool_calls"
    fields = choices[0] if is_unchanged else without(choices[0], *_STALE_CHOICE)
    first = {**fields, "index": 0, "message": message}
    if not is_unchanged or reason != fields.get("finish_reason"):
        first["finish_reason"] = reason
    return {
        **without(template, "error"),
        "id": template.get("id", made_id("chatcmpl-", asked.seed, str(parts))),
        "object": "chat.completion",
        "created": template.get("created") or 0,
        "model": template.get("model", asked.model),
        "choices": [first, *choices[1:]],
        "usage": wire_usage(template) or _NO_USAGE,
    }


def _edited_message(old: JsonObject, parts: list[Part], asked: Asked) -> JsonObject:
    """The wire message that says `parts`; groups of fields that say the same stay as they are."""
    has_items = isinstance(old.get("content"), list)
    said, was = _grouped(parts, has_items), _grouped(message_parts(old), has_items)
    every_field = [field for fields in _GROUPS.values() for field in fields]
    message: JsonObject = {"role": "assistant", "content": None, **without(old, *every_field)}
    for group, fields in _GROUPS.items():
        if old and same_json(said[group], was[group]):
            message.update({field: old[field] for field in fields if field in old})
        else:
            message.update(_written(group, said[group], old, asked))
    if message["content"] is None and not any(said[group] for group in _GROUPS):
        message["content"] = ""
    return message


def _grouped(parts: list[Part], has_items: bool) -> dict[str, list[Part]]:
    groups: dict[str, list[Part]] = {group: [] for group in _GROUPS}
    for part in parts:
        group = _GROUP_OF.get(str(part.get("type")), "content")
        # Where content is a list, reasoning stands in it, in order with the text (Mistral).
        groups["content" if has_items and group == "reasoning" else group].append(part)
    return groups


def _written(group: str, parts: list[Part], old: JsonObject, asked: Asked) -> JsonObject:
    """The wire fields that say `parts` of one group."""
    if group == "tools":
        return _tool_fields(parts, old, asked)
    if group == "reasoning":
        return _reasoning_fields(parts, old)
    if group == "content":
        return {"content": _content(parts, old)}
    if group == "refusal":
        joined = "\n".join(content_of(part) for part in parts) or None
        return {"refusal": joined} if joined or "refusal" in old else {}
    if group == "audio":
        return {"audio": without(parts[0], "type")} if parts else {}
    return {"executed_tools": [part.get("server_tool_call") for part in parts]} if parts else {}


def _content(parts: list[Part], old: JsonObject) -> object:
    if isinstance(old.get("content"), list):
        return rebuild(parts, old["content"], read_content_item, _content_item)
    texts = [content_of(part) for part in parts if part.get("type") == "text"]
    return "\n".join(texts) if texts else None


def _content_item(part: Part, _same: object, _place: int) -> JsonObject:
    extras = without(part, "content", "type", "annotations")
    if part.get("type") == "text":
        return {"type": "text", "text": content_of(part), **extras}
    if part.get("type") == "reasoning":
        said = [{"type": "text", "text": content_of(part)}]
        return {"type": "thinking", "thinking": said, **without(extras, "details")}
    return part


def _reasoning_fields(parts: list[Part], old: JsonObject) -> JsonObject:
    if not parts:
        return {field: None for field in REASONING_FIELDS if field in old}
    said = "\n".join(content_of(part) for part in parts)
    used = [field for field in REASONING_FIELDS if field in old] or [REASONING_FIELDS[0]]
    details = [entry for part in parts for entry in as_list(part.get("details"))]
    return {**dict.fromkeys(used, said), **({"reasoning_details": details} if details else {})}


def _tool_fields(parts: list[Part], old: JsonObject, asked: Asked) -> JsonObject:
    is_old_style = asked.old_functions or bool(old.get("function_call"))
    if is_old_style and len(parts) == 1:
        return {"function_call": _function(parts[0])}
    calls = rebuild(
        parts,
        as_list(old.get("tool_calls")),
        tool_part,
        lambda part, same, place: _tool_call(part, as_dict(same), asked, place),
    )
    return {"tool_calls": calls} if calls else {}


def _tool_call(part: Part, same: JsonObject, asked: Asked, place: int) -> JsonObject:
    extras = without(part, "type", "id", "name", "arguments", "tool_type")
    name = text(part.get("name")) or ""
    call_id = text(part.get("id")) or made_id("call_", asked.seed, str(part), place)
    kept = {**without(same, "id", "type", "function", "custom"), **extras}
    if part.get("tool_type") == "custom" or name in asked.custom_tools:
        inner = {"name": name, "input": arguments_text(part.get("arguments", ""))}
        return {"id": call_id, "type": "custom", "custom": inner, **kept}
    return {"id": call_id, "type": "function", "function": _function(part), **kept}


def _function(part: Part) -> JsonObject:
    said = arguments_text(part.get("arguments", ""))
    return {"name": text(part.get("name")) or "", "arguments": said}
