"""A server for Gemini's and Ollama's formats, written from their documentation, on `OddServer`.

`Asking` is what the model sees of a request; a `Say` function decides what it answers: text, and
tool calls as (name, arguments). Answers with calls are signed and have a thought.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.servers import Asked, Exchange, OddServer

Calls = list[tuple[str, dict[str, Any]]]
THOUGHT = "The user wants to travel."


@dataclass(frozen=True)
class Asking:
    """`results`: what tools answered so far, in order; `words`: what people wrote."""

    words: list[str]
    results: list[dict[str, Any]]


Say = Callable[[Asking], tuple[str, Calls]]


@contextmanager
def google_server(say: Say) -> Iterator[OddServer]:
    """A running server that answers with `say`."""

    def odd(exchange: Exchange) -> None:
        if exchange.asked.path.startswith("/api/"):
            ollama(exchange, say)
        else:
            gemini(exchange, say)

    with OddServer(odd) as server:
        yield server


def signature(asked: Asked) -> str:
    """A signature for the answer to a request, whose base64 needs every sign it has."""
    digest = hashlib.sha256(asked.body).digest()
    return base64.b64encode(b"\xfb\xef\xff" + digest).decode()


def gemini(exchange: Exchange, say: Say) -> None:
    """Answer a request for Gemini's generateContent, whole or as a stream."""
    asked = exchange.asked
    words, results = list[str](), list[dict[str, Any]]()
    for content in asked.json["contents"]:
        for part in content["parts"]:
            if "functionResponse" in part:
                results.append(part["functionResponse"]["response"])
            elif content.get("role") != "model":
                words.append(part["text"])
    text, calls = say(Asking(words, results))
    parts: list[dict[str, Any]] = [{"text": THOUGHT, "thought": True}]
    parts += [{"text": text}] if text else []
    for place, (name, arguments) in enumerate(calls):
        signed = {} if place else {"thoughtSignature": signature(asked)}
        parts.append({"functionCall": {"name": name, "args": arguments}, **signed})
    identity: dict[str, Any] = {
        "modelVersion": "gemini-2.5-flash-001",
        "responseId": f"r{exchange.number}",
    }
    usage = {"promptTokenCount": 30, "candidatesTokenCount": 7, "thoughtsTokenCount": 5,
             "totalTokenCount": 42}  # fmt: skip
    if ":streamGenerateContent" not in asked.path:
        candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}
        exchange.reply({"candidates": [candidate], "usageMetadata": usage, **identity})
        return
    exchange.begin(headers={"content-type": "text/event-stream"})
    pieces = [half for part in parts for half in _in_two(part)]
    for place, part in enumerate(pieces):
        piece: dict[str, Any] = {"content": {"parts": [part], "role": "model"}, "index": 0}
        chunk: dict[str, Any] = {"candidates": [piece], **identity}
        if place == len(pieces) - 1:
            piece["finishReason"] = "STOP"
            chunk["usageMetadata"] = usage
        exchange.chunk(f"data: {json.dumps(chunk)}\r\n\r\n".encode())
    exchange.finish()


def _in_two(part: dict[str, Any]) -> list[dict[str, Any]]:
    if "text" not in part:
        return [part]
    half = len(part["text"]) // 2
    return [{**part, "text": part["text"][:half]}, {**part, "text": part["text"][half:]}]


def ollama(exchange: Exchange, say: Say) -> None:
    """Answer a request for Ollama's chat or generate, whole or as lines."""
    body = exchange.asked.json
    messages = body.get("messages") or [{"role": "user", "content": body.get("prompt")}]
    results = [json.loads(m["content"]) for m in messages if m["role"] == "tool"]
    words = [m["content"] for m in messages if m["role"] == "user"]
    text, calls = say(Asking(words, results))
    common = {"model": body["model"], "created_at": "2026-08-07T06:08:23.5Z"}
    counts = {"done": True, "done_reason": "stop", "prompt_eval_count": 21, "eval_count": 9}
    wire = [{"function": {"name": name, "arguments": said}} for name, said in calls]
    said = {"content": text, "thinking": THOUGHT, **({"tool_calls": wire} if wire else {})}
    if body.get("stream") is False:
        exchange.reply({**common, **_held(exchange, said), **counts})
        return
    exchange.begin(headers={"content-type": "application/x-ndjson"})
    half = len(text) // 2
    pieces: list[dict[str, Any]] = [
        {"content": "", "thinking": THOUGHT[:5]},
        {"content": "", "thinking": THOUGHT[5:]},
        {"content": text[:half]},
        {"content": text[half:]},
        *({"content": "", "tool_calls": [call]} for call in wire),
    ]
    for piece in pieces:
        line = {**common, **_held(exchange, piece), "done": False}
        exchange.chunk(json.dumps(line).encode() + b"\n")
    last = {**common, **_held(exchange, {"content": ""}), **counts}
    exchange.chunk(json.dumps(last).encode() + b"\n")
    exchange.finish()


def _held(exchange: Exchange, said: dict[str, Any]) -> dict[str, Any]:
    if exchange.asked.path == "/api/chat":
        return {"message": {"role": "assistant", **said}}
    return {"response" if key == "content" else key: value for key, value in said.items()}
