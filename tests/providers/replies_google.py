"""Small recorded replies in Gemini's and Ollama's formats, and requests for them."""

import json
from typing import Any, Literal

from tracer.core.messages import Message
from tracer.providers import api_named
from tracer.providers.base import HttpReply, HttpRequest
from tracer.providers.sse import emit

from .replies import JSON_HEADERS, json_reply, tool_call

GEMINI = api_named("gemini.generate_content")
OLLAMA = api_named("ollama.chat")
GENERATE = api_named("ollama.generate")
HOST = "https://generativelanguage.googleapis.com"
ACTIONS = {
    "json": "generateContent",
    "sse": "streamGenerateContent?alt=sse",
    "array": "streamGenerateContent",
}
Form = Literal["json", "sse", "array"]
SIGNATURE = "++//2S5t6F5Q4832SA="


def gemini_request(form: bool | Form = "json", query: str = "", **fields: Any) -> HttpRequest:
    """A request for generateContent; True stands for a stream of events."""
    named = ("sse" if form else "json") if isinstance(form, bool) else form
    body = {"contents": [{"role": "user", "parts": [{"text": "Weather?"}]}], **fields}
    url = f"{HOST}/v1beta/models/gemini-x:{ACTIONS[named]}{query}"
    return HttpRequest("POST", url, [], json.dumps(body).encode())


def ollama_request(stream: bool = False, **fields: Any) -> HttpRequest:
    """A request for /api/chat, which says when it reads no stream."""
    body = {"model": "qwen-x", "messages": [{"role": "user", "content": "Weather?"}], **fields}
    if not stream:
        body["stream"] = False
    return HttpRequest("POST", "http://h:11434/api/chat", [], json.dumps(body).encode())


def generate_request(stream: bool = False, **fields: Any) -> HttpRequest:
    """A request for /api/generate."""
    body = {"model": "qwen-x", "prompt": "Weather?", **fields, **({} if stream else _NO_STREAM)}
    return HttpRequest("POST", "http://h:11434/api/generate", [], json.dumps(body).encode())


_NO_STREAM = {"stream": False}


def gemini_json(*parts: Any, **fields: Any) -> HttpReply:
    """A JSON reply of one candidate with these parts."""
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": "STOP"}
    return json_reply({"candidates": [{**candidate, **fields}], **_TOP})


def gemini_chunk(*parts: Any, finish: str | None = None, **top: Any) -> dict[str, Any]:
    """One chunk of a stream."""
    ending = {"finishReason": finish} if finish else {}
    content = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    return {"candidates": [{**content, **ending}], "responseId": "r1", **top}


def gemini_stream(*chunks: Any, tail: bytes = b"") -> HttpReply:
    """A stream of these chunks, as events."""
    body = emit((None, json.dumps(chunk)) for chunk in chunks).replace(b"\n", b"\r\n")
    return HttpReply(200, [("Content-Type", "text/event-stream")], body + tail)


def gemini_array(*chunks: Any) -> HttpReply:
    """The same as one array, printed as the provider does."""
    said = "\n,\r\n".join(json.dumps(chunk, indent=2, ensure_ascii=False) for chunk in chunks)
    return HttpReply(200, JSON_HEADERS, f"[{said}\n]\n".encode())


def lines(*values: Any) -> HttpReply:
    """A stream of lines."""
    body = "".join(json.dumps(value) + "\n" for value in values)
    return HttpReply(200, [("Content-Type", "application/x-ndjson")], body.encode())


USAGE = {
    "promptTokenCount": 20,
    "toolUsePromptTokenCount": 3,
    "cachedContentTokenCount": 5,
    "candidatesTokenCount": 9,
    "thoughtsTokenCount": 4,
    "totalTokenCount": 36,
}
_TOP = {"usageMetadata": USAGE, "modelVersion": "gemini-x-1", "responseId": "r1"}
THOUGHT = {"text": "Look it up.", "thought": True}
CALL_A = {
    "functionCall": {"id": "call_a", "name": "weather", "args": {"city": "Oslo"}},
    "thoughtSignature": SIGNATURE,
}
CALL_B = {"functionCall": {"id": "call_b", "name": "weather", "args": {"city": "Rome"}}}
GEMINI_JSON = gemini_json(THOUGHT, {"text": "I look."}, CALL_A, CALL_B)
_CHUNKS = (
    gemini_chunk({"text": "Look ", "thought": True}),
    gemini_chunk({"text": "it up.", "thought": True}),
    gemini_chunk({"text": "I "}),
    gemini_chunk({"text": "look."}),
    gemini_chunk(CALL_A),
    gemini_chunk(CALL_B, finish="STOP", **_TOP),
)
GEMINI_STREAM = gemini_stream(*_CHUNKS)
GEMINI_ARRAY = gemini_array(*_CHUNKS)
EDITED_GEMINI: Message = {
    "role": "assistant",
    "parts": [
        {"type": "reasoning", "content": "Look it up."},
        {**tool_call("weather", {"city": "Bergen"}, "call_a"), "thoughtSignature": SIGNATURE},
    ],
}

_COUNTS = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 5,
    "prompt_eval_count": 21,
    "eval_count": 9,
}
_COMMON = {"model": "qwen-x", "created_at": "2026-08-07T06:08:23.5Z"}
_CALL = {"id": "call_a", "function": {"index": 0, "name": "weather", "arguments": {"city": "Oslo"}}}
OLLAMA_SAID = {
    "role": "assistant",
    "content": "I look.",
    "thinking": "Look it up.",
    "tool_calls": [_CALL],
}
OLLAMA_JSON = json_reply({**_COMMON, "message": OLLAMA_SAID, **_COUNTS})


def _line(**said: Any) -> dict[str, Any]:
    return {**_COMMON, "message": {"role": "assistant", "content": "", **said}, "done": False}


OLLAMA_STREAM = lines(
    _line(thinking="Look "),
    _line(thinking="it up."),
    _line(content="I "),
    _line(content="look."),
    _line(tool_calls=[_CALL]),
    {**_line(), **_COUNTS},
)
GENERATE_JSON = json_reply(
    {**_COMMON, "response": "I look.", "thinking": "Look it up.", "context": [1, 2], **_COUNTS}
)
GENERATE_STREAM = lines(
    {**_COMMON, "response": "", "thinking": "Look it up.", "done": False},
    {**_COMMON, "response": "I ", "done": False},
    {**_COMMON, "response": "look.", "done": False},
    {**_COMMON, "response": "", "context": [1, 2], **_COUNTS},
)
EDITED_OLLAMA: Message = {
    "role": "assistant",
    "parts": [
        {"type": "reasoning", "content": "Look it up."},
        tool_call("weather", {"city": "Bergen"}, "call_a"),
    ],
}
