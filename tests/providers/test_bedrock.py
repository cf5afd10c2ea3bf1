"""Bedrock's two formats: what is read from requests and replies, and what is built."""

import json
from typing import Any

import pytest

from tracer.core.records import ErrorInfo, Usage
from tracer.providers import eventstream
from tracer.providers.base import HttpReply
from tracer.providers.jsontext import same_json

from .bedrock_replies import (
    CONVERSE,
    CONVERSE_EVENTS,
    CONVERSE_VALUE,
    FRAME_HEADERS,
    INVOKE,
    chunks,
    converse_request,
    frames,
    invoke_request,
)
from .replies import (
    EDITED_MESSAGE,
    MESSAGE_JSON,
    MESSAGE_STREAM,
    OTHER_TOOL,
    TEXT,
    json_reply,
    tool_call,
)

CONVERSE_JSON = json_reply(CONVERSE_VALUE)
CONVERSE_STREAM = frames(*CONVERSE_EVENTS)
SAID = [
    {"type": "reasoning", "content": "Look it up.", "signature": "c2ln+/=="},
    {"type": "reasoning", "content": "", "redacted_data": "b3BhcXVl"},
    {"type": "text", "content": "I look."},
    tool_call("weather", {"city": "Oslo"}, "tooluse_a"),
    tool_call("clock", {}, "tooluse_b"),
]
_EVENTS = [
    json.loads(line[6:])
    for line in MESSAGE_STREAM.body.decode().splitlines()
    if line.startswith("data: ")
]
METRICS = {"inputTokenCount": 117, "outputTokenCount": 30, "invocationLatency": 1}
INVOKE_STREAM = chunks(*_EVENTS[:-1], {**_EVENTS[-1], "amazon-bedrock-invocationMetrics": METRICS})


@pytest.mark.parametrize("reply", [CONVERSE_JSON, CONVERSE_STREAM], ids=["json", "stream"])
def test_converse_replies_are_read(reply: HttpReply) -> None:
    read = CONVERSE.read_reply(converse_request(), reply)
    assert same_json(read.messages, [
        {"role": "assistant", "parts": SAID, "finish_reason": "tool_call"}
    ])  # fmt: skip
    assert read.usage == Usage(117, 30, 100, None, 7)  # the input includes what was cached
    assert (read.complete, read.error, read.finish_reasons) == (True, None, ["tool_call"])


def test_the_first_content_of_a_stream_is_found() -> None:
    read = CONVERSE.read_reply(converse_request(True), CONVERSE_STREAM)
    assert read.first_content_offset == len(frames(*CONVERSE_EVENTS[:2]).body)
    read = INVOKE.read_reply(invoke_request(True), INVOKE_STREAM)
    assert read.first_content_offset == len(chunks(*_EVENTS[:4]).body)


def test_converse_requests_are_read() -> None:
    request = converse_request(
        True,
        system=[{"text": "Be kind."}, {"cachePoint": {"type": "default"}}],
        messages=[
            {
                "role": "user",
                "content": [
                    {"guardContent": {"text": {"text": "Look", "qualifiers": ["query"]}}},
                    {"image": {"format": "png", "source": {"bytes": "aW1n"}}},
                    {"document": {"format": "pdf", "name": "d", "source": {
                        "s3Location": {"uri": "s3://b/k", "bucketOwner": "1"}}}},
                ],
            },
            {"role": "assistant", "content": [CONVERSE_VALUE["output"]["message"]["content"][0]]},
            {"role": "user", "content": [{"toolResult": {
                "toolUseId": "tooluse_a", "content": [{"json": {"sun": True}}], "status": "success",
            }}]},
            "odd",
        ],
        toolConfig={
            "tools": [
                {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"a": 1}}}},
                {"cachePoint": {"type": "default"}},
            ],
            "toolChoice": {"any": {}},
        },
        inferenceConfig={"maxTokens": 9},
    )  # fmt: skip
    read = CONVERSE.read_request(request)
    assert (read.model, read.stream) == ("us.anthropic.claude-x-v1:0", True)
    system, user, assistant, tool, odd = read.messages
    assert system["parts"][1] == {"type": "cachePoint", "cachePoint": {"type": "default"}}
    assert user["parts"] == [
        {"type": "text", "content": "Look", "guard": {"qualifiers": ["query"]}},
        {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "aW1n",
         "format": "png"},
        {"type": "uri", "modality": "document", "uri": "s3://b/k", "name": "d", "format": "pdf",
         "bucketOwner": "1"},
    ]  # fmt: skip
    assert assistant["parts"] == SAID[:1]
    assert tool == {"role": "tool", "parts": [{
        "type": "tool_call_response", "id": "tooluse_a", "response": [{"json": {"sun": True}}],
        "status": "success",
    }]}  # fmt: skip
    assert odd["parts"] == [{"type": "unknown", "value": "odd"}]
    assert read.tools == [
        {"type": "function", "name": "f", "description": "d", "parameters": {"a": 1}},
        {"type": "cachePoint", "cachePoint": {"type": "default"}},
    ]
    assert read.parameters == {
        "inferenceConfig": {"maxTokens": 9}, "toolConfig": {"toolChoice": {"any": {}}},
    }  # fmt: skip


def test_a_model_may_be_an_arn() -> None:
    url = "http://h/model/arn%3Aaws%3Abedrock%3Aeu%3A1%3Ainference-profile%2Fx/converse"
    read = CONVERSE.read_request(converse_request().__class__("POST", url, [], b"{}"))
    assert read.model == "arn:aws:bedrock:eu:1:inference-profile/x"


def test_what_the_service_runs_itself_is_no_tool_call() -> None:
    use = {"toolUseId": "t", "name": "nova_grounding", "type": "server_tool_use"}
    result = {"toolUseId": "t", "type": "nova_grounding_result", "status": "success"}
    citation = {"location": {"web": {"url": "https://h"}}}
    stream = frames(
        ("messageStart", {"role": "assistant"}),
        ("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": use}}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": '{"q":1}'}}}),
        ("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolResult": result}}),
        ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolResult": [{"text": "r"}]}}),
        ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"text": "So."}}),
        ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"citation": citation}}),
        ("contentBlockDelta", {"contentBlockIndex": 3, "delta": {"brandNew": {"a": 1}}}),
        ("contentBlockDelta", {"contentBlockIndex": 3, "delta": {"brandNew": {"b": 2}}}),
        ("messageStop", {"stopReason": "end_turn"}),
    )
    first = CONVERSE.read_reply(converse_request(True), stream).messages[0]
    assert [part["type"] for part in first["parts"]] == [
        "server_tool_call", "server_tool_call_response", "text", "brandNew",
    ]  # fmt: skip
    assert first["parts"][0]["server_tool_call"] == {"toolUse": {**use, "input": {"q": 1}}}
    assert first["parts"][2] == {"type": "text", "content": "So.", "citations": [citation]}
    assert first["parts"][3] == {"type": "brandNew", "brandNew": {"a": 1, "b": 2}}
    for is_stream in (False, True):
        built = CONVERSE.build_reply(converse_request(is_stream), stream, first)
        assert same_json(CONVERSE.read_reply(converse_request(), built).messages[0], first)
    # New words have no citations of the old ones.
    said = {"parts": [{**first["parts"][2], "content": "No."}]}
    built = CONVERSE.build_reply(converse_request(), stream, said)
    assert json.loads(built.body)["output"]["message"]["content"] == [{"text": "No."}]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("recorded", [CONVERSE_JSON, CONVERSE_STREAM], ids=["json", "stream"])
def test_converse_is_built_anew(recorded: HttpReply, stream: bool) -> None:
    request = converse_request(stream)
    edited = {"parts": [*SAID[:2], tool_call("weather", {"city": "Bergen"}, "tooluse_a")]}
    built = CONVERSE.build_reply(request, recorded, edited)
    names = {name.lower() for name, _ in built.headers}
    assert not names & {"content-encoding", "content-length", "transfer-encoding"}
    kind = "application/vnd.amazon.eventstream" if stream else "application/json"
    assert ("content-type", kind) in built.headers
    read = CONVERSE.read_reply(request, built)
    assert same_json(read.messages[0]["parts"], edited["parts"])
    assert (read.finish_reasons, read.usage) == (["tool_call"], Usage(117, 30, 100, None, 7))
    assert b'"x_new":{"kept":true}' in built.body
    other = CONVERSE.read_reply(request, CONVERSE.build_reply(request, recorded, OTHER_TOOL))
    [call] = other.messages[0]["parts"]
    assert call["id"].startswith("tooluse_")


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_is_built_without_a_recorded_one(stream: bool) -> None:
    for api, ask in ((CONVERSE, converse_request), (INVOKE, invoke_request)):
        for recorded in (None, HttpReply(500, [], b"{}"), HttpReply(0, [], b"", "timeout")):
            read = api.read_reply(ask(stream), api.build_reply(ask(stream), recorded, TEXT))
            assert (read.messages[0]["parts"], read.complete) == (TEXT["parts"], True)
            assert (read.error, read.finish_reasons) == (None, ["stop"])


def test_streams_end_with_what_the_service_sends() -> None:
    """The order and the names are those of real streams; blocks of text have no start."""
    built = CONVERSE.build_reply(converse_request(True), CONVERSE_JSON, {"parts": SAID})
    sent = [frame.text(":event-type") for frame in eventstream.parse(built.body).frames]
    kinds = [kind for kind, after in zip(sent, [*sent[1:], ""], strict=True) if kind != after]
    block = ["contentBlockDelta", "contentBlockStop"]
    assert kinds == [
        "messageStart", *block * 3, "contentBlockStart", *block, "contentBlockStart", *block,
        "messageStop", "metadata",
    ]  # fmt: skip


@pytest.mark.parametrize("reply", [MESSAGE_JSON, INVOKE_STREAM], ids=["json", "stream"])
@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_inside_invoke(reply: HttpReply, stream: bool) -> None:
    request = invoke_request(stream)
    read = INVOKE.read_reply(request, reply)
    assert [part["type"] for part in read.messages[0]["parts"]] == [
        "reasoning", "reasoning", "text", "tool_call",
    ]  # fmt: skip
    assert read.usage == Usage(117, 30, 100, 12, 7)
    assert (read.model, read.response_id) == ("us.anthropic.claude-x-v1:0", "msg_1")
    built = INVOKE.build_reply(request, reply, EDITED_MESSAGE)
    again = INVOKE.read_reply(request, built)
    assert same_json(again.messages[0]["parts"], EDITED_MESSAGE["parts"])
    assert again.usage == read.usage
    if stream:
        payload = json.loads(eventstream.parse(built.body).frames[-1].payload)
        assert set(payload) == {"bytes"}
        metrics = INVOKE.read_reply(request, _without_usage(built)).usage
        assert metrics is not None
        assert (metrics.input_tokens, metrics.output_tokens) == (117, 30)
    else:
        assert b"invocationMetrics" not in built.body


def _without_usage(built: HttpReply) -> HttpReply:
    """The stream's last event alone, which tells what the service counted."""
    *_, before, last = eventstream.parse(built.body).frames
    return HttpReply(200, FRAME_HEADERS, built.body[before.end : last.end])


def test_invoke_requests_are_read_by_their_own_format() -> None:
    read = INVOKE.read_request(invoke_request(True))
    assert (read.model, read.stream) == ("us.anthropic.claude-x-v1:0", True)
    assert read.messages == [{"role": "user", "parts": [{"type": "text", "content": "Weather?"}]}]
    nova: Any = {
        "schemaVersion": "messages-v1",
        "messages": [{"role": "user", "content": [{"text": "x"}]}],
    }
    read = INVOKE.read_request(invoke_request(model="amazon.nova-lite-v1%3A0", **nova))
    assert read.model == "amazon.nova-lite-v1:0"
    assert read.messages[0]["parts"] == [{"type": "text", "content": "x"}]
    chat: Any = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 9}
    read = INVOKE.read_request(invoke_request(model="openai.gpt-oss", **chat))
    assert (read.messages[0]["parts"], read.parameters) == (
        [{"type": "text", "content": "x"}], {"max_tokens": 9},
    )  # fmt: skip
    command: Any = {
        "message": "x",
        "preamble": "p",
        "chat_history": [{"role": "CHATBOT", "message": "y"}],
    }
    roles = [m["role"] for m in INVOKE.read_request(invoke_request(**command)).messages]
    assert roles == ["system", "assistant", "user"]


@pytest.mark.parametrize(
    ("asked", "reply", "text", "reason", "usage"),
    [
        ({"prompt": "p"}, {"generation": "So.", "prompt_token_count": 5,
                           "generation_token_count": 3, "stop_reason": "length"},
         "So.", "length", (5, 3)),
        ({"inputText": "p", "textGenerationConfig": {}},
         {"inputTextTokenCount": 5, "results": [
             {"tokenCount": 3, "outputText": "So.", "completionReason": "FINISH"}]},
         "So.", "stop", (5, 3)),
        ({"prompt": "p"}, {"outputs": [{"text": "So.", "stop_reason": "stop"}]},
         "So.", "stop", None),
        ({"prompt": "p"}, {"id": "1", "generations": [
            {"id": "2", "text": "So.", "finish_reason": "COMPLETE"}]}, "So.", "stop", None),
        ({"prompt": "p", "max_tokens_to_sample": 9},
         {"completion": "So.", "stop_reason": "max_tokens", "stop": None}, "So.", "length", None),
        ({"message": "p"}, {"text": "So.", "finish_reason": "COMPLETE"}, "So.", "stop", None),
        ({"messages": []}, {"choices": [{"index": 0, "finish_reason": "stop", "message": {
            "role": "assistant", "content": "So."}}]}, "So.", "stop", None),
    ],
)  # fmt: skip
def test_generated_text_is_read_and_said_anew(
    asked: Any, reply: Any, text: str, reason: str, usage: tuple[int, int] | None
) -> None:
    recorded = json_reply(reply)
    read = INVOKE.read_reply(invoke_request(**asked), recorded)
    assert read.messages == [
        {"role": "assistant", "parts": [{"type": "text", "content": text}], "finish_reason": reason}
    ]
    assert read.usage == (usage and Usage(*usage))
    for template in (recorded, None):
        for stream in (False, True):
            request = invoke_request(stream, **asked)
            built = INVOKE.build_reply(request, template, TEXT)
            again = INVOKE.read_reply(request, built)
            assert again.messages[0]["parts"] == TEXT["parts"]
            assert (again.complete, again.error) == (True, None)
            if template and usage:
                assert again.usage == read.usage
            # A stream becomes the JSON reply it was made from, with other words.
            whole = INVOKE.build_reply(invoke_request(**asked), built, read.messages[0])
            if template:
                assert set(reply) <= set(json.loads(whole.body)) | {"id"}


def test_a_reply_of_no_known_shape_is_kept_whole() -> None:
    request = invoke_request(prompt="p")
    odd = {"brand": ["new"]}
    read = INVOKE.read_reply(request, json_reply(odd))
    assert read.messages[0]["parts"] == [{"type": "unknown", "value": odd}]
    assert read.error is None
    built = INVOKE.build_reply(request, json_reply(odd), read.messages[0])
    assert json.loads(built.body) == odd
    stream = INVOKE.read_reply(invoke_request(True, prompt="p"), chunks(odd, odd))
    assert stream.messages[0]["parts"] == [{"type": "unknown", "value": {"chunks": [odd, odd]}}]


def test_counts_beside_the_body_are_read() -> None:
    headers = [
        ("X-Amzn-Bedrock-Input-Token-Count", "5"),
        ("X-Amzn-Bedrock-Output-Token-Count", "3"),
    ]
    reply = HttpReply(200, headers, b'{"outputs": [{"text": "So."}]}')
    read = INVOKE.read_reply(invoke_request(prompt="p"), reply)
    assert read.usage == Usage(5, 3)
    odd = HttpReply(200, [("x-amzn-bedrock-input-token-count", "9" * 99)], reply.body)
    assert INVOKE.read_reply(invoke_request(prompt="p"), odd).usage is None


THROTTLED = eventstream.exception("throttlingException", b'{"message":"Too many tokens"}')
UNMODELLED = eventstream.frame(
    {":message-type": "error", ":error-code": "InternalError", ":error-message": "Sorry"}, b""
)


@pytest.mark.parametrize(
    ("tail", "error"),
    [
        (THROTTLED, ErrorInfo("throttlingException", "Too many tokens")),
        (UNMODELLED, ErrorInfo("InternalError", "Sorry")),
    ],
)
def test_an_exception_inside_a_stream_is_an_error(tail: bytes, error: ErrorInfo) -> None:
    reply = frames(*CONVERSE_EVENTS[:3], tail=tail)
    read = CONVERSE.read_reply(converse_request(True), reply)
    assert (read.error, read.finish_reasons) == (error, ["error"])
    assert read.messages[0]["parts"] == [{"type": "reasoning", "content": "Look it up."}]
    reply = chunks(*_EVENTS[:5], tail=tail)
    read = INVOKE.read_reply(invoke_request(True), reply)
    assert (read.error, read.finish_reasons) == (error, ["error"])
    assert read.messages[0]["parts"][0]["content"] == "Look it up."
    others: list[Any] = [{"prompt": "p"}, {"messages": []}]
    for asked in others:
        read = INVOKE.read_reply(invoke_request(True, **asked), chunks({"x": 1}, tail=tail))
        assert read.error == error
    nova = [{kind: payload} for kind, payload in CONVERSE_EVENTS[:3]]
    read = INVOKE.read_reply(invoke_request(True, inferenceConfig={}), chunks(*nova, tail=tail))
    assert (read.error, read.finish_reasons) == (error, ["error"])


def test_a_cut_stream_is_not_complete() -> None:
    for api, ask, reply in (
        (CONVERSE, converse_request, CONVERSE_STREAM), (INVOKE, invoke_request, INVOKE_STREAM),
    ):  # fmt: skip
        cut = HttpReply(200, FRAME_HEADERS, reply.body[:-1])
        assert not api.read_reply(ask(True), cut).complete
        more = HttpReply(200, FRAME_HEADERS, reply.body + THROTTLED[:20])
        assert not api.read_reply(ask(True), more).complete
        half = HttpReply(200, FRAME_HEADERS, reply.body[: len(reply.body) // 2])
        assert not api.read_reply(ask(True), half).complete
        broken = HttpReply(200, FRAME_HEADERS, reply.body + b"\0" * 16)
        error = api.read_reply(ask(True), broken).error
        assert error is not None
        assert error.type == "invalid_stream"


def test_words_blackened_in_a_stream_do_not_hide_the_rest() -> None:
    """What hides secrets in a recording leaves checksums that no longer fit."""
    black = CONVERSE_STREAM.body.replace(b"I ", b"**")
    read = CONVERSE.read_reply(converse_request(True), HttpReply(200, FRAME_HEADERS, black))
    assert read.messages[0]["parts"][2] == {"type": "text", "content": "**look."}
    assert (read.error, read.complete) == (None, True)


def test_errors_take_their_type_from_the_header() -> None:
    headers = [("x-amzn-ErrorType", "ValidationException:http://internal.amazon.com/coral/")]
    reply = HttpReply(400, headers, b'{"message": "No such model"}')
    for api, ask in ((CONVERSE, converse_request), (INVOKE, invoke_request)):
        read = api.read_reply(ask(), reply)
        assert read.error == ErrorInfo("ValidationException", "No such model")
        assert read.messages == []
        assert api.read_reply(ask(), HttpReply(500, [], b"oops")).error == ErrorInfo(
            "http_500", "oops"
        )


def test_the_type_of_a_recorded_error_is_not_sent_again() -> None:
    recorded = HttpReply(400, [("x-amzn-errortype", "ValidationException")], b"{}")
    for api, ask in ((CONVERSE, converse_request), (INVOKE, invoke_request)):
        said = api.build_reply(ask(), recorded, TEXT)
        limited = api.build_failure(ask(), recorded, "rate_limit")
        for reply, types in ((said, []), (limited, ["ThrottlingException"])):
            found = [value for name, value in reply.headers if name.lower() == "x-amzn-errortype"]
            assert found == types


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("with_recorded", [False, True])
def test_failures(stream: bool, with_recorded: bool) -> None:
    for api, ask, replies in (
        (CONVERSE, converse_request, (CONVERSE_JSON, CONVERSE_STREAM)),
        (INVOKE, invoke_request, (MESSAGE_JSON, INVOKE_STREAM)),
    ):
        request = ask(stream)
        for recorded in replies if with_recorded else (None,):
            limited = api.build_failure(request, recorded, "rate_limit")
            assert (limited.status, dict(limited.headers)["x-amzn-ErrorType"]) == (
                429, "ThrottlingException",
            )  # fmt: skip
            assert api.build_failure(request, recorded, "server_error").status == 500
            reset = api.build_failure(request, recorded, "connection_reset")
            assert (reset.status, reset.failure) == (0, "connection_reset")
            cut = api.build_failure(request, recorded, "cut_stream")
            assert cut.failure == "cut_stream"
            read = api.read_reply(request, cut)
            assert not read.complete
            if stream and recorded:
                assert read.first_content_offset == len(cut.body)
            invalid = api.build_failure(request, recorded, "invalid_json")
            read = api.read_reply(request, invalid)
            if recorded:
                calls = [p for p in read.messages[0]["parts"] if p["type"] == "tool_call"]
                assert isinstance(calls[0]["arguments"], str)
            else:
                assert read.error is not None
                assert read.error.type == "invalid_json"


def test_a_text_stream_is_garbled_inside_its_wrapping() -> None:
    """The client takes the frame apart; what the agent then reads is broken."""
    for api, ask in ((CONVERSE, converse_request), (INVOKE, invoke_request)):
        said = api.build_reply(ask(True), None, TEXT)
        broken = api.build_failure(ask(True), said, "invalid_json")
        found = eventstream.parse(broken.body)
        assert all(frame.sound for frame in found.frames)
        assert not (found.cut or found.broken)
        error = api.read_reply(ask(True), broken).error
        assert error is not None
        assert error.type == "invalid_json"
