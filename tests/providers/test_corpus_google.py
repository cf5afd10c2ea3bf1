"""Recorded exchanges in Gemini's and Ollama's formats: read without loss, built again, edited."""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tracer.providers import api_named
from tracer.providers.base import Api, HttpReply, HttpRequest, ModelReply
from tracer.providers.jsontext import same_json

from .corpus import FILE, Exchange, exchanges, leaves
from .replies import TEXT, tool_call

pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"no recorded exchanges at {FILE}")

GEMINI = "gemini.generate_content"
OLLAMA = ("ollama.chat", "ollama.generate")
FORMS = ("json", "stream", "array")
_REWORDED = frozenset({"role", "language", "type", "outcome", "format", "toolType"})


@dataclass
class Facts:
    """What a model said, read without any code of tracer's and without its care."""

    text: str = ""
    reasoning: str = ""
    calls: list[Any] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    finish: Any = None
    usage: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def ours() -> list[Exchange]:
    return [e for e in exchanges() if e.api == GEMINI or e.api in OLLAMA]


@pytest.fixture(scope="module")
def answers(ours: list[Exchange]) -> list[Exchange]:
    return [e for e in ours if e.reply.status == 200 and e.reply.body]


def _api(exchange: Exchange) -> Api:
    assert exchange.api
    return api_named(exchange.api)


def _read(exchange: Exchange) -> ModelReply:
    return _api(exchange).read_reply(exchange.request, exchange.reply)


def _is_streamed(exchange: Exchange) -> bool:
    if exchange.api == GEMINI:
        return exchange.is_stream
    return len(exchange.reply.body.strip().splitlines()) > 1


def _chunks(exchange: Exchange) -> list[dict[str, Any]]:
    body = exchange.reply.body.decode()
    if not _is_streamed(exchange):
        return [json.loads(body)]
    lines = [line.removeprefix("data:") for line in body.splitlines()]
    return [json.loads(line) for line in lines if line.strip()]


def _plain(exchange: Exchange) -> Facts:
    facts = Facts()
    for chunk in _chunks(exchange):
        (_gemini_chunk if exchange.api == GEMINI else _ollama_line)(facts, chunk)
    return facts


def _gemini_chunk(facts: Facts, chunk: dict[str, Any]) -> None:
    facts.usage = chunk.get("usageMetadata") or facts.usage
    for candidate in chunk.get("candidates") or []:
        facts.finish = candidate.get("finishReason") or facts.finish
        for part in (candidate.get("content") or {}).get("parts") or []:
            if part.get("thought"):
                facts.reasoning += part["text"]
            else:
                facts.text += part.get("text") or ""
            if "functionCall" in part:
                call = part["functionCall"]
                facts.calls = [*facts.calls, [call.get("id"), call["name"], call.get("args", {})]]
            if "thoughtSignature" in part:
                facts.signatures = [*facts.signatures, part["thoughtSignature"]]


def _ollama_line(facts: Facts, line: dict[str, Any]) -> None:
    message = line.get("message") or {"content": line.get("response")}
    facts.text += message.get("content") or ""
    facts.reasoning += message.get("thinking") or line.get("thinking") or ""
    facts.finish = line.get("done_reason") or facts.finish
    facts.usage = line
    for call in message.get("tool_calls") or []:
        said = call["function"]
        facts.calls = [*facts.calls, [call.get("id"), said["name"], said["arguments"]]]


def _signatures(value: Any) -> list[str]:
    return [text for key, text in leaves(value) if key == "thoughtSignature"]


def test_all_of_them_are_here(ours: list[Exchange], answers: list[Exchange]) -> None:
    kinds = Counter((exchange.api, _is_streamed(exchange)) for exchange in answers)
    assert len(kinds) == 6
    assert len(ours) - len(answers) < 20


def test_requests_are_read_without_loss(ours: list[Exchange]) -> None:
    for exchange in ours:
        if not exchange.request.body:
            continue
        wire = json.loads(exchange.request.body)
        read = _api(exchange).read_request(exchange.request)
        assert read.model, exchange.id
        keys = ("contents", "systemInstruction", "system_instruction", "messages", "prompt")
        asked = [wire[key] for key in (*keys, "system", "images") if key in wire]
        kept = Counter(text for _, text in leaves(read.messages))
        said = Counter(text for key, text in leaves(asked) if key not in _REWORDED)
        assert not said - kept, (exchange.id, said - kept)
        tools = Counter(text for _, text in leaves([read.tools, read.parameters]))
        rest = {k: v for k, v in wire.items() if k not in (*keys, "system", "images", "model")}
        lost = Counter(text for key, text in leaves(rest) if key != "type") - tools
        assert not lost, (exchange.id, lost)
        if exchange.api == GEMINI:
            assert read.stream == (exchange.endpoint == "streamGenerateContent")
            assert f"/{read.model}:" in exchange.request.url


def test_replies_are_read_without_loss(answers: list[Exchange]) -> None:
    for exchange in answers:
        read = _read(exchange)
        assert (read.error, read.complete) == (None, True), exchange.id
        expected = _plain(exchange)
        parts = [part for message in read.messages for part in message["parts"]]
        texts = "".join(part["content"] for part in parts if part["type"] == "text")
        thoughts = "".join(part["content"] for part in parts if part["type"] == "reasoning")
        calls = [
            [p.get("id"), p["name"], p["arguments"]] for p in parts if p["type"] == "tool_call"
        ]
        assert (texts, thoughts, calls) == (expected.text, expected.reasoning, expected.calls)
        assert _signatures(parts) == expected.signatures, exchange.id
        assert [m.get("finish_reason") for m in read.messages] == [_meant(expected)], exchange.id
        kept = {text for _, text in leaves(parts)}
        for key, text in leaves([_said(chunk) for chunk in _chunks(exchange)]):
            is_there = text in kept or any(text in whole for whole in kept)
            assert is_there or key in _REWORDED, (exchange.id, key, text)
        has_content = bool(parts)
        assert (read.first_content_offset is not None) == (_is_streamed(exchange) and has_content)


def _said(chunk: dict[str, Any]) -> Any:
    return [c.get("content") for c in chunk.get("candidates") or []] or chunk.get("message")


def _meant(facts: Facts) -> Any:
    words = {"STOP": "stop", 1: "stop", "MAX_TOKENS": "length", 2: "length"}
    meant = words.get(facts.finish, facts.finish)
    meant = "content_filter" if meant == "SAFETY" else meant
    return "tool_call" if meant == "stop" and facts.calls else meant


def test_usage_is_read(answers: list[Exchange]) -> None:
    for exchange in answers:
        said, usage = _plain(exchange).usage, _read(exchange).usage
        if exchange.api != GEMINI:
            assert usage is not None
            assert usage.input_tokens == said.get("prompt_eval_count"), exchange.id
            assert usage.output_tokens == said.get("eval_count"), exchange.id
            continue
        if not said.get("totalTokenCount"):
            continue
        assert usage is not None
        total = (usage.input_tokens or 0) + (usage.output_tokens or 0)
        assert total == said["totalTokenCount"], exchange.id
        assert usage.reasoning_tokens == said.get("thoughtsTokenCount")
        assert usage.cached_input_tokens == said.get("cachedContentTokenCount")
        assert (usage.cached_input_tokens or 0) <= (usage.input_tokens or 0)


def test_what_is_no_answer_is_an_error(ours: list[Exchange]) -> None:
    for exchange in ours:
        if exchange.reply.status != 200:
            error = _read(exchange).error
            assert error is not None
            assert error.type == json.loads(exchange.reply.body)["error"]["status"], exchange.id
            assert error.message, exchange.id


def _asking(request: HttpRequest, form: str) -> HttpRequest:
    """The same request for another form of reply."""
    if "/api/" in request.url:
        body = {**json.loads(request.body), "stream": form != "json"}
        return replace(request, body=json.dumps(body).encode())
    place = request.url.partition("?")[0].rpartition(":")[0]
    action = {"json": "generateContent", "stream": "streamGenerateContent?alt=sse"}
    return replace(request, url=f"{place}:{action.get(form, 'streamGenerateContent')}")


def _built(exchange: Exchange, said: Any, form: str) -> tuple[HttpReply, ModelReply]:
    request = _asking(exchange.request, form)
    assert _api(exchange).wants_stream(request) == (form != "json")
    reply = _api(exchange).build_reply(request, exchange.reply, said)
    read = _api(exchange).read_reply(request, reply)
    assert (read.error, read.complete) == (None, True), exchange.id
    return reply, read


@pytest.mark.parametrize("form", FORMS)
def test_each_reply_is_built_again(answers: list[Exchange], form: str) -> None:
    for exchange in answers:
        read = _read(exchange)
        reply, again = _built(exchange, read.messages[0], form)
        assert same_json(again.messages, read.messages), exchange.id
        assert (again.response_id, again.model) == (read.response_id, read.model)
        assert again.usage == read.usage, exchange.id
        if form == "json" and not _is_streamed(exchange):
            assert same_json(json.loads(reply.body), json.loads(exchange.reply.body)), exchange.id
        is_first = reply.body.startswith((b"data:", b"[") if "/api/" not in exchange.request.url
                                         else b"{")  # fmt: skip
        assert is_first == (form != "json" or "/api/" in exchange.request.url)


@pytest.mark.parametrize("form", FORMS)
def test_each_reply_can_say_something_else(answers: list[Exchange], form: str) -> None:
    text = TEXT["parts"][0]["content"]
    for exchange in answers:
        _, read = _built(exchange, TEXT, form)
        assert read.messages[0]["parts"] == TEXT["parts"], exchange.id
        assert read.finish_reasons[0] == "stop"
        signatures = _plain(exchange).signatures
        _, read = _built(exchange, {"parts": [tool_call("new", {"a": text})]}, form)
        [part] = read.messages[0]["parts"]
        assert (part["name"], part["arguments"]) == ("new", {"a": text}), exchange.id
        assert read.finish_reasons[0] == "tool_call"
        recorded = _read(exchange).messages[0]
        calls = [part for part in recorded["parts"] if part["type"] == "tool_call"]
        if not calls:
            continue
        assert _signatures(part) == _signatures(calls[0]), exchange.id
        assert not signatures or _signatures(calls) != [], exchange.id
        edited = [
            {**part, "arguments": {"a": text}} if part is calls[0] else part
            for part in recorded["parts"]
        ]
        _, read = _built(exchange, {**recorded, "parts": edited}, form)
        assert same_json(read.messages[0]["parts"], edited), exchange.id


@pytest.mark.parametrize("form", FORMS)
def test_exchanges_can_fail(ours: list[Exchange], form: str) -> None:
    for exchange in ours[::5]:
        api = _api(exchange)
        if not exchange.request.body:
            continue
        request = _asking(exchange.request, form)
        cut = api.build_failure(request, exchange.reply, "cut_stream")
        assert not api.read_reply(request, cut).complete, exchange.id
        invalid = api.build_failure(request, exchange.reply, "invalid_json")
        read = api.read_reply(request, invalid)
        calls = [p for m in read.messages for p in m["parts"] if p["type"] == "tool_call"]
        assert read.error or isinstance(calls[0]["arguments"], str), exchange.id
