"""Replies that fail, in all formats and both forms."""

import json
from typing import Any

import pytest

from tracer.providers.base import Api, FailureKind, HttpReply, HttpRequest
from tracer.providers.failures import cut_arguments
from tracer.providers.framing import ARRAY, LINES
from tracer.providers.sse import parse

from .replies import (
    CHAT,
    CHAT_JSON,
    CHAT_STREAM,
    MESSAGE_JSON,
    MESSAGE_STREAM,
    MESSAGES,
    RESPONSE_JSON,
    RESPONSE_STREAM,
    RESPONSES,
    TEXT,
    chat_request,
    json_reply,
    messages_request,
    responses_request,
)
from .replies_google import (
    GEMINI,
    GEMINI_ARRAY,
    GEMINI_JSON,
    GEMINI_STREAM,
    OLLAMA,
    OLLAMA_JSON,
    OLLAMA_STREAM,
    gemini_request,
    ollama_request,
)

FORMATS: list[Any] = [(CHAT, chat_request, CHAT_JSON, CHAT_STREAM),
           (MESSAGES, messages_request, MESSAGE_JSON, MESSAGE_STREAM),
           (RESPONSES, responses_request, RESPONSE_JSON, RESPONSE_STREAM),
           (GEMINI, gemini_request, GEMINI_JSON, GEMINI_STREAM),
           (OLLAMA, ollama_request, OLLAMA_JSON, OLLAMA_STREAM)]  # fmt: skip
CASES = [
    pytest.param(api, ask(stream), recorded, id=f"{api.name}-{stream}-{place}")
    for api, ask, *replies in FORMATS
    for stream in (False, True)
    for place, recorded in enumerate([*replies, None, json_reply({"error": {"type": "x"}}, 500)])
]


@pytest.mark.parametrize(("api", "request_", "recorded"), CASES)
@pytest.mark.parametrize(("kind", "status"), [("rate_limit", 429), ("server_error", 500)])
def test_error_statuses(
    api: Api, request_: HttpRequest, recorded: HttpReply | None, kind: FailureKind, status: int
) -> None:
    reply = api.build_failure(request_, recorded, kind)
    assert (reply.status, reply.failure) == (status, None)
    assert ("x-should-retry", "false") in reply.headers
    assert ("content-type", "application/json") in reply.headers
    assert not {"content-encoding", "content-length"} & {name.lower() for name, _ in reply.headers}
    read = api.read_reply(request_, reply)
    assert read.error is not None
    assert "simulated by tracer" in read.error.message


@pytest.mark.parametrize(("api", "request_", "recorded"), CASES)
@pytest.mark.parametrize("kind", ["timeout", "connection_reset"])
def test_nothing_received(
    api: Api, request_: HttpRequest, recorded: HttpReply | None, kind: FailureKind
) -> None:
    reply = api.build_failure(request_, recorded, kind)
    assert (reply.status, reply.body, reply.failure) == (0, b"", kind)
    read = api.read_reply(request_, reply)
    assert read.error is not None
    assert read.error.type == kind
    assert not read.complete


@pytest.mark.parametrize(("api", "request_", "recorded"), CASES)
def test_cut_streams(api: Api, request_: HttpRequest, recorded: HttpReply | None) -> None:
    reply = api.build_failure(request_, recorded, "cut_stream")
    assert (reply.status, reply.failure) == (200, "cut_stream")
    read = api.read_reply(request_, reply)
    assert not read.complete
    if not api.wants_stream(request_):
        with pytest.raises(ValueError):
            json.loads(reply.body)
        return
    events = LINES.parse(reply.body) if api is OLLAMA else parse(reply.body)
    assert all(event.whole for event in events)
    if recorded and recorded.status == 200:
        assert read.first_content_offset == len(reply.body)


def test_a_recorded_stream_is_cut_in_its_own_bytes() -> None:
    for api, ask, _, stream in FORMATS:
        reply = api.build_failure(ask(True), stream, "cut_stream")
        assert stream.body.startswith(reply.body)


@pytest.mark.parametrize(("api", "request_", "recorded"), CASES)
def test_invalid_json(api: Api, request_: HttpRequest, recorded: HttpReply | None) -> None:
    reply = api.build_failure(request_, recorded, "invalid_json")
    assert (reply.status, reply.failure) == (200, None)
    read = api.read_reply(request_, reply)
    if recorded and recorded.status == 200:
        [call, *_] = [p for p in read.messages[0]["parts"] if p["type"] == "tool_call"]
        assert call["id"] in ("call_a", "toolu_a")
        assert isinstance(call["arguments"], str)
        with pytest.raises(ValueError):
            json.loads(call["arguments"])
        assert read.complete
    else:
        assert read.error is not None
        assert read.error.type == "invalid_json"


@pytest.mark.parametrize(("api", "ask", "ending"), [
    (CHAT, chat_request, "[DONE]"), (MESSAGES, messages_request, '{"type":"message_stop"}'),
    (RESPONSES, responses_request, None),
])  # fmt: skip
def test_an_answer_without_calls_is_garbled_at_its_first_content(
    api: Api, ask: Any, ending: str | None
) -> None:
    said = api.build_reply(ask(True), None, TEXT)
    reply = api.build_failure(ask(True), said, "invalid_json")
    *events, broken = parse(reply.body)
    if ending is not None:
        assert broken.data == ending
        broken = events[-1]
    with pytest.raises(ValueError):
        json.loads(broken.data)
    json_reply_ = api.build_failure(ask(), said, "invalid_json")
    with pytest.raises(ValueError):
        json.loads(json_reply_.body)


def test_streams_that_end_without_a_mark_are_garbled_too() -> None:
    for api, ask in ((GEMINI, gemini_request), (OLLAMA, ollama_request)):
        said = api.build_reply(ask(True), None, TEXT)
        read = api.read_reply(ask(True), api.build_failure(ask(True), said, "invalid_json"))
        assert read.error is not None
        assert read.error.type == "invalid_json"


def test_arrays_fail_as_arrays() -> None:
    request = gemini_request("array")
    for recorded in (GEMINI_ARRAY, GEMINI_STREAM, None):
        cut = api_reply = GEMINI.build_failure(request, recorded, "cut_stream")
        read = GEMINI.read_reply(request, api_reply)
        assert (read.complete, read.error) == (False, None)
        if recorded is not None:
            assert read.first_content_offset == len(cut.body)
        assert ARRAY.fits(GEMINI.build_failure(request, recorded, "rate_limit"))
    assert GEMINI_ARRAY.body.startswith(
        GEMINI.build_failure(request, GEMINI_ARRAY, "cut_stream").body
    )
    said = GEMINI.build_reply(request, None, TEXT)
    read = GEMINI.read_reply(request, GEMINI.build_failure(request, said, "invalid_json"))
    assert read.error is not None
    assert read.error.type == "invalid_json"


@pytest.mark.parametrize("text", ["", "{}", "5", "12", '{"a":1}', "[]", "select 1", '"a"', "1234"])
def test_cut_arguments_are_no_json(text: str) -> None:
    with pytest.raises(ValueError):
        json.loads(cut_arguments(text))
