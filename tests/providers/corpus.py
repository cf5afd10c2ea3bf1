"""Recorded exchanges with real providers, and plain readings of them to compare with.

The recordings are no part of this repository. They are looked for in the folder that the
environment variable TRACER_CORPUS names, else beside the repository.
"""

import base64
import gzip
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tracer.core.messages import Message
from tracer.providers.base import HttpReply, HttpRequest

FOLDER = Path(
    os.environ.get("TRACER_CORPUS") or Path(__file__).parents[2] / ".." / "shared" / "data"
)
FILE = FOLDER / "exchanges.jsonl.gz"
APIS = {
    "chat.completions": "openai.chat",
    "messages": "anthropic.messages",
    "responses": "openai.responses",
    "converse": "bedrock.converse",
    "converse-stream": "bedrock.converse",
    "invoke": "bedrock.invoke",
    "invoke-stream": "bedrock.invoke",
    "cohere.v2.chat": "cohere.chat",
    "generateContent": "gemini.generate_content",
    "streamGenerateContent": "gemini.generate_content",
    "ollama.chat": "ollama.chat",
    "ollama.generate": "ollama.generate",
}
# Listed with the format above them, but other questions.
_SUB_RESOURCES = ("/responses/compact", "/responses/input_tokens")


@dataclass(frozen=True)
class Exchange:
    """One recorded request and reply; `api` is the format's name here, None for other formats."""

    id: str
    provider: str
    endpoint: str
    api: str | None
    is_stream: bool
    request: HttpRequest
    reply: HttpReply


def exchanges() -> Iterator[Exchange]:
    """All recorded exchanges, bodies decoded."""
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield _exchange(json.loads(line))


def _exchange(entry: dict[str, Any]) -> Exchange:
    sent, got = entry["request"], entry["response"]
    body = base64.b64decode(got["body_b64"] or "")
    if got["stored_encoding"] == "gzip" and body:
        body = gzip.decompress(body)
    request_headers = [(str(name), str(value)) for name, value in sent["headers"]]
    return Exchange(
        id=entry["id"],
        provider=entry["provider"],
        endpoint=entry["endpoint"],
        api=None if _is_other(entry, body) else APIS.get(entry["endpoint"]),
        is_stream=entry["framing"] == "sse",
        request=HttpRequest(
            entry["method"],
            entry["url"],
            request_headers,
            base64.b64decode(sent["body_b64"] or ""),
        ),
        reply=HttpReply(
            entry["status"], [(str(name), str(value)) for name, value in got["headers"]], body
        ),
    )


def _is_other(entry: dict[str, Any], reply: bytes) -> bool:
    """Listed with a format, but another question; Bedrock invokes every kind under one path."""
    if entry["url"].endswith(_SUB_RESOURCES):
        return True
    return entry["endpoint"] == "invoke" and b'"embedding' in reply


def exception_of(exchange: Exchange) -> str | None:
    """Why an exchange holds no whole answer, told from the wire alone; None for whole answers."""
    if exchange.reply.status >= 400:
        return "the provider refused (status of failure)"
    if not exchange.reply.body:
        return "the recording lost the reply's body"
    if exchange.is_stream:
        has_error = b'data: {"error":' in exchange.reply.body
        return "an error ends the stream" if has_error else None
    value = json.loads(exchange.reply.body)
    if value.keys() & {"choices", "content", "output"}:
        return None
    return "an error under status 200" if "error" in value else "an echo server, no model"


def asking(request: HttpRequest, *, stream: bool) -> HttpRequest:
    """The same request with `stream` set or unset; no body stays no body."""
    if not request.body:
        return replace(request, body=b'{"stream":true}' if stream else b"")
    body = json.loads(request.body)
    body.pop("stream", None)
    if stream:
        body["stream"] = True
    return replace(request, body=json.dumps(body).encode())


@dataclass
class Facts:
    """What a model said, whatever the form: the texts joined, and calls as (id, name, raw)."""

    text: str = ""
    refusal: str = ""
    reasoning: str = ""
    calls: list[list[Any]] = field(default_factory=list)
    finish: str | None = None


def plain_facts(exchange: Exchange) -> Facts:
    """Facts of the first choice, read without any code of tracer's and without its care."""
    of_object, of_events = _PLAIN[exchange.api or ""]
    if exchange.is_stream:
        lines = exchange.reply.body.decode().splitlines()
        data = [line[5:].strip() for line in lines if line.startswith("data:")]
        return of_events([json.loads(entry) for entry in data if entry != "[DONE]"])
    return of_object(json.loads(exchange.reply.body))


def _add_content(facts: Facts, content: Any) -> None:
    if isinstance(content, str):
        facts.text += content
    for item in content if isinstance(content, list) else []:
        facts.text += item.get("text") or ""
        facts.reasoning += "".join(piece["text"] for piece in item.get("thinking") or [])


def _chat_object(value: dict[str, Any]) -> Facts:
    choice = value["choices"][0]
    message = choice["message"]
    facts = Facts(finish=choice.get("finish_reason"))
    facts.refusal = message.get("refusal") or ""
    _add_content(facts, message.get("content"))
    facts.reasoning += message.get("reasoning_content") or message.get("reasoning") or ""
    for call in message.get("tool_calls") or []:
        inner = call.get("function") or call["custom"]
        raw = inner.get("arguments", inner.get("input"))
        facts.calls = [*facts.calls, [call["id"] or None, inner["name"], raw]]
    if (message.get("function_call") or {}).get("name"):
        function = message["function_call"]
        facts.calls = [[None, function["name"], function["arguments"]]]
    return facts


def _chat_events(events: list[dict[str, Any]]) -> Facts:
    facts, calls = Facts(), list[list[Any]]()
    for choice in (c for e in events for c in e.get("choices", []) if c["index"] == 0):
        delta = choice.get("delta") or {}
        _add_content(facts, delta.get("content"))
        facts.refusal += delta.get("refusal") or ""
        facts.reasoning += delta.get("reasoning_content") or delta.get("reasoning") or ""
        for call in delta.get("tool_calls") or []:
            if call.get("id"):
                calls.append([call["id"], call["function"]["name"], ""])
            calls[-1][2] += call["function"].get("arguments") or ""
        facts.finish = choice.get("finish_reason") or facts.finish
    facts.calls = calls
    return facts


def _message_object(value: dict[str, Any]) -> Facts:
    facts = Facts(finish=value["stop_reason"])
    for block in value["content"]:
        facts.text += block["text"] if block["type"] == "text" else ""
        facts.reasoning += block["thinking"] if block["type"] == "thinking" else ""
        if block["type"] == "tool_use":
            raw = json.dumps(block["input"])
            facts.calls = [*facts.calls, [block["id"], block["name"], raw]]
    return facts


def _message_events(events: list[dict[str, Any]]) -> Facts:
    facts, calls, is_call = Facts(), list[list[Any]](), False
    for event in events:
        if event["type"] == "content_block_start":
            block = event["content_block"]
            is_call = block["type"] == "tool_use"
            if is_call:
                calls.append([block["id"], block["name"], ""])
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            facts.text += delta.get("text", "")
            facts.reasoning += delta.get("thinking", "")
            if is_call:
                calls[-1][2] += delta.get("partial_json", "")
        elif event["type"] == "message_delta":
            facts.finish = event["delta"]["stop_reason"]
    facts.calls = [[call_id, name, raw or "{}"] for call_id, name, raw in calls]
    return facts


def _response_object(value: dict[str, Any]) -> Facts:
    is_queued = value["status"] == "queued"
    facts, reasoning = Facts(finish=None if is_queued else value["status"]), list[str]()
    for item in value["output"]:
        content = item.get("content") or []
        if item["type"] == "message":
            facts.text += "".join(entry.get("text", "") for entry in content)
            facts.refusal += "".join(entry.get("refusal", "") for entry in content)
        elif item["type"] == "reasoning":
            texts = [entry["text"] for entry in [*item["summary"], *content]]
            reasoning += ["\n\n".join(texts)]
        elif item["type"] in _AGENTS_CALLS and item.get("execution") != "server":
            raw = item["input"] if "input" in item else item["arguments"]
            name = item.get("name", "tool_search")
            facts.calls = [*facts.calls, [item["call_id"], name, raw]]
    facts.reasoning = "".join(reasoning)
    return facts


def _response_events(events: list[dict[str, Any]]) -> Facts:
    """From the pieces alone: what the last event repeats is not looked at."""
    facts, items = Facts(), dict[int, dict[str, Any]]()
    for event in events:
        kind, index = event["type"], event.get("output_index", -1)
        if kind == "response.output_item.added":
            items[index] = event["item"] | {"said": ""}
        elif kind == "response.output_item.done" and isinstance(
            event["item"].get("arguments"), dict
        ):
            items[index]["said"] = json.dumps(event["item"]["arguments"])
        elif kind == "response.output_text.delta":
            facts.text += event["delta"]
        elif kind == "response.refusal.delta":
            facts.refusal += event["delta"]
        elif kind == "response.reasoning_summary_part.added" and event["summary_index"]:
            facts.reasoning += "\n\n"
        elif kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            facts.reasoning += event["delta"]
        elif kind in _CALL_DELTAS:
            items[index]["said"] += event["delta"]
        elif kind in ("response.completed", "response.incomplete"):
            facts.finish = event["response"]["status"]
    for _, item in sorted(items.items()):
        if item["type"] in _AGENTS_CALLS and item.get("execution") != "server":
            call = [item["call_id"], item.get("name", "tool_search"), item["said"]]
            facts.calls = [*facts.calls, call]
    return facts


_AGENTS_CALLS = ("function_call", "custom_tool_call", "tool_search_call")
_CALL_DELTAS = (
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
)
_PLAIN: dict[str, tuple[Callable[[Any], Facts], Callable[[Any], Facts]]] = {
    "openai.chat": (_chat_object, _chat_events),
    "anthropic.messages": (_message_object, _message_events),
    "openai.responses": (_response_object, _response_events),
}


def facts_of(message: Message) -> Facts:
    """The same facts of a message as tracer read it; arguments as JSON."""
    parts = message["parts"]
    return Facts(
        text="".join(part["content"] for part in parts if part["type"] == "text"),
        refusal="".join(part["content"] for part in parts if part["type"] == "refusal"),
        reasoning="".join(part["content"] for part in parts if part["type"] == "reasoning"),
        calls=[
            [part.get("id"), part["name"], part["arguments"]]
            for part in parts
            if part["type"] == "tool_call"
        ],
        finish=message.get("finish_reason"),
    )


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text inside `value` with the key it stands under; JSON inside text is opened."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from leaves(child, name)
    elif isinstance(value, list):
        for child in value:
            yield from leaves(child, key)
    elif isinstance(value, str) and value:
        if value.startswith("data:"):
            value = value.partition("base64,")[2]
        if key == "arguments":
            try:
                yield from leaves(json.loads(value), "argument")
                return
            except ValueError:
                pass
        yield key, value
