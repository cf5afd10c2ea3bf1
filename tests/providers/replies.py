"""Small recorded replies in both forms, requests for them, and other ways to say it."""

import json
from typing import Any

from tracer.core.messages import Message
from tracer.providers import api_named
from tracer.providers.base import HttpReply, HttpRequest
from tracer.providers.sse import emit

CHAT = api_named("openai.chat")
MESSAGES = api_named("anthropic.messages")
JSON_HEADERS = [("Content-Type", "application/json"), ("x-request-id", "req_1")]
STREAM_HEADERS = [("Content-Type", "text/event-stream"), ("x-request-id", "req_1")]


def chat_request(stream: bool = False, **fields: Any) -> HttpRequest:
    """A request for Chat Completions."""
    body = {"model": "gpt-x", "messages": [{"role": "user", "content": "Weather?"}], **fields}
    if stream:
        body["stream"] = True
    url = "https://api.openai.com/v1/chat/completions"
    return HttpRequest("POST", url, [], json.dumps(body).encode())


def messages_request(stream: bool = False, **fields: Any) -> HttpRequest:
    """A request for Messages."""
    asked = [{"role": "user", "content": "Weather?"}]
    body = {"model": "claude-x", "max_tokens": 99, "messages": asked, **fields}
    if stream:
        body["stream"] = True
    return HttpRequest(
        "POST", "https://api.anthropic.com/v1/messages", [], json.dumps(body).encode()
    )


def json_reply(value: Any, status: int = 200) -> HttpReply:
    """A JSON reply as recorded, stale framing headers included."""
    body = json.dumps(value).encode()
    stale = [("content-encoding", "gzip"), ("Content-Length", "12"), ("connection", "close")]
    return HttpReply(status, [*JSON_HEADERS, *stale], body)


def chat_stream(*chunks: Any, done: bool = True) -> HttpReply:
    """A Chat Completions stream of these chunks."""
    data = [json.dumps(chunk) for chunk in chunks] + (["[DONE]"] if done else [])
    stale = ("transfer-encoding", "chunked")
    return HttpReply(200, [*STREAM_HEADERS, stale], emit((None, entry) for entry in data))


def messages_stream(*events: dict[str, Any]) -> HttpReply:
    """A Messages stream of these events."""
    body = emit((event["type"], json.dumps(event)) for event in events)
    return HttpReply(200, STREAM_HEADERS, body)


def chat_chunk(delta: Any = None, finish: str | None = None, **top: Any) -> dict[str, Any]:
    """One chunk with one choice."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {**_CHUNK, "choices": [choice], **top}


_CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 7,
    "model": "gpt-x-1",
    "system_fingerprint": "fp_1",
}

CHAT_JSON = json_reply(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "gpt-x-1",
        "system_fingerprint": "fp_1",
        "x_new": {"kept": True},
        "choices": [
            {
                "index": 0,
                "logprobs": None,
                "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                    "tool_calls": [
                        {
                            "id": "call_a",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{ "city": "Oslo" }'},
                        },
                        {
                            "id": "call_b",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
                        },
                    ],
                },
            }
        ],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 9,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
    }
)


def _fragment(index: int, arguments: str, **opening: Any) -> dict[str, Any]:
    name = {"name": opening.pop("name")} if opening else {}
    function = {**name, "arguments": arguments}
    return chat_chunk({"tool_calls": [{"index": index, **opening, "function": function}]})


CHAT_STREAM = chat_stream(
    chat_chunk({"role": "assistant", "content": None}),
    _fragment(0, "", id="call_a", type="function", name="weather"),
    _fragment(0, '{ "city"'),
    _fragment(0, ': "Oslo" }'),
    _fragment(1, "", id="call_b", type="function", name="weather"),
    _fragment(1, '{"city":"Rome"}'),
    chat_chunk(finish="tool_calls"),
)

MESSAGE_JSON = json_reply(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x-1",
        "content": [
            {"type": "thinking", "thinking": "Look it up.", "signature": "c2ln+/=="},
            {"type": "redacted_thinking", "data": "b3BhcXVl"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_a", "name": "weather", "input": {"city": "Oslo"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "x_new": {"kept": True},
        "usage": {
            "input_tokens": 10,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 7,
            "output_tokens": 30,
            "output_tokens_details": {"thinking_tokens": 12},
        },
    }
)


def _delta(index: int, kind: str, **fields: str) -> dict[str, Any]:
    return {
        "type": "content_block_delta",
        "index": index,
        "delta": {"type": kind, **fields},
    }


def _start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


MESSAGE_STREAM = messages_stream(
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-x-1",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "x_new": {"kept": True},
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 1},
        },
    },
    {"type": "ping"},
    _start(0, type="thinking", thinking="", signature=""),
    _delta(0, "thinking_delta", thinking="Look "),
    _delta(0, "thinking_delta", thinking="it up."),
    _delta(0, "signature_delta", signature="c2ln+/=="),
    {"type": "content_block_stop", "index": 0},
    _start(1, type="redacted_thinking", data="b3BhcXVl"),
    {"type": "content_block_stop", "index": 1},
    _start(2, type="text", text=""),
    _delta(2, "text_delta", text="I look."),
    {"type": "content_block_stop", "index": 2},
    _start(3, type="tool_use", id="toolu_a", name="weather", input={}),
    _delta(3, "input_json_delta", partial_json='{"city":'),
    _delta(3, "input_json_delta", partial_json=' "Oslo"}'),
    {"type": "content_block_stop", "index": 3},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {
            "output_tokens": 30,
            "cache_creation_input_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 12},
        },
    },
    {"type": "message_stop"},
)

TEXT: Message = {
    "role": "assistant",
    "parts": [{"type": "text", "content": "It is sunny, said the second opinion: 23 °C. ☀"}],
}


def tool_call(name: str, arguments: Any, call_id: str | None = None) -> dict[str, Any]:
    """A `tool_call` part."""
    identity = {"id": call_id} if call_id else {}
    return {"type": "tool_call", **identity, "name": name, "arguments": arguments}


OTHER_TOOL: Message = {
    "role": "assistant",
    "parts": [tool_call("refund", {"order": 7, "ok": True})],
}
EDITED_CHAT: Message = {
    "role": "assistant",
    "parts": [
        tool_call("weather", {"city": "Bergen"}, "call_a"),
        tool_call("weather", {"city": "Rome"}, "call_b"),
    ],
}
EDITED_MESSAGE: Message = {
    "role": "assistant",
    "parts": [
        {"type": "reasoning", "content": "Look it up.", "signature": "c2ln+/=="},
        {"type": "reasoning", "content": "", "redacted_data": "b3BhcXVl"},
        tool_call("weather", {"city": "Bergen"}, "toolu_a"),
    ],
}
