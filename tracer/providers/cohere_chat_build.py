"""Cohere replies in which the model says something else: the recorded one, edited.

Groups of fields that say the same stay as recorded, byte for byte inside texts.
"""

from typing import Any

from tracer.core.messages import Message, Part
from tracer.providers.cohere_chat_messages import message_parts, read_call, read_item
from tracer.providers.cohere_chat_reply import FINISH
from tracer.providers.jsontext import JsonObject, arguments_text, as_dict, as_list, same_json
from tracer.providers.wire import content_of, made_id, parts_of, rebuild, text, without

_GROUPS = {
    "plan": ("tool_plan",),
    "content": ("content", "citations"),
    "tools": ("tool_calls",),
}
_FOREIGN = ("blob", "uri", "file", "tool_call_response", "unknown")  # nothing a model says anew
_NO_USAGE = {
    "billed_units": {"input_tokens": 0, "output_tokens": 0},
    "tokens": {"input_tokens": 0, "output_tokens": 0},
}


def edited(template: JsonObject, said: Message, seed: bytes) -> JsonObject:
    """The JSON reply that says `said`; `seed` makes the ids that are missing."""
    old = as_dict(template.get("message"))
    was = message_parts(old)
    parts = [p for p in parts_of(said) if p.get("type") not in _FOREIGN or p in was]
    is_unchanged = bool(old) and same_json(parts, was)
    message = old if is_unchanged else _edited_message(old, parts, was, seed)
    reason = FINISH.write(said, template.get("finish_reason"), is_unchanged=is_unchanged)
    return {
        **without(template, "error"),
        "id": template.get("id") or made_id("", seed, str(parts)),
        "message": message,
        "finish_reason": reason,
        "usage": template.get("usage") or _NO_USAGE,
    }


def _edited_message(old: JsonObject, parts: list[Part], was: list[Part], seed: bytes) -> JsonObject:
    every_field = [field for fields in _GROUPS.values() for field in fields]
    message: JsonObject = {"role": "assistant", **without(old, *every_field)}
    for group, fields in _GROUPS.items():
        wanted, known = _of(group, parts), _of(group, was)
        if old and same_json(wanted, known):
            message.update({field: old[field] for field in fields if field in old})
        else:
            message.update(_written(group, wanted, old, seed))
    return message


def _of(group: str, parts: list[Part]) -> list[Part]:
    return [part for part in parts if _group(part) == group]


def _group(part: Part) -> str:
    if part.get("type") == "tool_call":
        return "tools"
    return "plan" if part.get("tool_plan") is True else "content"


def _written(group: str, parts: list[Part], old: JsonObject, seed: bytes) -> JsonObject:
    """The wire fields that say `parts` of one group."""
    if not parts:
        return {}
    if group == "plan":
        return {"tool_plan": "\n".join(content_of(part) for part in parts)}
    if group == "content":
        kept = [part for part in parts if part.get("type") != "citations"]
        items = rebuild(kept, as_list(old.get("content")), read_item, _item)
        return {"content": items} if items else {}
    calls = rebuild(
        parts,
        as_list(old.get("tool_calls")),
        read_call,
        lambda part, same, place: _call(part, as_dict(same), made_id("call_", seed, place)),
    )
    return {"tool_calls": calls}


def _item(part: Part, _same: Any, _place: int) -> JsonObject:
    """An item unlike any recorded one; citations of a recorded text don't fit its new wording."""
    extras = without(part, "type", "content", "citations")
    if part.get("type") in ("text", "refusal"):
        return {"type": "text", "text": content_of(part), **extras}
    if part.get("type") == "reasoning":
        own = without(extras, "signature", "redacted_data", "details")
        return {"type": "thinking", "thinking": content_of(part), **own}
    return part


def _call(part: Part, same: JsonObject, new_id: str) -> JsonObject:
    function = {
        "name": text(part.get("name")) or "",
        "arguments": arguments_text(part.get("arguments", "")),
    }
    extras = without(part, "type", "id", "name", "arguments", "tool_type")
    kept = {**without(same, "id", "type", "function"), **extras}
    call_id = text(part.get("id")) or new_id
    return {"id": call_id, "type": "function", "function": function, **kept}
