"""Building Chat Completions: the form asked for, what stays, what changes."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tracer.core.messages import Message
from tracer.providers.base import HttpReply
from tracer.providers.sse import parse

from .replies import (
    CHAT,
    CHAT_JSON,
    CHAT_STREAM,
    EDITED_CHAT,
    OTHER_TOOL,
    TEXT,
    chat_chunk,
    chat_request,
    chat_stream,
    json_reply,
    tool_call,
)

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def _object(recorded: HttpReply | None, said: Message, **asked: Any) -> Any:
    return json.loads(CHAT.build_reply(chat_request(**asked), recorded, said).body)


def _chunks(recorded: HttpReply | None, said: Message, **asked: Any) -> list[Any]:
    reply = CHAT.build_reply(chat_request(True, **asked), recorded, said)
    *events, done = parse(reply.body)
    assert done.data == "[DONE]"
    return [json.loads(event.data) for event in events]


def _message(recorded: HttpReply | None, said: Message, **asked: Any) -> Any:
    return _object(recorded, said, **asked)["choices"][0]["message"]


@pytest.mark.parametrize("recorded", [CHAT_JSON, CHAT_STREAM, None])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("said", [TEXT, OTHER_TOOL, EDITED_CHAT])
def test_what_is_built_says_it(recorded: HttpReply | None, stream: bool, said: Message) -> None:
    request = chat_request(stream)
    reply = CHAT.build_reply(request, recorded, said)
    read = CHAT.read_reply(request, reply)
    assert (reply.status, reply.failure, read.error, read.complete) == (200, None, None, True)
    [message] = read.messages
    assert message["finish_reason"] == ("stop" if said is TEXT else "tool_call")
    for part in message["parts"]:
        if said is OTHER_TOOL:
            assert part.pop("id").startswith("call_")
    assert message["parts"] == said["parts"]
    assert reply == CHAT.build_reply(request, recorded, said)


def test_a_text_edit_of_json_keeps_the_rest() -> None:
    value = _object(CHAT_JSON, TEXT)
    old = json.loads(CHAT_JSON.body)
    assert value["choices"] == [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": TEXT["parts"][0]["content"],
                "refusal": None,
            },
        }
    ]
    for key in ("id", "created", "model", "system_fingerprint", "x_new", "usage", "object"):
        assert value[key] == old[key]


def test_arguments_keep_their_spelling_unless_edited() -> None:
    calls = _message(CHAT_STREAM, EDITED_CHAT)["tool_calls"]
    assert [call["id"] for call in calls] == ["call_a", "call_b"]
    assert [c["function"]["arguments"] for c in calls] == ['{"city":"Bergen"}', '{"city":"Rome"}']
    unchanged = CHAT.read_reply(chat_request(), CHAT_STREAM).messages[0]
    calls = _message(CHAT_STREAM, unchanged)["tool_calls"]
    assert calls[0]["function"]["arguments"] == '{ "city": "Oslo" }'


def test_equal_calls_keep_each_its_spelling() -> None:
    spellings = ['{"a":1}', '{ "a": 1 }']
    calls = [{"id": "", "function": {"name": "f", "arguments": raw}} for raw in spellings]
    recorded = json_reply({"choices": [{"message": {"content": "x", "tool_calls": calls}}]})
    part = tool_call("f", {"a": 1})
    kept = _message(recorded, {"parts": [part, part, tool_call("g", {})]})["tool_calls"]
    assert [call["function"]["arguments"] for call in kept] == [*spellings, "{}"]


def test_unknown_fields_of_a_call_are_kept() -> None:
    call = {
        "id": "c", "index": 0, "type": "function", "extra_content": {"google": {"sig": "x"}},
        "function": {"name": "f", "arguments": "{}"},
    }  # fmt: skip
    recorded = json_reply({"choices": [{"message": {"tool_calls": [call], "seen": 1}}]})
    part = CHAT.read_reply(chat_request(), recorded).messages[0]["parts"][0]
    assert part["extra_content"] == {"google": {"sig": "x"}}
    said: Message = {"parts": [tool_call("f", {"a": 1}, "c")]}
    message = _message(recorded, said)
    function = {"name": "f", "arguments": '{"a":1}'}
    assert message["tool_calls"] == [{**call, "function": function}]
    assert message["seen"] == 1


def test_headers() -> None:
    json_ = CHAT.build_reply(chat_request(), CHAT_STREAM, TEXT)
    assert json_.headers == [("content-type", "application/json"), ("x-request-id", "req_1")]
    stream = CHAT.build_reply(chat_request(True), CHAT_JSON, TEXT)
    assert stream.headers == [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("x-request-id", "req_1"),
    ]


def test_the_stream_has_the_shape_a_model_sends() -> None:
    chunks = _chunks(CHAT_JSON, OTHER_TOOL)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": None}
    [opening] = deltas[1]["tool_calls"]
    assert (opening["index"], opening["type"], opening["function"]["name"]) == (
        0,
        "function",
        "refund",
    )
    assert opening["function"]["arguments"] == ""
    rest = "".join(d["tool_calls"][0]["function"]["arguments"] for d in deltas[2:-1])
    assert json.loads(rest) == {"order": 7, "ok": True}
    assert [c["choices"][0]["finish_reason"] for c in chunks][-2:] == [None, "tool_calls"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert all(chunk["id"] == "chatcmpl-1" for chunk in chunks)
    assert "x_new" in chunks[-1]
    assert "x_new" not in chunks[0]


def test_text_comes_in_several_pieces() -> None:
    contents = [c["choices"][0]["delta"].get("content") for c in _chunks(CHAT_JSON, TEXT)]
    said = [content for content in contents if content]
    assert len(said) > 1
    assert "".join(said) == TEXT["parts"][0]["content"]


def test_usage_goes_where_it_went() -> None:
    wanted = {"stream_options": {"include_usage": True}}
    assert "usage" not in "".join(map(json.dumps, _chunks(CHAT_JSON, TEXT)))
    last = _chunks(CHAT_JSON, TEXT, **wanted)[-1]
    assert (last["choices"], last["usage"]["prompt_tokens"]) == ([], 20)
    beside = chat_stream(chat_chunk({"content": "a"}, "stop", usage=USAGE))
    for asked in ({}, wanted):
        last = _chunks(beside, TEXT, **asked)[-1]
        assert (last["choices"][0]["finish_reason"], last["usage"]) == ("stop", USAGE)
    assert _object(CHAT_STREAM, TEXT)["usage"]["total_tokens"] == 0


def test_calls_come_whole_to_an_sdk_that_refuses_pieces() -> None:
    """Mistral's does, also behind a gateway, where no recorded call shows it."""
    asked = chat_request(True)
    for agent, deltas in (
        ("speakeasy-sdk/python 3.7.0 2.935.1 1.0.0 mistralai", 1),
        ("mistral-client-python/1.9", 1),
        ("OpenAI/Python 3.54.0", 2),
    ):
        request = replace(asked, headers=[("User-Agent", agent)])
        built = CHAT.build_reply(request, None, OTHER_TOOL)
        events = [json.loads(e.data) for e in parse(built.body) if e.data != "[DONE]"]
        calls = [c["choices"][0]["delta"] for c in events if c["choices"]]
        assert len([delta for delta in calls if delta.get("tool_calls")]) == deltas


def test_calls_come_whole_where_the_provider_sends_them_whole() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}
    whole = chat_stream(chat_chunk({"tool_calls": [call]}), chat_chunk(finish="tool_calls"))
    chunks = _chunks(whole, OTHER_TOOL)
    [told] = chunks[1]["choices"][0]["delta"]["tool_calls"]
    assert json.loads(told["function"]["arguments"]) == {"order": 7, "ok": True}
    assert len(chunks) == 3


def test_old_function_calling_is_answered_in_kind() -> None:
    functions = [{"name": "refund", "parameters": {}}]
    value = _object(None, OTHER_TOOL, functions=functions)["choices"][0]
    assert value["finish_reason"] == "function_call"
    assert value["message"]["function_call"]["name"] == "refund"
    assert "tool_calls" not in value["message"]
    recorded = json_reply(value={"choices": [value]})
    assert "function_call" in _message(recorded, OTHER_TOOL)
    text = _object(recorded, TEXT)["choices"][0]
    assert "function_call" not in text["message"]
    assert text["finish_reason"] == "stop"


def test_custom_tools() -> None:
    tools = [{"type": "custom", "custom": {"name": "sql"}}]
    said: Message = {"parts": [tool_call("sql", "select 1")]}
    [call] = _message(None, said, tools=tools)["tool_calls"]
    assert (call["type"], call["custom"]) == ("custom", {"name": "sql", "input": "select 1"})
    reply = CHAT.build_reply(chat_request(True, tools=tools), None, said)
    [part] = CHAT.read_reply(chat_request(), reply).messages[0]["parts"]
    assert (part["arguments"], part["tool_type"]) == ("select 1", "custom")


def test_reasoning_uses_the_field_the_provider_uses() -> None:
    said: Message = {"parts": [{"type": "reasoning", "content": "Hm"}, *TEXT["parts"]]}
    for field in ("reasoning", "reasoning_content"):
        old = {"role": "assistant", "content": "a", field: "b"}
        recorded = json_reply({"choices": [{"message": old, "finish_reason": "stop"}]})
        assert _message(recorded, said)[field] == "Hm"
        assert _message(recorded, TEXT)[field] is None
    assert _message(None, said)["reasoning_content"] == "Hm"


def test_thinking_inside_the_content_stays_there() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}], "closed": True}
    content = [thinking, {"type": "text", "text": "so"}]
    recorded = json_reply({"choices": [{"message": {"content": content}}]})
    read = CHAT.read_reply(chat_request(), recorded).messages[0]
    said = {"parts": [read["parts"][0], {"type": "text", "content": "new"}]}
    message = _message(recorded, said)
    assert message["content"] == [thinking, {"type": "text", "text": "new"}]
    assert "reasoning_content" not in message


def test_annotations_go_with_the_text_they_annotate() -> None:
    message = {"role": "assistant", "content": "a", "annotations": [{"start_index": 0}]}
    choice = {"message": message, "finish_reason": "stop", "logprobs": {"content": []}}
    recorded = json_reply({"choices": [choice]})
    said = CHAT.read_reply(chat_request(), recorded).messages[0]
    assert _object(recorded, said)["choices"][0]["logprobs"] == {"content": []}
    with_call = {**said, "parts": [*said["parts"], tool_call("f", {})], "finish_reason": None}
    assert _message(recorded, with_call)["annotations"] == [{"start_index": 0}]
    edited = {"parts": [{**said["parts"][0], "content": "b"}]}
    assert "annotations" not in _message(recorded, edited)
    assert "logprobs" not in _object(recorded, edited)["choices"][0]


def test_other_choices_stay() -> None:
    choices = [
        {"index": i, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        for i, text in enumerate("ab")
    ]
    recorded = json_reply({"choices": choices})
    for stream in (False, True):
        reply = CHAT.build_reply(chat_request(stream, n=2), recorded, TEXT)
        messages = CHAT.read_reply(chat_request(), reply).messages
        assert [m["parts"][0]["content"] for m in messages] == [TEXT["parts"][0]["content"], "b"]


@pytest.mark.parametrize(
    ("reason", "wire"),
    [("stop", "stop"), ("length", "length"), ("tool_call", "tool_calls"),
     ("content_filter", "content_filter"), ("own_word", "own_word")],
)  # fmt: skip
def test_a_finish_reason_given_is_used(reason: str, wire: str) -> None:
    said = {**TEXT, "finish_reason": reason}
    assert _object(CHAT_JSON, said)["choices"][0]["finish_reason"] == wire


@pytest.mark.parametrize(
    "recorded",
    [
        json_reply({"error": {"message": "no"}}, 429),
        json_reply({"error": {"message": "no"}}),
        json_reply({"hello": 1}),
        HttpReply(200, [("x-request-id", "req_1")], b"<html>"),
        HttpReply(0, [], b"", "timeout"),
        None,
    ],
)
def test_without_an_answer_to_start_from(recorded: HttpReply | None) -> None:
    value = _object(recorded, TEXT)
    assert set(value) == {"id", "object", "created", "model", "choices", "usage"}
    assert (value["model"], value["created"]) == ("gpt-x", 0)
    assert value["id"] == _object(recorded, TEXT)["id"] != _object(recorded, OTHER_TOOL)["id"]


def test_new_ids_are_distinct_and_depend_on_the_request() -> None:
    same = tool_call("f", {})
    said: Message = {"parts": [same, same]}
    first, second = _message(None, said)["tool_calls"]
    assert first["id"] != second["id"]
    elsewhere = _message(None, said, temperature=1)["tool_calls"]
    assert first["id"] != elsewhere[0]["id"]


def test_parts_without_a_place_are_left_out() -> None:
    said: Message = {"parts": [*TEXT["parts"], {"type": "uri", "uri": "x"}, "nonsense", {}]}
    assert _message(None, said)["content"] == TEXT["parts"][0]["content"]
    assert _message(CHAT_JSON, {"parts": []})["content"] == ""
    assert _message(CHAT_JSON, {})["content"] == ""
