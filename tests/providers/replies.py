"""Small recorded replies in both forms, requests for them, and other ways to say it."""

import json
from typing import Any

from tracer.core.messages import Message
from tracer.providers import api_named
from tracer.providers.base import HttpReply, HttpRequest
from tracer.providers.sse import emit

CHAT = api_named("openai.chat")
MESSAGES = api_named("anthropic.messages")
RESPONSES = api_named("openai.responses")
EMBEDDINGS = api_named("openai.embeddings")
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


def responses_request(stream: bool = False, **fields: Any) -> HttpRequest:
    """A request for Responses."""
    body = {"model": "gpt-x", "input": "Weather?", **fields}
    if stream:
        body["stream"] = True
    url = "https://api.openai.com/v1/responses"
    return HttpRequest("POST", url, [], json.dumps(body).encode())


def embeddings_request(given: Any = "Weather?", **fields: Any) -> HttpRequest:
    """A request for embeddings."""
    body = {"model": "embed-x", "input": given, **fields}
    url = "https://api.openai.com/v1/embeddings"
    return HttpRequest("POST", url, [], json.dumps(body).encode())


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


RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 7,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "model": "gpt-x-1",
    "output": [
        {
            "id": "rs_1",
            "type": "reasoning",
            "summary": [
                {"type": "summary_text", "text": "Look it up."},
                {"type": "summary_text", "text": "Twice."},
            ],
            "encrypted_content": "gAAAc2ln+/==",
        },
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "phase": "commentary",
            "content": [
                {"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []}
            ],
        },
        {
            "id": "fc_1",
            "type": "function_call",
            "status": "completed",
            "call_id": "call_a",
            "name": "weather",
            "arguments": '{ "city": "Oslo" }',
        },
        {
            "id": "fc_2",
            "type": "function_call",
            "status": "completed",
            "call_id": "call_b",
            "name": "weather",
            "arguments": '{"city":"Rome"}',
        },
    ],
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "x_new": {"kept": True},
    "usage": {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 29,
    },
}
RESPONSE_JSON = json_reply(RESPONSE)


def responses_stream(*events: dict[str, Any]) -> HttpReply:
    """A Responses stream of these events."""
    numbered = (
        (event["type"], json.dumps({**event, "sequence_number": number}))
        for number, event in enumerate(events)
    )
    return HttpReply(200, STREAM_HEADERS, emit(numbered))


def _response_events() -> list[dict[str, Any]]:
    reasoning, message, *calls = RESPONSE["output"]
    opening = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": opening},
        {"type": "response.in_progress", "response": opening},
        _item("added", 0, {**reasoning, "summary": []}),
    ]
    for index, entry in enumerate(reasoning["summary"]):
        here = {"item_id": "rs_1", "output_index": 0, "summary_index": index}
        stem = "response.reasoning_summary"
        events += [
            {"type": f"{stem}_part.added", **here, "part": {**entry, "text": ""}},
            {"type": f"{stem}_text.delta", **here, "delta": entry["text"][:4]},
            {"type": f"{stem}_text.delta", **here, "delta": entry["text"][4:]},
            {"type": f"{stem}_text.done", **here, "text": entry["text"]},
            {"type": f"{stem}_part.done", **here, "part": entry},
        ]
    [entry] = message["content"]
    here = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    events += [
        _item("done", 0, reasoning),
        {"type": "keepalive"},
        _item("added", 1, {**message, "status": "in_progress", "content": []}),
        {"type": "response.content_part.added", **here, "part": {**entry, "text": ""}},
        {"type": "response.output_text.delta", **here, "delta": "I ", "logprobs": []},
        {"type": "response.output_text.delta", **here, "delta": "look.", "logprobs": []},
        {"type": "response.output_text.done", **here, "text": "I look.", "logprobs": []},
        {"type": "response.content_part.done", **here, "part": entry},
        _item("done", 1, message),
    ]
    for index, call in enumerate(calls, 2):
        here = {"item_id": call["id"], "output_index": index}
        stem = "response.function_call_arguments"
        events += [
            _item("added", index, {**call, "status": "in_progress", "arguments": ""}),
            {"type": f"{stem}.delta", **here, "delta": call["arguments"][:5]},
            {"type": f"{stem}.delta", **here, "delta": call["arguments"][5:]},
            {"type": f"{stem}.done", **here, "arguments": call["arguments"]},
            _item("done", index, call),
        ]
    return [*events, {"type": "response.completed", "response": RESPONSE}]


def _item(end: str, index: int, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": f"response.output_item.{end}", "output_index": index, "item": item}


RESPONSE_EVENTS = _response_events()
RESPONSE_STREAM = responses_stream(*RESPONSE_EVENTS)
EMBEDDINGS_JSON = json_reply(
    {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": [0.25, -1.5, 0.0]}
            for index in range(2)
        ],
        "model": "embed-x-1",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
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
REASONING = {
    "type": "reasoning",
    "content": "Look it up.\n\nTwice.",
    "id": "rs_1",
    "encrypted_content": "gAAAc2ln+/==",
    "summary": [
        {"type": "summary_text", "text": "Look it up."},
        {"type": "summary_text", "text": "Twice."},
    ],
}
EDITED_RESPONSE: Message = {
    "role": "assistant",
    "parts": [
        REASONING,
        {**tool_call("weather", {"city": "Bergen"}, "call_a"), "item_id": "fc_1"},
        {**tool_call("weather", {"city": "Rome"}, "call_b"), "item_id": "fc_2"},
    ],
}
