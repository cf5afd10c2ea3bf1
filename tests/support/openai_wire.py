"""OpenAI Chat Completions bytes, as the SDK sends and receives them, made from OTel messages."""

import json
from typing import Any

from tracer.core.messages import Message
from tracer.core.records import Usage

URL = "https://api.openai.com/v1/chat/completions"
REQUEST_HEADERS = (("content-type", "application/json"), ("user-agent", "OpenAI/Python 3.54.0"))
REPLY_HEADERS = (("content-type", "application/json"), ("x-request-id", "req_0001"))


def request_body(messages: list[Message], tools: list[dict[str, Any]], model: str) -> bytes:
    """The JSON body that asks `model` to go on after `messages`."""
    sent = [wire for message in messages for wire in _wire_messages(message)]
    body: dict[str, Any] = {"messages": sent, "model": model}
    if tools:
        body["tools"] = [{"type": "function", "function": tool} for tool in tools]
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _wire_messages(message: Message) -> list[dict[str, Any]]:
    parts = message["parts"]
    answers = [part for part in parts if part["type"] == "tool_call_response"]
    if answers:
        return [
            {"role": "tool", "tool_call_id": part["id"], "content": _text(part["response"])}
            for part in answers
        ]
    return [{"role": message["role"], **_content(message)}]


def _content(message: Message) -> dict[str, Any]:
    texts = [part["content"] for part in message["parts"] if part["type"] == "text"]
    calls = [part for part in message["parts"] if part["type"] == "tool_call"]
    wire: dict[str, Any] = {"content": "\n".join(texts) if texts else None}
    if calls:
        wire["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
            }
            for call in calls
        ]
    return wire


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def reply_body(said: Message, usage: Usage, model: str, number: int) -> bytes:
    """The JSON reply in which the model says `said`."""
    reason = "tool_calls" if any(p["type"] == "tool_call" for p in said["parts"]) else "stop"
    cached = {"cached_tokens": usage.cached_input_tokens or 0}
    body = {
        "id": f"chatcmpl-{number:04d}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", **_content(said)},
                "finish_reason": reason,
            }
        ],
        "usage": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": (usage.input_tokens or 0) + (usage.output_tokens or 0),
            "prompt_tokens_details": cached,
        },
    }
    return json.dumps(body, ensure_ascii=False).encode()


def reply_events(said: Message, usage: Usage, model: str, number: int) -> list[bytes]:
    """The same as server-sent events, one chunk an event."""
    base = {"id": f"chatcmpl-{number:04d}", "object": "chat.completion.chunk", "model": model}
    content = _content(said)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    words = (content["content"] or "").split(" ")
    deltas += [{"content": word if at == 0 else f" {word}"} for at, word in enumerate(words)]
    for index, call in enumerate(content.get("tool_calls", ())):
        deltas.append({"tool_calls": [{"index": index, **call}]})
    chunks: list[dict[str, Any]] = [
        {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    reason = "tool_calls" if content.get("tool_calls") else "stop"
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    tokens = {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}
    chunks.append({**base, "choices": [], "usage": tokens})
    lines = [json.dumps(chunk, ensure_ascii=False) for chunk in chunks] + ["[DONE]"]
    return [f"data: {line}\n\n".encode() for line in lines]
