"""Reading Anthropic Messages: requests block by block, replies in both forms."""

from dataclasses import replace
from typing import Any

import pytest

from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import HttpReply
from tracer.providers.sse import emit, parse

from .replies import (
    MESSAGE_JSON,
    MESSAGE_STREAM,
    MESSAGES,
    json_reply,
    messages_request,
    messages_stream,
    tool_call,
)

SAID = [
    {"type": "reasoning", "content": "Look it up.", "signature": "c2ln+/=="},
    {"type": "reasoning", "content": "", "redacted_data": "b3BhcXVl"},
    {"type": "text", "content": "I look."},
    tool_call("weather", {"city": "Oslo"}, "toolu_a"),
]


@pytest.mark.parametrize("reply", [MESSAGE_JSON, MESSAGE_STREAM])
def test_replies_in_both_forms(reply: HttpReply) -> None:
    read = MESSAGES.read_reply(messages_request(), reply)
    assert read.messages == [{"role": "assistant", "parts": SAID, "finish_reason": "tool_call"}]
    assert read.finish_reasons == ["tool_call"]
    assert read.usage == Usage(117, 30, 100, 12, 7)
    assert (read.model, read.response_id) == ("claude-x-1", "msg_1")
    assert (read.error, read.complete) == (None, True)


def test_the_offset_of_the_first_content() -> None:
    read = MESSAGES.read_reply(messages_request(), MESSAGE_STREAM)
    assert read.first_content_offset == parse(MESSAGE_STREAM.body)[3].end
    assert MESSAGES.read_reply(messages_request(), MESSAGE_JSON).first_content_offset is None


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "text", "text": "hi", "citations": [{"a": 1}], "cache_control": None},
            {"type": "text", "content": "hi", "citations": [{"a": 1}]},
        ),
        (
            {"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": True},
            {"type": "tool_call_response", "id": "t", "response": "x", "is_error": True},
        ),
        (
            {"type": "tool_result", "tool_use_id": "t"},
            {"type": "tool_call_response", "id": "t", "response": None},
        ),
        (
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "QQ=="},
            },
            {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "QQ=="},
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://h/a.pdf"}, "title": "A"},
            {"type": "uri", "modality": "document", "uri": "https://h/a.pdf", "title": "A"},
        ),
        (
            {"type": "image", "source": {"type": "file", "file_id": "f"}},
            {"type": "file", "modality": "image", "file_id": "f"},
        ),
        (
            {"type": "document", "source": {"type": "text", "data": "plain"}},
            {"type": "document", "source": {"type": "text", "data": "plain"}},
        ),
        (
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}},
            {
                "type": "server_tool_call",
                "id": "s",
                "name": "web_search",
                "server_tool_call": {
                    "type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}
                },
            },
        ),
        (
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
            {
                "type": "server_tool_call_response",
                "id": "s",
                "server_tool_call_response": {
                    "type": "web_search_tool_result", "tool_use_id": "s", "content": []
                },
            },
        ),
        ({"type": "compaction", "content": "c"}, {"type": "compaction", "content": "c"}),
        ({"type": "thinking"}, {"type": "thinking"}),
        ({"type": 5}, {"type": "unknown", "value": {"type": 5}}),
        (5, {"type": "unknown", "value": 5}),
    ],
)  # fmt: skip
def test_blocks(block: Any, part: Any) -> None:
    request = messages_request(messages=[{"role": "assistant", "content": [block]}])
    assert MESSAGES.read_request(request).messages[0]["parts"] == [part]


def test_roles_line_up_with_the_request_behind_the_system_prompt() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "x"}
    wire = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": []},
        {"role": "user", "content": [result, result]},
        {"role": "user", "content": [result, {"type": "text", "text": "and"}]},
        {"role": "system", "content": [{"type": "text", "text": "now"}]},
        "nonsense",
    ]
    system = [{"type": "text", "text": "Be.", "cache_control": {"type": "ephemeral"}}]
    messages = MESSAGES.read_request(messages_request(messages=wire, system=system)).messages
    roles = ["system", "user", "assistant", "tool", "user", "system", "unknown"]
    assert [message["role"] for message in messages] == roles
    assert messages[0]["parts"][0]["content"] == "Be."
    plain = MESSAGES.read_request(messages_request(system="Be.")).messages
    assert plain[0] == {"role": "system", "parts": [{"type": "text", "content": "Be."}]}
    assert MESSAGES.read_request(messages_request()).messages[0]["role"] == "user"


def test_tools_and_parameters() -> None:
    schema = {"type": "object"}
    tools = [
        {"name": "f", "description": "d", "input_schema": schema, "defer_loading": True},
        {"type": "custom", "name": "g", "input_schema": schema},
        {"type": "web_search_20260318", "name": "web_search", "max_uses": 3},
    ]
    read = MESSAGES.read_request(messages_request(True, tools=tools, thinking={"type": "on"}))
    assert (read.model, read.stream) == ("claude-x", True)
    assert read.parameters == {"max_tokens": 99, "thinking": {"type": "on"}}
    assert read.tools == [
        {
            "type": "function",
            "name": "f",
            "description": "d",
            "parameters": schema,
            "defer_loading": True,
        },
        {"type": "function", "name": "g", "parameters": schema},
        tools[2],
    ]


def test_vertex_says_model_and_stream_in_the_path() -> None:
    url = "https://h/v1/projects/p/publishers/anthropic/models/claude-x@1:streamRawPredict"
    request = replace(messages_request(model=None), url=url)
    read = MESSAGES.read_request(request)
    assert (read.model, read.stream) == ("claude-x@1", True)
    assert MESSAGES.wants_stream(request)
    assert not MESSAGES.wants_stream(messages_request())


def test_usage_of_the_end_wins_and_nulls_do_not() -> None:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1,
                                                         "cache_read_input_tokens": 3}}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
         "usage": {"input_tokens": 6, "output_tokens": 9, "cache_read_input_tokens": None}},
        {"type": "message_stop"},
    ]  # fmt: skip
    read = MESSAGES.read_reply(messages_request(True), messages_stream(*events))
    assert read.usage == Usage(9, 9, 3)


def _stream_of(*events: dict[str, Any]) -> Any:
    return MESSAGES.read_reply(messages_request(True), messages_stream(*events))


def test_input_that_is_no_json_is_kept_as_text() -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    delta = {"type": "input_json_delta", "partial_json": '{"a": '}
    read = _stream_of(
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "message_stop"},
    )
    assert read.messages[0]["parts"] == [tool_call("f", '{"a": ', "t")]


def test_citations_and_interleaved_blocks() -> None:
    cite = {"type": "char_location", "cited_text": "x"}
    read = _stream_of(
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": "", "citations": []},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "citations_delta", "citation": cite},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "text_delta", "text": "b"},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "a"},
        },
        {"type": "message_delta", "delta": {"stop_reason": "pause_turn"}},
        {"type": "message_stop"},
    )
    assert read.messages[0]["parts"] == [
        {"type": "text", "content": "a", "citations": [cite]},
        {"type": "text", "content": "b"},
    ]
    assert read.finish_reasons == ["pause_turn"]


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_call"),
        ("refusal", "content_filter"),
        ("brand_new", "brand_new"),
    ],
)
def test_finish_reasons(wire: str, reason: str) -> None:
    reply = json_reply({"content": [], "stop_reason": wire})
    assert MESSAGES.read_reply(messages_request(), reply).finish_reasons == [reason]


def test_errors() -> None:
    value = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    read = MESSAGES.read_reply(messages_request(), json_reply(value, 529))
    assert (read.error, read.messages) == (ErrorInfo("overloaded_error", "busy"), [])
    kept = parse(MESSAGE_STREAM.body)[:4]
    body = emit((event.event, event.data) for event in kept) + emit(
        [("error", '{"type":"error","error":{"type":"overloaded_error","message":"busy"}}')]
    )
    read = MESSAGES.read_reply(messages_request(True), HttpReply(200, [], body))
    assert read.error == ErrorInfo("overloaded_error", "busy")
    assert read.finish_reasons == ["error"]
    assert read.messages[0]["parts"][0]["content"] == "Look "
    odd = MESSAGES.read_reply(messages_request(), json_reply({"hello": 1}))
    assert odd.error is not None
    assert odd.error.type == "invalid_reply"


def test_a_cut_stream_is_not_complete() -> None:
    for cut in (50, len(MESSAGE_STREAM.body) - 5):
        reply = HttpReply(200, MESSAGE_STREAM.headers, MESSAGE_STREAM.body[:cut])
        read = MESSAGES.read_reply(messages_request(True), reply)
        assert (read.complete, read.error) == (False, None)
    whole = replace(MESSAGE_STREAM, failure="cut_stream")
    assert not MESSAGES.read_reply(messages_request(True), whole).complete


def test_events_without_names_are_read() -> None:
    body = emit((None, event.data) for event in parse(MESSAGE_STREAM.body))
    read = MESSAGES.read_reply(messages_request(True), HttpReply(200, [], body))
    assert read.messages[0]["parts"] == SAID
