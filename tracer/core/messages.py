"""Messages and parts: the OpenTelemetry GenAI shapes, whatever the provider.

Source: models.py of the semantic-conventions-genai repository (read 2026-11). A message is
`{"role": str, "parts": [part, ...]}`, an output message may carry `finish_reason`; a part is a
dict with `type`:

- `text` {content}, `reasoning` {content, signature?, ...}
- `tool_call` {id?, name, arguments: any}, `tool_call_response` {id?, response: any}
- `blob` {mime_type, modality, content: base64}, `uri` {modality, uri}, `file` {modality, file_id}
- anything else: a provider's own part, kept whole as {"type": ..., ...}
"""

from typing import Any

Part = dict[str, Any]
Message = dict[str, Any]


def text_of(message: Message) -> str:
    """All text parts of a message, joined by newlines (reasoning is not text)."""
    return "\n".join(
        str(part.get("content", ""))
        for part in message.get("parts", ())
        if part.get("type") == "text"
    )


def tool_calls_of(message: Message) -> list[Part]:
    """The `tool_call` parts of a message, in order."""
    return [part for part in message.get("parts", ()) if part.get("type") == "tool_call"]
