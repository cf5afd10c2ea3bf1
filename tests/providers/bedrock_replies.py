"""Small recorded replies of Bedrock and Cohere in both forms, and requests for them."""

import base64
import json
from typing import Any

from tracer.providers import api_named, eventstream
from tracer.providers.base import HttpReply, HttpRequest
from tracer.providers.sse import emit

CONVERSE = api_named("bedrock.converse")
INVOKE = api_named("bedrock.invoke")
COHERE = api_named("cohere.chat")
FRAME_HEADERS = [
    ("Content-Type", "application/vnd.amazon.eventstream"),
    ("x-amzn-RequestId", "r-1"),
    ("transfer-encoding", "chunked"),
]
MODEL = "us.anthropic.claude-x-v1%3A0"


def converse_request(stream: bool = False, **fields: Any) -> HttpRequest:
    """A request for Converse."""
    body = {"messages": [{"role": "user", "content": [{"text": "Weather?"}]}], **fields}
    verb = "converse-stream" if stream else "converse"
    url = f"https://bedrock-runtime.eu-west-1.amazonaws.com/model/{MODEL}/{verb}"
    return HttpRequest("POST", url, [], json.dumps(body).encode())


def invoke_request(stream: bool = False, model: str = MODEL, **fields: Any) -> HttpRequest:
    """A request for invoke; Anthropic's unless `fields` say otherwise."""
    asked = [{"role": "user", "content": "Weather?"}]
    anthropic = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": asked}
    verb = "invoke-with-response-stream" if stream else "invoke"
    url = f"https://bedrock-runtime.eu-west-1.amazonaws.com/model/{model}/{verb}"
    return HttpRequest("POST", url, [], json.dumps(fields or anthropic).encode())


def cohere_request(stream: bool = False, **fields: Any) -> HttpRequest:
    """A request for Cohere's chat."""
    body = {"model": "command-x", "messages": [{"role": "user", "content": "Weather?"}], **fields}
    body["stream"] = stream
    return HttpRequest("POST", "https://api.cohere.com/v2/chat", [], json.dumps(body).encode())


def frames(*events: tuple[str, Any], tail: bytes = b"") -> HttpReply:
    """An event stream of `(type, payload)`, each padded as the service does."""
    body = eventstream.emit((kind, json.dumps({**p, "p": "abc"}).encode()) for kind, p in events)
    return HttpReply(200, FRAME_HEADERS, body + tail)


def chunks(*events: Any, tail: bytes = b"") -> HttpReply:
    """An event stream of a vendor's own events."""
    coded = [base64.b64encode(json.dumps(event).encode()).decode() for event in events]
    return frames(*(("chunk", {"bytes": code}) for code in coded), tail=tail)


def cohere_stream(*events: dict[str, Any], done: bool = True) -> HttpReply:
    """A stream of Cohere's."""
    said: list[tuple[str | None, str]] = [(event["type"], json.dumps(event)) for event in events]
    body = emit([*said, (None, "[DONE]")] if done else said)
    return HttpReply(200, [("content-type", "text/event-stream"), ("x-id", "1")], body)


_SIGNED = {"text": "Look it up.", "signature": "c2ln+/=="}
_OSLO = {"city": "Oslo"}
CONVERSE_VALUE: dict[str, Any] = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": _SIGNED}},
                {"reasoningContent": {"redactedContent": "b3BhcXVl"}},
                {"text": "I look."},
                {"toolUse": {"toolUseId": "tooluse_a", "name": "weather", "input": _OSLO}},
                {"toolUse": {"toolUseId": "tooluse_b", "name": "clock", "input": {}}},
            ],
        }
    },
    "stopReason": "tool_use",
    "x_new": {"kept": True},
    "usage": {
        "inputTokens": 10,
        "cacheReadInputTokens": 100,
        "cacheWriteInputTokens": 7,
        "outputTokens": 30,
        "totalTokens": 147,
    },
    "metrics": {"latencyMs": 12},
}  # fmt: skip


def _delta(index: int, **delta: Any) -> tuple[str, Any]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": delta}


def _stop(index: int) -> tuple[str, Any]:
    return "contentBlockStop", {"contentBlockIndex": index}


def _start(index: int, **use: str) -> tuple[str, Any]:
    return "contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": use}}


CONVERSE_EVENTS: list[tuple[str, Any]] = [
    ("messageStart", {"role": "assistant"}),
    _delta(0, reasoningContent={"text": "Look "}),
    _delta(0, reasoningContent={"text": "it up."}),
    _delta(0, reasoningContent={"signature": "c2ln+/=="}),
    _stop(0),
    _delta(1, reasoningContent={"redactedContent": "b3BhcXVl"}),
    _stop(1),
    _delta(2, text="I "),
    _delta(2, text="look."),
    _stop(2),
    _start(3, toolUseId="tooluse_a", name="weather"),
    _delta(3, toolUse={"input": ""}),
    _delta(3, toolUse={"input": '{"city":'}),
    _delta(3, toolUse={"input": ' "Oslo"}'}),
    _stop(3),
    _start(4, toolUseId="tooluse_b", name="clock"),
    _stop(4),
    ("messageStop", {"stopReason": "tool_use"}),
    ("metadata", {key: CONVERSE_VALUE[key] for key in ("usage", "metrics", "x_new")}),
]

COHERE_VALUE: dict[str, Any] = {
    "id": "c-1",
    "message": {
        "role": "assistant",
        "tool_plan": "I will look.",
        "content": [
            {"type": "thinking", "thinking": "Look it up."},
            {"type": "text", "text": "I look."},
        ],
        "tool_calls": [
            {
                "id": "w_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{ "city": "Oslo" }'},
            }
        ],
        "citations": [{"start": 0, "end": 1, "text": "I", "sources": [], "type": "TEXT_CONTENT"}],
    },
    "finish_reason": "TOOL_CALL",
    "x_new": {"kept": True},
    "usage": {
        "billed_units": {"input_tokens": 7, "output_tokens": 9},
        "tokens": {"input_tokens": 70, "output_tokens": 90, "reasoning_tokens": 5},
        "cached_tokens": 60,
    },
}


def _said(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    place = {} if index is None else {"index": index}
    return {"type": kind, **place, "delta": {"message": message}}


COHERE_EVENTS: list[dict[str, Any]] = [
    {"id": "c-1", **_said("message-start", role="assistant", content=[], tool_plan="")},
    _said("tool-plan-delta", tool_plan="I will "),
    _said("tool-plan-delta", tool_plan="look."),
    _said("content-start", 0, content={"type": "thinking", "thinking": ""}),
    _said("content-delta", 0, content={"thinking": "Look it up."}),
    {"type": "content-end", "index": 0},
    _said("content-start", 1, content={"type": "text", "text": ""}),
    _said("content-delta", 1, content={"text": "I "}),
    _said("content-delta", 1, content={"text": "look."}),
    {"type": "content-end", "index": 1},
    _said("citation-start", 0, citations=COHERE_VALUE["message"]["citations"][0]),
    {"type": "citation-end", "index": 0},
    _said("tool-call-start", 0, tool_calls={
        "id": "w_1", "type": "function", "function": {"name": "weather", "arguments": ""},
    }),
    _said("tool-call-delta", 0, tool_calls={"function": {"arguments": '{ "city":'}}),
    _said("tool-call-delta", 0, tool_calls={"function": {"arguments": ' "Oslo" }'}}),
    {"type": "tool-call-end", "index": 0},
    {
        "type": "message-end",
        "delta": {"finish_reason": "TOOL_CALL", "usage": COHERE_VALUE["usage"]},
        "x_new": {"kept": True},
    },
]  # fmt: skip
