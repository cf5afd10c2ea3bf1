"""Converse replies in which the model says something else: the recorded one, edited.

Blocks that say the same stay as recorded, which keeps signed reasoning whole.
"""

from typing import Any

from tracer.core.messages import Message
from tracer.providers.bedrock_converse_blocks import (
    can_be_said,
    read_block,
    read_content,
    write_block,
)
from tracer.providers.bedrock_converse_reply import FINISH
from tracer.providers.jsontext import JsonObject, as_dict, as_list, canonical, same_json
from tracer.providers.wire import made_id, parts_of, rebuild, text, without

_NO_USAGE = {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}
_NO_METRICS = {"latencyMs": 0}


def edited(template: JsonObject, said: Message, seed: bytes) -> JsonObject:
    """The JSON reply that says `said`; `seed` makes the ids that are missing."""
    message = as_dict(as_dict(template.get("output")).get("message"))
    old = as_list(message.get("content"))
    was = read_content(old)
    known = {canonical(part) for part in was}
    parts = [part for part in parts_of(said) if can_be_said(part) or canonical(part) in known]
    is_unchanged = bool(message) and same_json(parts, was)
    content = old
    if not is_unchanged:
        content = rebuild(
            parts,
            old,
            read_block,
            lambda part, same, place: write_block(
                part, same, made_id("tooluse_", seed, str(part), place)
            ),
        )
    told: dict[str, Any] = {
        "role": text(message.get("role")) or "assistant",
        "content": content,
    }
    return {
        # An error of the recorded one would make this one an error too.
        **without(template, "output", "error"),
        "output": {"message": {**without(message, *told), **told}},
        "stopReason": FINISH.write(said, template.get("stopReason"), is_unchanged=is_unchanged),
        "usage": template.get("usage") or _NO_USAGE,
        "metrics": template.get("metrics") or _NO_METRICS,
    }
