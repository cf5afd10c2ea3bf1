"""Building Anthropic Messages: the form asked for, what stays, what changes."""

import json
from typing import Any

import pytest

from tracer.core.messages import Message
from tracer.providers.base import HttpReply
from tracer.providers.sse import parse

from .replies import (
    EDITED_MESSAGE,
    MESSAGE_JSON,
    MESSAGE_STREAM,
    MESSAGES,
    OTHER_TOOL,
    TEXT,
    json_reply,
    messages_request,
    tool_call,
)

SIGNED = json.loads(MESSAGE_JSON.body)["content"][:2]


def _object(recorded: HttpReply | None, said: Message, **asked: Any) -> Any:
    return json.loads(MESSAGES.build_reply(messages_request(**asked), recorded, said).body)


def _events(recorded: HttpReply | None, said: Message) -> list[Any]:
    events = parse(MESSAGES.build_reply(messages_request(True), recorded, said).body)
    values = [json.loads(event.data) for event in events]
    assert [event.event for event in events] == [value["type"] for value in values]
    return values


@pytest.mark.parametrize("recorded", [MESSAGE_JSON, MESSAGE_STREAM, None])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("said", [TEXT, OTHER_TOOL, EDITED_MESSAGE])
def test_what_is_built_says_it(recorded: HttpReply | None, stream: bool, said: Message) -> None:
    request = messages_request(stream)
    reply = MESSAGES.build_reply(request, recorded, said)
    read = MESSAGES.read_reply(request, reply)
    assert (reply.status, reply.failure, read.error, read.complete) == (200, None, None, True)
    [message] = read.messages
    assert message["finish_reason"] == ("stop" if said is TEXT else "tool_call")
    for part in message["parts"]:
        if said is OTHER_TOOL:
            assert part.pop("id").startswith("toolu_")
    assert message["parts"] == said["parts"]
    assert reply == MESSAGES.build_reply(request, recorded, said)


@pytest.mark.parametrize("recorded", [MESSAGE_JSON, MESSAGE_STREAM])
def test_signed_reasoning_is_emitted_as_it_was(recorded: HttpReply) -> None:
    content = _object(recorded, EDITED_MESSAGE)["content"]
    assert [json.dumps(block) for block in content[:2]] == [json.dumps(block) for block in SIGNED]
    assert content[2]["input"] == {"city": "Bergen"}
    events = _events(recorded, EDITED_MESSAGE)
    deltas = [e["delta"] for e in events if e["type"] == "content_block_delta"]
    assert deltas[0] == {"type": "thinking_delta", "thinking": "Look it up."}
    assert deltas[1] == {"type": "signature_delta", "signature": "c2ln+/=="}
    assert events[5]["content_block"] == SIGNED[1]


def test_a_text_edit_of_json_keeps_the_rest() -> None:
    value = _object(MESSAGE_JSON, TEXT)
    old = json.loads(MESSAGE_JSON.body)
    assert value["content"] == [{"type": "text", "text": TEXT["parts"][0]["content"]}]
    assert (value["stop_reason"], value["stop_sequence"]) == ("end_turn", None)
    for key in ("id", "type", "role", "model", "x_new", "usage"):
        assert value[key] == old[key]


def test_the_stream_has_the_shape_a_model_sends() -> None:
    events = _events(MESSAGE_JSON, OTHER_TOOL)
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    message = events[0]["message"]
    assert (message["content"], message["stop_reason"]) == ([], None)
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (10, 0)
    assert events[1]["content_block"]["input"] == {}
    assert json.loads(events[2]["delta"]["partial_json"]) == {"order": 7, "ok": True}
    assert events[4]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert events[4]["usage"]["output_tokens"] == 30


def test_a_tool_without_arguments_streams_one_empty_piece() -> None:
    events = _events(None, {"parts": [tool_call("f", {})]})
    assert events[2]["delta"] == {"type": "input_json_delta", "partial_json": ""}


def test_citations_stay_with_unchanged_text_only() -> None:
    cited = {"type": "text", "text": "a", "citations": [{"type": "char_location"}]}
    recorded = json_reply({"content": [cited, {"type": "text", "text": "b"}]})
    said = MESSAGES.read_reply(messages_request(), recorded).messages[0]
    kept = {"parts": [said["parts"][0], {"type": "text", "content": "new"}]}
    assert _object(recorded, kept)["content"] == [cited, {"type": "text", "text": "new"}]
    changed = {"parts": [{**said["parts"][0], "content": "new"}]}
    assert _object(recorded, changed)["content"] == [{"type": "text", "text": "new"}]
    again = MESSAGES.build_reply(messages_request(True), recorded, kept)
    assert MESSAGES.read_reply(messages_request(), again).messages[0]["parts"] == kept["parts"]


def test_what_the_provider_did_itself_is_kept_whole() -> None:
    content = [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]},
        {"type": "brand_new", "data": [1, {"a": None}]},
        {"type": "text", "text": "old"},
    ]
    recorded = json_reply({"content": content, "stop_reason": "end_turn"})
    parts = MESSAGES.read_reply(messages_request(), recorded).messages[0]["parts"]
    said: Message = {"parts": [*parts[:3], {"type": "text", "content": "new"}]}
    for stream in (False, True):
        reply = MESSAGES.build_reply(messages_request(stream), recorded, said)
        template = json.loads(
            MESSAGES.build_reply(
                messages_request(),
                reply,
                MESSAGES.read_reply(messages_request(), reply).messages[0],
            ).body
        )
        assert template["content"] == [*content[:3], {"type": "text", "text": "new"}]


def test_arguments_given_as_json_text_become_an_object() -> None:
    said: Message = {"parts": [tool_call("f", '{"a": 1}', "t")]}
    assert _object(None, said)["content"][0]["input"] == {"a": 1}


def test_details_of_the_old_stop_go_with_it() -> None:
    old = {
        "content": [{"type": "text", "text": "a"}],
        "stop_reason": "refusal",
        "stop_sequence": "END",
        "stop_details": {"category": "cyber"},
        "container": {"id": "c"},
    }
    value = _object(json_reply(old), TEXT)
    assert (value["stop_reason"], value["stop_sequence"], value["stop_details"]) == (
        "end_turn", None, None,
    )  # fmt: skip
    assert value["container"] == {"id": "c"}
    unchanged = MESSAGES.read_reply(messages_request(), json_reply(old)).messages[0]
    kept = _object(json_reply(old), unchanged)
    assert kept["stop_details"] == {"category": "cyber"}
    start, *_, delta, _ = _events(json_reply(old), unchanged)
    assert delta["delta"]["stop_details"] == {"category": "cyber"}
    assert delta["delta"]["container"] == start["message"]["container"] == {"id": "c"}


@pytest.mark.parametrize(
    ("reason", "wire"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("tool_call", "tool_use"),
     ("content_filter", "refusal"), ("pause_turn", "pause_turn")],
)  # fmt: skip
def test_a_finish_reason_given_is_used(reason: str, wire: str) -> None:
    assert _object(MESSAGE_JSON, {**TEXT, "finish_reason": reason})["stop_reason"] == wire


@pytest.mark.parametrize(
    "recorded",
    [
        json_reply({"type": "error", "error": {"type": "x", "message": "no"}}, 529),
        json_reply({"type": "error", "error": {"type": "x", "message": "no"}}),
        HttpReply(200, [], b"<html>"),
        None,
    ],
)
def test_without_an_answer_to_start_from(recorded: HttpReply | None) -> None:
    value = _object(recorded, TEXT)
    assert set(value) == {
        "id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage",
    }  # fmt: skip
    assert (value["type"], value["model"]) == ("message", "claude-x")
    assert value["id"] == _object(recorded, TEXT)["id"] != _object(recorded, OTHER_TOOL)["id"]


def test_of_several_words_for_a_reason_the_recorded_one_is_kept() -> None:
    content = [{"type": "text", "text": "a"}]
    old = {"content": content, "stop_reason": "stop_sequence", "stop_sequence": "END"}
    said = MESSAGES.read_reply(messages_request(), json_reply(old)).messages[0]
    assert said["finish_reason"] == "stop"
    for message in (said, {**TEXT, "finish_reason": "stop"}):
        value = _object(json_reply(old), message)
        assert (value["stop_reason"], value["stop_sequence"]) == ("stop_sequence", "END")
    assert _object(json_reply(old), OTHER_TOOL)["stop_sequence"] is None


def test_new_ids_are_distinct() -> None:
    same = tool_call("f", {})
    first, second = _object(None, {"parts": [same, same]})["content"]
    assert first["id"] != second["id"]
