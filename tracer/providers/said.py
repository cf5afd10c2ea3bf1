"""What a person wants the model to have said, on top of what it did say.

Reasoning is kept: it is signed and opaque, and providers refuse a tool call whose turn lost it.
"""

from typing import Any

from tracer.model.messages import Message, Part, tool_calls_of


def said_text(recorded: Message | None, text: str) -> Message:
    """The recorded answer with `text` in place of its text and tool calls."""
    return _answer(recorded, {"type": "text", "content": text})


def said_tool_call(recorded: Message | None, name: str, arguments: Any) -> Message:
    """The recorded answer with this one tool call in place of its text and tool calls.

    The call keeps the id of the first recorded call of the same tool, because what follows in
    the program may refer to it; another tool's call gets a new id when it is built.
    """
    same = [call for call in tool_calls_of(recorded or {}) if call.get("name") == name]
    call: Part = {**(same[0] if same else {"type": "tool_call", "name": name})}
    return _answer(recorded, {**call, "arguments": arguments})


def _answer(recorded: Message | None, part: Part) -> Message:
    parts = (recorded or {}).get("parts", [])
    reasoning = [part for part in parts if part.get("type") == "reasoning"]
    return {"role": "assistant", "parts": [*reasoning, part]}
