"""Every recorded exchange with a real provider is read without loss and can be built again."""

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from tracer.providers import api_named, recognise
from tracer.providers.base import Api, HttpReply, ModelReply, ModelRequest
from tracer.providers.jsontext import same_json

from .corpus import (
    FILE,
    Exchange,
    asking,
    exception_of,
    exchanges,
    facts_of,
    leaves,
    plain_facts,
)
from .replies import TEXT, tool_call

pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"no recorded exchanges at {FILE}")

# Keys whose values have another form here: roles and types are words of this model.
_REWORDED = frozenset({"role", "type", "media_type", "format"})
_HERE = ("openai.chat", "anthropic.messages", "openai.responses")
_COMPLETED = ("status", "completed")  # goes without saying
# Beside the parts of a message, and kept in the template a substitute starts from.
_TEMPLATE_ONLY = frozenset({"thought_signature"})


@pytest.fixture(scope="module")
def everything() -> list[Exchange]:
    return list(exchanges())


@pytest.fixture(scope="module")
def ours(everything: list[Exchange]) -> list[Exchange]:
    """Those of the formats read here; the others have files of their own."""
    return [exchange for exchange in everything if exchange.api in _HERE]


def _api(exchange: Exchange) -> Api:
    assert exchange.api
    return api_named(exchange.api)


def _read(exchange: Exchange) -> ModelReply:
    return _api(exchange).read_reply(exchange.request, exchange.reply)


def _answers(ours: list[Exchange]) -> list[Exchange]:
    return [exchange for exchange in ours if exception_of(exchange) is None]


def test_exactly_our_formats_are_recognised(everything: list[Exchange]) -> None:
    for exchange in everything:
        request = exchange.request
        found = recognise(request.method, request.url, request.body)
        name = found.name if found else None
        # Without its body, which two recordings lost, a request has no shape to know it by.
        assert name == (exchange.api if request.body else None), exchange.id


def test_all_formats_and_forms_are_there(ours: list[Exchange]) -> None:
    kinds = Counter((exchange.api, exchange.is_stream) for exchange in ours)
    assert len(kinds) == 6
    exceptions = Counter(filter(None, map(exception_of, ours)))
    del exceptions["the provider refused (status of failure)"]
    assert exceptions.total() <= len(ours) / 100, exceptions


def test_requests_are_read_without_loss(ours: list[Exchange]) -> None:
    for exchange in ours:
        if not exchange.request.body:
            continue
        wire = json.loads(exchange.request.body)
        read = _api(exchange).read_request(exchange.request)
        if exchange.api == "openai.responses":
            _assert_items_are_read(exchange.id, wire, read)
            continue
        system = [{"role": "system", "content": wire["system"]}] if wire.get("system") else []
        asked = [*system, *wire["messages"]]
        assert len(read.messages) == len(asked), exchange.id
        assert len(read.tools) == len(wire.get("tools") or []) + len(wire.get("functions") or [])
        assert read.stream == bool(wire.get("stream"))
        assert read.model, exchange.id
        assert set(wire) - set(read.parameters) <= {
            "model", "messages", "system", "tools", "functions", "stream",
        }  # fmt: skip
        for message, said in zip(read.messages, asked, strict=True):
            kept = {value for _, value in leaves(message)}
            lost = [(k, v) for k, v in leaves(said) if v not in kept and k not in _REWORDED]
            assert not lost, (exchange.id, lost)


def _assert_items_are_read(exchange_id: str, wire: Any, read: ModelRequest) -> None:
    items = wire.get("input", [])
    asked = [wire.get("instructions"), *(items if isinstance(items, list) else [items])]
    assert len(read.messages) + ("prompt" in wire) > 0, exchange_id
    kept = {value for _, value in leaves([read.messages, read.tools])}
    lost = [(k, v) for k, v in leaves(asked) if v not in kept and k not in _REWORDED]
    assert [entry for entry in lost if entry != _COMPLETED] == [], exchange_id
    roles = [message["role"] for message in read.messages]
    assert ("assistant", "assistant") not in pairwise(roles), exchange_id
    offered = {value for key, value in leaves(wire.get("tools") or []) if key == "description"}
    assert offered <= {value for _, value in leaves(read.tools)}, exchange_id
    own = {"model", "input", "instructions", "tools", "stream"}
    assert set(wire) - set(read.parameters) <= own, exchange_id
    assert (read.stream, read.model) == (bool(wire.get("stream")), wire.get("model")), exchange_id


def test_replies_are_read_without_loss(ours: list[Exchange]) -> None:
    for exchange in _answers(ours):
        read = _read(exchange)
        assert read.error is None, exchange.id
        assert read.complete, exchange.id
        message = read.messages[0]
        expected, found = plain_facts(exchange), facts_of(message)
        texts = (found.text, found.refusal, found.reasoning)
        assert texts == (expected.text, expected.refusal, expected.reasoning), exchange.id
        raw_calls = [[i, name, _parsed(raw)] for i, name, raw in expected.calls]
        assert found.calls == raw_calls, exchange.id
        assert bool(found.finish) == bool(expected.finish), exchange.id
        has_content = any(texts) or bool(expected.calls)
        assert (read.first_content_offset is not None) == (exchange.is_stream and has_content)
        if not exchange.is_stream:
            _assert_no_leaf_is_lost(exchange, read)


def _assert_no_leaf_is_lost(exchange: Exchange, read: ModelReply) -> None:
    value = json.loads(exchange.reply.body)
    choices = [choice["message"] for choice in value.get("choices", [])]
    said = choices or value.get("content", value.get("output"))
    kept = {text for _, text in leaves(read.messages)}
    dropped = _TEMPLATE_ONLY | _REWORDED
    lost = [(key, text) for key, text in leaves(said) if text not in kept and key not in dropped]
    assert [entry for entry in lost if entry != _COMPLETED] == [], (exchange.id, lost)


def _parsed(raw: Any) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, TypeError):
        return raw


def test_usage_is_read(ours: list[Exchange]) -> None:
    for exchange in _answers(ours):
        usage = _read(exchange).usage
        said = exchange.reply.body.replace(b" ", b"")
        has_counts = b'_tokens":' in said and b'"usage":{' in said
        assert (usage is not None) == has_counts, exchange.id
        if usage:
            assert usage.input_tokens is not None, exchange.id
            # Grok on Azure counts as cached what its own input does not count.
            is_odd = str(_read(exchange).model).startswith("grok")
            assert is_odd or (usage.cached_input_tokens or 0) <= usage.input_tokens, exchange.id
            assert (usage.reasoning_tokens or 0) <= (usage.output_tokens or 0), exchange.id


def test_what_is_no_answer_is_an_error(ours: list[Exchange]) -> None:
    for exchange in ours:
        if exception_of(exchange) is not None:
            read = _read(exchange)
            if exchange.is_stream and not exchange.reply.body:
                assert not read.complete, exchange.id
                continue
            assert read.error is not None, exchange.id
            assert read.error.type, exchange.id
            assert read.error.message, exchange.id
            assert set(read.finish_reasons) <= {"error"}, exchange.id


def _built(exchange: Exchange, said: Any, *, stream: bool) -> tuple[HttpReply, ModelReply]:
    request = asking(exchange.request, stream=stream)
    reply = _api(exchange).build_reply(request, exchange.reply, said)
    read = _api(exchange).read_reply(request, reply)
    assert read.error is None, exchange.id
    assert read.complete, exchange.id
    return reply, read


def test_each_reply_is_built_again_in_both_forms(ours: list[Exchange]) -> None:
    built = 0
    for exchange in ours:
        read = _read(exchange)
        if exchange.reply.status != 200 or not read.messages:
            continue
        for stream in (False, True):
            reply, again = _built(exchange, read.messages[0], stream=stream)
            assert same_json(again.messages, read.messages), exchange.id
            assert (again.response_id, again.model) == (read.response_id, read.model)
            if not stream and not exchange.is_stream:
                assert same_json(json.loads(reply.body), json.loads(exchange.reply.body))
            if not stream and read.usage:
                assert again.usage == read.usage, exchange.id
            built += 1
    # Answers that an error ended hold messages too.
    broken = sum(exception_of(exchange) == "an error ends the stream" for exchange in ours)
    assert built == 2 * (len(_answers(ours)) + broken)


@pytest.mark.parametrize("stream", [False, True])
def test_each_reply_can_say_something_else(ours: list[Exchange], stream: bool) -> None:
    text = TEXT["parts"][0]["content"]
    for exchange in _answers(ours):
        _, read = _built(exchange, TEXT, stream=stream)
        [part] = read.messages[0]["parts"]
        part.pop("message", None)  # Responses: the made id of the item it is in
        assert part == TEXT["parts"][0], exchange.id
        assert read.finish_reasons[0] == "stop"
        _, read = _built(exchange, {"parts": [tool_call("new", {"a": text})]}, stream=stream)
        [part] = read.messages[0]["parts"]
        assert (part["name"], part["arguments"]) == ("new", {"a": text}), exchange.id
        assert read.finish_reasons[0] == "tool_call"
        recorded = _read(exchange).messages[0]
        calls = [part for part in recorded["parts"] if part["type"] == "tool_call"]
        if calls:
            arguments = text if calls[0].get("tool_type") == "custom" else {"a": text}
            edited = [
                {**part, "arguments": arguments} if part is calls[0] else part
                for part in recorded["parts"]
            ]
            _, read = _built(exchange, {**recorded, "parts": edited}, stream=stream)
            if calls[0].get("id") is None:  # it is given one; Gemini sends none
                [new] = [p for p in read.messages[0]["parts"] if p.get("arguments") == {"a": text}]
                new.pop("id", None)
            assert same_json(read.messages[0]["parts"], edited), exchange.id


def test_exchanges_can_fail(ours: list[Exchange]) -> None:
    for exchange in ours[::5]:
        api = _api(exchange)
        for stream in (False, True):
            request = asking(exchange.request, stream=stream)
            cut = api.build_failure(request, exchange.reply, "cut_stream")
            assert not api.read_reply(request, cut).complete, exchange.id
            invalid = api.build_failure(request, exchange.reply, "invalid_json")
            read = api.read_reply(request, invalid)
            calls = [p for m in read.messages for p in m["parts"] if p["type"] == "tool_call"]
            assert read.error or isinstance(calls[0]["arguments"], str), exchange.id
