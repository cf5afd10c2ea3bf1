"""Recorded exchanges with Bedrock and Cohere: read without loss, and built again in both forms."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tracer.core.messages import Message
from tracer.providers import api_named
from tracer.providers.base import Api, HttpReply, HttpRequest, ModelReply
from tracer.providers.jsontext import same_json

from .corpus import FILE, Exchange, asking, exchanges, facts_of, leaves
from .plain_bedrock import counts, facts, is_frames
from .replies import TEXT, tool_call

pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"no recorded exchanges at {FILE}")

_NAMES = ("bedrock.converse", "bedrock.invoke", "cohere.chat")
# Told in other words: roles and types by the part, formats by the media type.
_REWORDED = frozenset({"role", "type", "media_type", "format"})
_FORMS = {
    "/converse": ("/converse", "/converse-stream"),
    "/invoke": ("/invoke", "/invoke-with-response-stream"),
}


@pytest.fixture(scope="module")
def ours() -> list[Exchange]:
    return [exchange for exchange in exchanges() if exchange.api in _NAMES]


def _api(exchange: Exchange) -> Api:
    assert exchange.api
    return api_named(exchange.api)


def _read(exchange: Exchange) -> ModelReply:
    return _api(exchange).read_reply(exchange.request, exchange.reply)


def _answers(ours: list[Exchange]) -> list[Exchange]:
    return [exchange for exchange in ours if exchange.reply.status == 200]


def _asking(exchange: Exchange, *, stream: bool) -> HttpRequest:
    """The same request for the other form, which Bedrock is told in the path."""
    if exchange.api == "cohere.chat":
        return asking(exchange.request, stream=stream)
    base, _, verb = exchange.request.url.rpartition("/")
    path = _FORMS["/" + verb.partition("-")[0]][stream]
    return replace(exchange.request, url=base + path)


def test_all_formats_and_forms_are_there(ours: list[Exchange]) -> None:
    kinds = Counter(
        (exchange.api, _api(exchange).wants_stream(exchange.request)) for exchange in _answers(ours)
    )
    assert len(kinds) == 6, kinds
    assert kinds.total() > 350


def test_requests_are_read_without_loss(ours: list[Exchange]) -> None:
    for exchange in ours:
        wire = _json(exchange.request.body)
        if wire is None:
            continue  # two recordings lost it
        read = _api(exchange).read_request(exchange.request)
        assert read.model and "%" not in read.model, exchange.id
        assert read.stream == _api(exchange).wants_stream(exchange.request)
        asked = [wire.get(key) for key in ("system", "messages", "prompt", "inputText", "message")]
        kept = {value for _, value in leaves(read.messages)}
        kept |= {
            part["mime_type"] for m in read.messages for part in m["parts"] if "mime_type" in part
        }
        lost = [(k, v) for k, v in leaves(asked) if v not in kept and k not in _REWORDED]
        assert not lost, (exchange.id, lost)
        tools = wire.get("tools") or wire.get("toolConfig", {}).get("tools") or []
        assert len(read.tools) == len(tools), exchange.id
        told = {value for _, value in leaves([read.tools, read.parameters])}
        assert {v for k, v in leaves(tools) if k not in _REWORDED} <= told, exchange.id
        known = {"messages", "system", "toolConfig", "tools", "prompt", "inputText", "message",
                 "model", "stream"}  # fmt: skip
        assert set(wire) - set(read.parameters) <= known, exchange.id


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def test_replies_are_read_without_loss(ours: list[Exchange]) -> None:
    for exchange in _answers(ours):
        read = _read(exchange)
        assert (read.error, read.complete) == (None, True), exchange.id
        found, expected = facts_of(read.messages[0]), facts(exchange)
        found.calls = [[i, name, said or {}] for i, name, said in found.calls]
        expected.calls = [[i, name, said or {}] for i, name, said in expected.calls]
        assert found == expected, exchange.id
        is_stream = is_frames(exchange) or exchange.reply.body.startswith(b"event:")
        has_content = any((expected.text, expected.reasoning, expected.calls))
        # Hidden reasoning is content too, which the plain reading does not know.
        is_hidden = any("redacted_data" in part for part in read.messages[0]["parts"])
        has_offset = read.first_content_offset is not None
        assert has_offset == (is_stream and (has_content or is_hidden)), exchange.id
        value = None if is_stream else json.loads(exchange.reply.body)
        if value is not None and exchange.api != "bedrock.invoke":
            said = value["output"]["message"] if "output" in value else value["message"]
            kept = {text for _, text in leaves(read.messages)}
            lost = [(k, v) for k, v in leaves(said) if v not in kept and k not in _REWORDED]
            assert not lost, (exchange.id, lost)


def test_signatures_are_kept_to_the_letter(ours: list[Exchange]) -> None:
    found = 0
    for exchange in _answers(ours):
        for part in _read(exchange).messages[0]["parts"]:
            said = part.get("signature") or part.get("redacted_data")
            if said and not is_frames(exchange):
                assert json.dumps(said).encode() in exchange.reply.body, exchange.id
                found += 1
    assert found >= 10


def test_usage_is_read(ours: list[Exchange]) -> None:
    told = 0
    for exchange in _answers(ours):
        usage = _read(exchange).usage
        given, produced = counts(exchange)
        if given is None and produced is None:
            continue
        told += 1
        assert usage is not None, exchange.id
        assert (usage.input_tokens, usage.output_tokens) == (given, produced), exchange.id
        assert (usage.cached_input_tokens or 0) <= (usage.input_tokens or 0), exchange.id
    assert told > 330


def test_what_is_no_answer_is_an_error(ours: list[Exchange]) -> None:
    for exchange in ours:
        if exchange.reply.status != 200:
            read = _read(exchange)
            assert read.error is not None, exchange.id
            assert read.error.message and not read.error.message.startswith("{"), exchange.id


def _built(exchange: Exchange, said: Message, *, stream: bool) -> tuple[HttpReply, ModelReply]:
    request = _asking(exchange, stream=stream)
    reply = _api(exchange).build_reply(request, exchange.reply, said)
    read = _api(exchange).read_reply(request, reply)
    assert (read.error, read.complete) == (None, True), exchange.id
    return reply, read


def test_each_reply_is_built_again_in_both_forms(ours: list[Exchange]) -> None:
    for exchange in _answers(ours):
        read = _read(exchange)
        for stream in (False, True):
            reply, again = _built(exchange, read.messages[0], stream=stream)
            # Streams of generated text hold one choice, and no id.
            assert same_json(again.messages[0], read.messages[0]), exchange.id
            assert again.usage == read.usage, exchange.id
            has_no_id = exchange.api == "bedrock.invoke" and stream and not again.response_id
            assert has_no_id or again.response_id == read.response_id, exchange.id
            if not stream and not is_frames(exchange) and reply.body.startswith(b"{"):
                was = _json(exchange.reply.body)
                now = json.loads(reply.body)
                made = {} if was is None else {key: now[key] for key in now if key not in was}
                assert was is None or same_json(now, {**was, **made}), exchange.id
                assert set(made) <= {"usage", "metrics", "object", "created", "stop_sequence"}


@pytest.mark.parametrize("stream", [False, True])
def test_each_reply_can_say_something_else(ours: list[Exchange], stream: bool) -> None:
    text = TEXT["parts"][0]["content"]
    for exchange in _answers(ours):
        _, read = _built(exchange, TEXT, stream=stream)
        assert read.messages[0]["parts"] == TEXT["parts"], exchange.id
        assert read.finish_reasons[0] == "stop", exchange.id
        wire = _json(exchange.request.body) or {}
        if not wire.get("messages"):
            continue  # generated text has no tools
        _, read = _built(exchange, {"parts": [tool_call("new", {"a": text})]}, stream=stream)
        [part] = read.messages[0]["parts"]
        assert (part["name"], part["arguments"]) == ("new", {"a": text}), exchange.id
        assert part["id"] and read.finish_reasons[0] == "tool_call", exchange.id
        recorded = _read(exchange).messages[0]
        calls = [part for part in recorded["parts"] if part["type"] == "tool_call"]
        if calls:
            edited = [
                {**part, "arguments": {"a": text}} if part is calls[0] else part
                for part in recorded["parts"]
            ]
            _, read = _built(exchange, {**recorded, "parts": edited}, stream=stream)
            assert same_json(read.messages[0]["parts"], edited), exchange.id


def test_exchanges_can_fail(ours: list[Exchange]) -> None:
    for exchange in ours:
        api = _api(exchange)
        for stream in (False, True):
            request = _asking(exchange, stream=stream)
            cut = api.build_failure(request, exchange.reply, "cut_stream")
            assert not api.read_reply(request, cut).complete, exchange.id
            invalid = api.build_failure(request, exchange.reply, "invalid_json")
            read = api.read_reply(request, invalid)
            calls = [p for m in read.messages for p in m["parts"] if p["type"] == "tool_call"]
            assert read.error or isinstance(calls[0]["arguments"], str), exchange.id
            limited = api.read_reply(request, api.build_failure(request, None, "rate_limit"))
            assert limited.error is not None
            if exchange.api != "cohere.chat":
                assert limited.error.type == "ThrottlingException"
