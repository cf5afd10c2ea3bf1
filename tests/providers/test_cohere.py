"""Cohere's chat: what is read from requests and replies, and what is built."""

import json
from typing import Any

import pytest

from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import HttpReply
from tracer.providers.jsontext import same_json
from tracer.providers.sse import parse

from .bedrock_replies import COHERE, COHERE_EVENTS, COHERE_VALUE, cohere_request, cohere_stream
from .replies import OTHER_TOOL, TEXT, json_reply, tool_call

JSON = json_reply(COHERE_VALUE)
STREAM = cohere_stream(*COHERE_EVENTS)
SAID: list[Any] = [
    {"type": "reasoning", "content": "I will look.", "tool_plan": True},
    {"type": "reasoning", "content": "Look it up."},
    {"type": "text", "content": "I look.", "citations": COHERE_VALUE["message"]["citations"]},
    tool_call("weather", {"city": "Oslo"}, "w_1"),
]


@pytest.mark.parametrize("reply", [JSON, STREAM], ids=["json", "stream"])
def test_replies_are_read(reply: HttpReply) -> None:
    read = COHERE.read_reply(cohere_request(), reply)
    assert same_json(
        read.messages, [{"role": "assistant", "parts": SAID, "finish_reason": "tool_call"}]
    )
    # The billed counts, which are what calls cost; the cached ones belong to the others.
    assert read.usage == Usage(7, 9, None, 5)
    assert (read.response_id, read.complete, read.error) == ("c-1", True, None)


def test_counts_that_nobody_bills() -> None:
    usage = {"tokens": {"input_tokens": 70, "output_tokens": 90}, "cached_tokens": 60}
    reply = json_reply({**COHERE_VALUE, "usage": usage})
    assert COHERE.read_reply(cohere_request(), reply).usage == Usage(70, 90, 60)
    assert COHERE.read_reply(cohere_request(), json_reply({"message": {}})).usage is None


def test_requests_are_read() -> None:
    request = cohere_request(
        True,
        messages=[
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aW1n"}},
                {"type": "document", "document": {"id": "d"}},
            ]},
            COHERE_VALUE["message"],
            {"role": "tool", "tool_call_id": "w_1", "content": [{"type": "text", "text": "sun"}]},
            None,
        ],
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"a": 1}}}],
        documents=[{"id": "d"}],
    )  # fmt: skip
    read = COHERE.read_request(request)
    assert (read.model, read.stream) == ("command-x", True)
    system, user, assistant, tool, odd = read.messages
    assert system == {"role": "system", "parts": [{"type": "text", "content": "Be kind."}]}
    assert [part["type"] for part in user["parts"]] == ["text", "blob", "document"]
    assert assistant["parts"] == SAID
    assert tool["parts"] == [
        {"type": "tool_call_response", "id": "w_1", "response": [{"type": "text", "text": "sun"}]}
    ]
    assert odd["role"] == "unknown"
    assert read.tools == [{"type": "function", "name": "f", "parameters": {"a": 1}}]
    assert read.parameters == {"documents": [{"id": "d"}]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("recorded", [JSON, STREAM], ids=["json", "stream"])
def test_replies_are_built_anew(recorded: HttpReply, stream: bool) -> None:
    request = cohere_request(stream)
    edited = [*SAID[:3], tool_call("weather", {"city": "Bergen"}, "w_1")]
    built = COHERE.build_reply(request, recorded, {"parts": edited})
    read = COHERE.read_reply(request, built)
    assert same_json(read.messages[0]["parts"], edited)
    assert (read.finish_reasons, read.usage) == (["tool_call"], Usage(7, 9, None, 5))
    assert b'"x_new":{"kept":true}' in built.body
    # Untouched arguments keep their very spelling: agents send them back.
    built = COHERE.build_reply(request, recorded, {"parts": SAID[1:]})
    said = built.body if not stream else "".join(
        json.loads(event.data)["delta"]["message"]["tool_calls"]["function"]["arguments"]
        for event in parse(built.body) if event.event == "tool-call-delta"
    ).encode()  # fmt: skip
    assert (json.dumps('{ "city": "Oslo" }').encode() in said) or said == b'{ "city": "Oslo" }'
    other = COHERE.read_reply(request, COHERE.build_reply(request, recorded, OTHER_TOOL))
    [call] = other.messages[0]["parts"]
    assert call["id"].startswith("call_")


def test_new_words_have_no_citations_of_the_old_ones() -> None:
    said = {"parts": [{**SAID[2], "content": "No."}]}
    built = COHERE.build_reply(cohere_request(), JSON, said)
    message = json.loads(built.body)["message"]
    assert message["content"] == [{"type": "text", "text": "No."}]
    assert "citations" not in message
    assert "tool_plan" not in message


def test_the_end_mark_is_sent_where_the_recorded_stream_had_it() -> None:
    for done in (True, False):
        recorded = cohere_stream(*COHERE_EVENTS, done=done)
        built = COHERE.build_reply(cohere_request(True), recorded, TEXT)
        assert built.body.endswith(b"data: [DONE]\n\n") == done
    built = COHERE.build_reply(cohere_request(True), JSON, TEXT)
    assert [event.event for event in parse(built.body)][-2:] == ["message-end", None]


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_is_built_without_a_recorded_one(stream: bool) -> None:
    for recorded in (None, HttpReply(500, [], b"{}"), HttpReply(0, [], b"", "timeout")):
        built = COHERE.build_reply(cohere_request(stream), recorded, TEXT)
        read = COHERE.read_reply(cohere_request(), built)
        assert (read.messages[0]["parts"], read.complete) == (TEXT["parts"], True)
        assert (read.error, read.finish_reasons) == (None, ["stop"])


def test_the_first_content_of_a_stream_is_found() -> None:
    read = COHERE.read_reply(cohere_request(True), STREAM)
    assert read.first_content_offset == len(cohere_stream(*COHERE_EVENTS[:2], done=False).body)


def test_errors() -> None:
    refused = json_reply({"id": "1", "message": "no such model"}, 404)
    assert COHERE.read_reply(cohere_request(), refused).error == ErrorInfo(
        "http_404", "no such model"
    )
    end = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "sorry"}}
    read = COHERE.read_reply(cohere_request(True), cohere_stream(*COHERE_EVENTS[:3], end))
    assert read.error == ErrorInfo("error", "sorry")
    assert read.finish_reasons == ["error"]
    cut = cohere_stream(*COHERE_EVENTS[:8], done=False)
    assert not COHERE.read_reply(cohere_request(True), cut).complete


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("recorded", [JSON, STREAM, None], ids=["json", "stream", "none"])
def test_failures(recorded: HttpReply | None, stream: bool) -> None:
    request = cohere_request(stream)
    for kind, status in (("rate_limit", 429), ("server_error", 500)):
        reply = COHERE.build_failure(request, recorded, kind)  # type: ignore[arg-type] # from a list
        error = COHERE.read_reply(request, reply).error
        assert error is not None
        assert (reply.status, "simulated" in error.message) == (status, True)
    cut = COHERE.build_failure(request, recorded, "cut_stream")
    assert not COHERE.read_reply(request, cut).complete
    read = COHERE.read_reply(request, COHERE.build_failure(request, recorded, "invalid_json"))
    if recorded:
        assert isinstance(read.messages[0]["parts"][-1]["arguments"], str)
    else:
        assert read.error is not None
        assert read.error.type == "invalid_json"
