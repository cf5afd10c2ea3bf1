"""Hostile input to Bedrock's and Cohere's formats: nothing raises, nothing takes ages."""

import base64
import json
import time
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.providers import eventstream
from tracer.providers.base import Api, FailureKind, HttpReply, HttpRequest
from tracer.providers.sse import emit

from .bedrock_replies import (
    COHERE,
    CONVERSE,
    FRAME_HEADERS,
    INVOKE,
    chunks,
    cohere_request,
    converse_request,
    frames,
    invoke_request,
)
from .replies import TEXT

# Keys and words the readers look for, so that odd values land in places that matter.
_WORDS = st.sampled_from(
    """
    output message messages content text role stopReason usage inputTokens toolUse toolResult
    toolUseId input name type reasoningContent reasoningText redactedContent signature citation
    citations citationsContent guardContent image document source bytes s3Location uri format
    contentBlockIndex delta start messageStart messageStop metadata system toolConfig tools toolSpec
    inputSchema json p prompt inputText generation results outputText outputs generations completion
    choices completionReason stop_reason finish_reason index tool_plan tool_calls function arguments
    thinking id error billed_units tokens input_tokens chat_history preamble server_tool_use
    amazon-bedrock-invocationMetrics inputTokenCount anthropic_version schemaVersion message-end
    """.split()  # noqa: SIM905 - a list of them would take a page
)
_leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _WORDS
_values = st.recursive(
    _leaf,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=6),
    max_leaves=25,
)
_objects = st.dictionaries(_WORDS, _values, max_size=8)
_ASKS = [
    (CONVERSE, converse_request),
    (COHERE, cohere_request),
    (INVOKE, invoke_request),
    (INVOKE, lambda stream=False: invoke_request(stream, prompt="p")),
    (INVOKE, lambda stream=False: invoke_request(stream, schemaVersion="1")),
    (INVOKE, lambda stream=False: invoke_request(stream, messages=[])),
]
_EVENTS = ("messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata")


def _bodies(value: Any) -> list[bytes]:
    """The value as a reply, and where replies hold what matters, in every framing."""
    told = value if isinstance(value, dict) else {"delta": value}
    nested = [
        value, {"output": {"message": {"content": [value]}}}, {"message": value},
        {"message": {"content": [value], "tool_calls": [value], "citations": [value]}},
        {"generations": [value]}, {"choices": [value]},
    ]  # fmt: skip
    blocks = [{"contentBlockIndex": 0, "delta": value}, {"contentBlockIndex": 0, "start": value}]
    events = [*((kind, block) for kind in _EVENTS for block in blocks), (_EVENTS[-1], told)]
    kinds = ("message-start", "content-start", "content-delta", "tool-call-start", "message-end")
    spoken = [{"type": kind, "index": 0, "delta": {"message": value}} for kind in kinds]
    return [
        *(json.dumps(entry).encode() for entry in nested),
        frames(*events).body,
        chunks(value, *({kind: block} for kind, block in events), *spoken).body,
        frames(("chunk", told)).body,
        emit((None, json.dumps(entry)) for entry in [*spoken, {"type": "message-end", **told}]),
    ]


def _use_everything(api: Api, ask: Any, request: HttpRequest, reply: HttpReply, said: Any) -> None:
    read = api.read_request(request)
    json.dumps([read.messages, read.tools, read.parameters])
    answer = api.read_reply(request, reply)
    json.dumps(answer.messages)
    assert len(answer.finish_reasons) == len(answer.messages)
    for stream in (False, True):
        asked = ask(stream)
        for message in [said, TEXT, *answer.messages[:1]]:
            built = api.build_reply(asked, reply, message)
            api.read_reply(asked, built)
        assert not api.read_reply(asked, api.build_reply(asked, reply, TEXT)).error
        for kind in get_args(FailureKind):
            api.build_failure(asked, reply, kind)


@given(st.sampled_from(_ASKS), _objects, _values, _objects)
def test_odd_values_anywhere(case: Any, request: Any, reply: Any, said: Any) -> None:
    api, ask = case
    body = json.dumps({**request, "messages": [request, reply], "tools": [reply]}).encode()
    asked = replace(ask(True), body=body)
    message = {"parts": [said, reply, {"type": "tool_call", **said}, {**said, "type": "text"}]}
    for found in _bodies(reply):
        _use_everything(api, ask, asked, HttpReply(200, [], found), message)


@given(st.sampled_from(_ASKS), st.binary(), st.binary(), st.integers(0, 600))
def test_odd_bytes_anywhere(case: Any, request: bytes, reply: bytes, status: int) -> None:
    api, ask = case
    asked = replace(ask(True), body=request)
    api.read_request(asked)
    bodies = (
        reply,
        frames(("messageStart", {})).body + reply,
        eventstream.emit([("chunk", reply), ("contentBlockDelta", reply)]),
        eventstream.emit([("chunk", json.dumps({"bytes": reply.hex()}).encode())]),
        eventstream.frame({":message-type": "exception"}, reply),
        chunks(*[{"x": 1}]).body.replace(b"eyJ", base64.b64encode(reply)[:3].ljust(3, b"?")),
    )
    for body in bodies:
        for headers in ([], FRAME_HEADERS):
            found = HttpReply(status, headers, body)
            api.read_reply(asked, found)
            api.build_reply(asked, found, TEXT)
            api.build_failure(asked, found, "invalid_json")


@pytest.mark.parametrize("case", _ASKS)
def test_endless_depth(case: Any) -> None:
    api, ask = case
    deep = b'{"messages":' + b'[{"content":' * 50_000
    assert api.read_request(replace(ask(), body=deep)).messages == []
    for body in (deep, eventstream.emit([("chunk", deep), ("contentBlockDelta", deep)]),
                 chunks({"bytes": "x"}).body + eventstream.emit([("chunk", deep)])):  # fmt: skip
        assert api.read_reply(ask(True), HttpReply(200, [], body)).error is not None


@pytest.mark.parametrize("case", _ASKS)
def test_lone_surrogates_pass_through(case: Any) -> None:
    api, ask = case
    said = {"parts": [{"type": "text", "content": "a\ud800b"}]}
    for stream in (False, True):
        reply = api.build_reply(ask(stream), None, said)
        [part] = api.read_reply(ask(stream), reply).messages[0]["parts"]
        assert part["content"] == "a\ud800b"


@pytest.mark.parametrize("kind", ["text", "blocks", "invoke", "generated", "cohere", "calls"])
def test_a_long_stream_takes_time_in_proportion(kind: str) -> None:
    count, piece = 20_000, "x" * 50
    delta = {"contentBlockIndex": 0, "delta": {"text": piece}}
    block = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}}
    said: dict[str, Any] = {
        "text": (CONVERSE, converse_request, lambda i: ("contentBlockDelta", delta)),
        "blocks": (CONVERSE, converse_request,
                   lambda i: ("contentBlockDelta", {**delta, "contentBlockIndex": i})),
    }  # fmt: skip
    if kind in said:
        api, ask, make = said[kind]
        body = frames(*(make(i) for i in range(count))).body
    elif kind == "invoke":
        api, ask = INVOKE, invoke_request
        body = chunks(*[{**block, "delta": {**block["delta"], "text": piece}}] * count).body  # type: ignore[dict-item] # text and more
    elif kind == "generated":
        api, ask = _ASKS[3]
        body = chunks(*[{"generation": piece}] * count).body
    else:
        api, ask = COHERE, cohere_request
        call = {"tool_calls": {"function": {"arguments": piece}}}
        message = call if kind == "calls" else {"content": {"text": piece}}
        events = (
            {"type": "t", "index": i % 7, "delta": {"message": message}} for i in range(count)
        )
        body = emit((None, json.dumps(event)) for event in events)
    started = time.process_time()
    read = api.read_reply(ask(True), HttpReply(200, [], body))
    assert read.messages
    assert time.process_time() - started < 5
