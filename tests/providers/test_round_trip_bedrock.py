"""Properties of Bedrock's and Cohere's formats: read, built and read again is the same."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tracer.providers.base import Api, HttpReply
from tracer.providers.jsontext import same_json

from .bedrock_replies import (
    COHERE,
    CONVERSE,
    INVOKE,
    cohere_request,
    converse_request,
    invoke_request,
)
from .replies import json_reply

_text = st.text(st.characters(codec="utf-8"), min_size=1)
_any_text = st.text(st.characters(codec="utf-8"))
_names = st.sampled_from(["weather", "refund", "a-b_c.1", "größe"])
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
_arguments = st.dictionaries(st.text(max_size=9), _values, max_size=4)
_items = st.lists(st.dictionaries(_names, _values, min_size=1, max_size=2), min_size=1, max_size=3)
_ids = st.sampled_from(["t1", "t2", "t3"])


def _use(call_id: str, name: str, said: Any, kind: str | None) -> dict[str, Any]:
    more = {} if kind is None else {"type": kind}
    return {"toolUse": {"toolUseId": call_id, "name": name, "input": said, **more}}


_kinds = st.sampled_from([None, "tool_use", "server_tool_use"])
_blocks = st.one_of(
    st.builds(lambda text: {"text": text}, _any_text),
    st.builds(
        lambda text, items: {"citationsContent": {"content": [{"text": text}], "citations": items}},
        _any_text,
        _items,
    ),
    st.builds(
        lambda text, sign: {"reasoningContent": {"reasoningText": {"text": text, **sign}}},
        _any_text,
        st.just({}) | st.builds(lambda s: {"signature": s}, _text),
    ),
    st.builds(lambda data: {"reasoningContent": {"redactedContent": data}}, _text),
    st.builds(_use, _ids, _names, _arguments, _kinds),
    st.builds(
        lambda items: {"toolResult": {"toolUseId": "r", "type": "x_result", "content": items}},
        _items,
    ),
    st.builds(lambda value: {"brandNew": value}, _values),
)


@st.composite
def _converse_values(draw: st.DrawFn) -> dict[str, Any]:
    reasons = ["end_turn", "tool_use", "max_tokens", "guardrail_intervened", "own"]
    content = draw(st.lists(_blocks, max_size=5))
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": draw(st.sampled_from(reasons)),
        "usage": {"inputTokens": draw(st.integers(0, 99)), "outputTokens": 3, "totalTokens": 4},
        "metrics": {"latencyMs": 5},
    }


_cohere_items = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, _any_text),
    st.builds(lambda text: {"type": "thinking", "thinking": text}, _any_text),
    st.builds(lambda value: {"type": "brand_new", "x": value}, _values),
)


@st.composite
def _cohere_values(draw: st.DrawFn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant"}
    if draw(st.booleans()):
        message["tool_plan"] = draw(_text)
    if draw(st.booleans()):
        message["content"] = draw(st.lists(_cohere_items, min_size=1, max_size=3))
        if draw(st.booleans()):
            message["citations"] = draw(_items)
    if draw(st.booleans()):
        raw = _arguments.map(json.dumps) | st.sampled_from(["", "{", '{"a": 1', "[1,", "5"])
        message["tool_calls"] = [
            {"id": f"c{i}", "type": "function", "function": {"name": name, "arguments": said}}
            for i, (name, said) in enumerate(draw(st.lists(st.tuples(_names, raw), min_size=1)))
        ]
    reasons = ["COMPLETE", "TOOL_CALL", "MAX_TOKENS", "ERROR_TOXIC", "OWN"]
    usage = {"billed_units": {"input_tokens": draw(st.integers(0, 99)), "output_tokens": 3}}
    reason = draw(st.sampled_from(reasons))
    return {"id": "i", "message": message, "finish_reason": reason, "usage": usage}


def _check(api: Api, ask: Any, recorded: HttpReply) -> None:
    first = api.read_reply(ask(False), recorded)
    assert first.error is None
    replies = [recorded]
    for stream in (False, True, False, True):  # from JSON, then from what was built before
        reply = api.build_reply(ask(stream), replies[-1], first.messages[0])
        read = api.read_reply(ask(stream), reply)
        assert same_json(read.messages, first.messages)
        assert (read.error, read.complete, read.usage) == (None, True, first.usage)
        replies.append(reply)
    # Without its reason, its template or both, the same parts are still said.
    parts = first.messages[0]["parts"]
    said = [part for part in parts if part["type"] not in ("unknown", "citations")]
    for stream in (False, True):
        for template in (recorded, None):
            built = api.build_reply(ask(stream), template, {"parts": said})
            found = api.read_reply(ask(stream), built).messages[0]["parts"]
            assert same_json(_without_citations(found), _without_citations(said))


def _without_citations(parts: list[Any]) -> list[Any]:
    """New messages have none, because places in the old text don't fit."""
    return [{key: part[key] for key in part if key != "citations"} for part in parts]


@given(_converse_values())
def test_converse(value: dict[str, Any]) -> None:
    _check(CONVERSE, converse_request, json_reply(value))


@given(_converse_values())
def test_nova_inside_invoke(value: dict[str, Any]) -> None:
    def ask(stream: bool) -> Any:
        return invoke_request(stream, schemaVersion="messages-v1", messages=[])

    _check(INVOKE, ask, json_reply(value))


@given(_cohere_values())
def test_cohere(value: dict[str, Any]) -> None:
    _check(COHERE, cohere_request, json_reply(value))


@given(_any_text, st.sampled_from(["length", "stop"]))
def test_generated_text_inside_invoke(text: str, reason: str) -> None:
    def ask(stream: bool) -> Any:
        return invoke_request(stream, prompt="p")

    _check(INVOKE, ask, json_reply({"generation": text, "stop_reason": reason}))
