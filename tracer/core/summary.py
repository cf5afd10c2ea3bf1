"""One-line summaries of steps: content, not names. Pure; computed when a step is written."""

import json
from typing import Any

from tracer.core.messages import Message, text_of, tool_calls_of

MAX_SUMMARY = 240
MAX_VALUE = 60
_SPOKEN = ("refusal", "embeddings")


def clip(text: str, limit: int) -> str:
    """White space folded, cut at `limit` characters with an ellipsis."""
    # Folding all of a huge text to show its beginning would be wasted work.
    folded = " ".join(text[: limit * 4].split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


def value_summary(value: Any, limit: int = MAX_VALUE) -> str:
    """A value in a few words: scalars as JSON, containers by shape."""
    if isinstance(value, dict):
        if not value:
            return "{}"
        inner = ", ".join(f"{key}: {_inner(item)}" for key, item in list(value.items())[:8])
        return clip("{" + inner + ("}" if len(value) <= 8 else ", …}"), limit)
    if isinstance(value, list):
        if len(value) <= 3 and all(not isinstance(v, dict | list) for v in value):
            return clip("[" + ", ".join(_inner(item) for item in value) + "]", limit)
        return f"Array({len(value)})"
    return _inner(value, limit)


def _inner(value: Any, limit: int = MAX_VALUE) -> str:
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    if isinstance(value, list):
        return f"Array({len(value)})"
    if isinstance(value, str):
        return json.dumps(clip(value, limit), ensure_ascii=False)
    return clip(json.dumps(value, ensure_ascii=False, default=str), limit)


def call_summary(name: str, arguments: Any) -> str:
    """`name("ORD-1", 480.0)`: the values of the arguments, in order."""
    if isinstance(arguments, dict):
        inner = ", ".join(value_summary(item) for item in arguments.values())
    elif arguments is None:
        inner = ""
    else:
        inner = value_summary(arguments)
    return clip(f"{name}({inner})", MAX_SUMMARY)


def reply_summary(messages: list[Message]) -> str:
    """What a model said: its tool calls if there are any, else its first words."""
    if not messages:
        return ""
    calls = tool_calls_of(messages[0])
    if calls:
        said = ", ".join(call_summary(str(c.get("name")), c.get("arguments")) for c in calls)
        return clip("→ " + said, MAX_SUMMARY)
    return clip(text_of(messages[0]) or _other_words(messages[0]), MAX_SUMMARY)


def _other_words(message: Message) -> str:
    """What a message without text says: a refusal, a number of vectors. Reasoning is for nobody."""
    said = (p.get("content") for p in message.get("parts", ()) if p.get("type") in _SPOKEN)
    return "\n".join(content for content in said if isinstance(content, str))


def error_summary(type_name: str, message: str) -> str:
    """`! ToolError: no rate`: the class without its module, the message's beginning."""
    return clip(f"! {type_name.rsplit('.', 1)[-1]}: {message}", MAX_SUMMARY)


def searchable(messages: list[Message], limit: int = 20_000) -> str:
    """The words of messages, for full-text search."""
    found: list[str] = []
    for message in messages:
        for part in message.get("parts", ()):
            for key in ("content", "name", "arguments", "response"):
                value = part.get(key)
                if isinstance(value, str):
                    found.append(value)
                elif value is not None:
                    found.append(json.dumps(value, ensure_ascii=False, default=str))
    return " ".join(found)[:limit]
