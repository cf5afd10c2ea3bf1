"""Anthropic messages in which the model says something else: the recorded one, edited.

Blocks that say the same stay as recorded, which keeps signed reasoning whole.
"""

from typing import Any

from tracer.core.messages import Message, Part
from tracer.providers.anthropic_messages_blocks import (
    can_be_said,
    read_block,
    read_content,
    write_block,
)
from tracer.providers.anthropic_messages_reply import FINISH
from tracer.providers.jsontext import JsonObject, as_list, same_json
from tracer.providers.wire import made_id, parts_of, rebuild, text, without

_NO_USAGE = {"input_tokens": 0, "output_tokens": 0}


def edited(template: JsonObject, said: Message, model: str, seed: bytes) -> JsonObject:
    """The JSON reply that says `said`; `model` and `seed` fill in where the template is empty."""
    old = as_list(template.get("content"))
    parts = [part for part in parts_of(said) if can_be_said(part)]
    is_unchanged = bool(template) and same_json(parts, read_content(old))
    content = old
    if not is_unchanged:
        content = rebuild(
            parts,
            old,
            read_block,
            lambda part, same, place: _edited_block(
                part, same, made_id("toolu_", seed, place), old
            ),
        )
    reason = FINISH.write(said, template.get("stop_reason"), is_unchanged=is_unchanged)
    is_same_stop = reason == template.get("stop_reason")
    details = {"stop_details": None} if "stop_details" in template and not is_same_stop else {}
    return {
        **{key: value for key, value in template.items() if key != "error"},
        "id": template.get("id", made_id("msg_", seed, str(parts))),
        "type": "message",
        "role": text(template.get("role")) or "assistant",
        "model": template.get("model", model),
        "content": content,
        "stop_reason": reason,
        "stop_sequence": template.get("stop_sequence") if is_same_stop else None,
        **details,
        "usage": template.get("usage") or _NO_USAGE,
    }


def _edited_block(part: Part, same: Any, new_id: str, old: list[Any]) -> JsonObject:
    """A block unlike any recorded one; citations of a recorded text don't fit its new wording."""
    block = write_block(part, same, new_id)
    return without(block, "citations") if old and block.get("type") == "text" else block
