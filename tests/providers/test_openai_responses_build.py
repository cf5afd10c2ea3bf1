"""Building Responses: the form asked for, what stays, what changes."""

import json
from typing import Any

import pytest

from tracer.core.messages import Message
from tracer.providers.base import HttpReply
from tracer.providers.sse import parse

from .replies import (
    EDITED_RESPONSE,
    OTHER_TOOL,
    REASONING,
    RESPONSE,
    RESPONSE_JSON,
    RESPONSE_STREAM,
    RESPONSES,
    TEXT,
    json_reply,
    responses_request,
    responses_stream,
    tool_call,
)

OLD = RESPONSE["output"]


def _object(recorded: HttpReply | None, said: Message, **asked: Any) -> Any:
    return json.loads(RESPONSES.build_reply(responses_request(**asked), recorded, said).body)


def _events(recorded: HttpReply | None, said: Message, **asked: Any) -> list[Any]:
    reply = RESPONSES.build_reply(responses_request(True, **asked), recorded, said)
    events = parse(reply.body)
    found = [json.loads(event.data) for event in events]
    assert [event.event for event in events] == [event["type"] for event in found]
    return found


@pytest.mark.parametrize("recorded", [RESPONSE_JSON, RESPONSE_STREAM, None])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("said", [TEXT, OTHER_TOOL, EDITED_RESPONSE])
def test_what_is_built_says_it(recorded: HttpReply | None, stream: bool, said: Message) -> None:
    request = responses_request(stream)
    reply = RESPONSES.build_reply(request, recorded, said)
    read = RESPONSES.read_reply(request, reply)
    assert (reply.status, reply.failure, read.error, read.complete) == (200, None, None, True)
    [message] = read.messages
    assert message["finish_reason"] == ("stop" if said is TEXT else "tool_call")
    for part in message["parts"]:
        if said is OTHER_TOOL:
            assert part.pop("id").startswith("call_")
            assert part.pop("item_id").startswith("fc_")
        if said is TEXT:
            assert part.pop("message")["id"].startswith("msg_")
    assert message["parts"] == said["parts"]
    assert reply == RESPONSES.build_reply(request, recorded, said)


@pytest.mark.parametrize("recorded", [RESPONSE_JSON, RESPONSE_STREAM])
@pytest.mark.parametrize("stream", [False, True])
def test_what_was_said_is_given_in_the_recorded_bytes(recorded: HttpReply, stream: bool) -> None:
    said = RESPONSES.read_reply(responses_request(), recorded).messages[0]
    built = RESPONSES.build_reply(responses_request(stream), recorded, said)
    if stream == (recorded is RESPONSE_STREAM):
        assert built.body == recorded.body
    elif not stream:
        assert json.loads(built.body) == RESPONSE
    else:
        assert _events(recorded, said)[-1]["response"] == RESPONSE


@pytest.mark.parametrize("recorded", [RESPONSE_JSON, RESPONSE_STREAM])
def test_a_text_edit_keeps_reasoning_and_settings(recorded: HttpReply) -> None:
    value = _object(recorded, {"parts": [REASONING, *TEXT["parts"]]})
    reasoning, message = value["output"]
    assert reasoning == OLD[0]
    said = {"type": "output_text", "text": TEXT["parts"][0]["content"], "annotations": []}
    assert message == {
        "id": message["id"], "type": "message", "role": "assistant", "status": "completed",
        "phase": "final_answer", "content": [said],
    }  # fmt: skip
    for key in ("created_at", "model", "temperature", "x_new", "usage", "object"):
        assert value[key] == RESPONSE[key]
    assert (value["status"], value["error"], value["incomplete_details"]) == (
        "completed", None, None,
    )  # fmt: skip


def test_another_answer_has_another_id() -> None:
    """What the provider holds under the recorded id is the recorded answer."""
    ids = {
        _object(recorded, said)["id"]
        for recorded in (RESPONSE_JSON, RESPONSE_STREAM)
        for said in (TEXT, OTHER_TOOL, EDITED_RESPONSE)
    }
    assert len(ids) == 3
    assert "resp_1" not in ids
    assert all(name.startswith("resp_") for name in ids)
    unchanged = RESPONSES.read_reply(responses_request(), RESPONSE_STREAM).messages[0]
    assert _object(RESPONSE_STREAM, {"parts": unchanged["parts"]})["id"] == "resp_1"
    stopped = {**unchanged, "finish_reason": "length"}
    assert _object(RESPONSE_STREAM, stopped)["id"] == "resp_1"


def test_one_of_several_calls_changes() -> None:
    """The others stay in their own bytes, also where an editor names only what it shows of them."""
    recorded = RESPONSES.read_reply(responses_request(), RESPONSE_JSON).messages[0]
    *kept, first, second = recorded["parts"]
    said: Message = {"parts": [*kept, first, {**second, "arguments": {"city": "Bergen"}}]}
    bare = [tool_call("weather", {"city": "Oslo"}, "call_a"),
            tool_call("weather", {"city": "Bergen"}, "call_b")]  # fmt: skip
    text = {"type": "text", "content": "I look."}
    for message in (said, {"parts": [REASONING, text, *bare]}):
        *same, changed = _object(RESPONSE_STREAM, message)["output"]
        assert same == OLD[:3]
        assert changed == {**OLD[3], "arguments": '{"city":"Bergen"}'}


def test_other_fields_of_a_call_are_kept() -> None:
    call = {**OLD[2], "namespace": "crm", "caller": {"type": "direct"}}
    recorded = json_reply({**RESPONSE, "output": [call]})
    bare: Message = {"parts": [tool_call("weather", {"city": "Bergen"}, "call_a")]}
    [built] = _object(recorded, bare)["output"]
    assert built == {**call, "arguments": '{"city":"Bergen"}'}
    [built] = _object(recorded, {"parts": [tool_call("other", {}, "call_a")]})["output"]
    assert (built["name"], built["call_id"], built["id"]) == ("other", "call_a", "fc_1")


def test_two_messages_stay_two() -> None:
    again = {**OLD[1], "id": "msg_2", "phase": "final_answer"}
    recorded = json_reply({**RESPONSE, "output": [OLD[1], again]})
    read = RESPONSES.read_reply(responses_request(), recorded).messages[0]
    for stream in (False, True):
        for template in (recorded, None):
            request = responses_request(stream)
            built = RESPONSES.build_reply(request, template, {"parts": read["parts"]})
            assert RESPONSES.read_reply(request, built).messages == [read]
    first, second = _object(None, read)["output"]
    assert (first["id"], second["id"], second["phase"]) == ("msg_1", "msg_2", "final_answer")


def test_a_refusal() -> None:
    said: Message = {"parts": [{"type": "refusal", "content": "I can't help with that, sorry."}]}
    [item] = _object(RESPONSE_JSON, said)["output"]
    assert item["content"] == [{"type": "refusal", "refusal": "I can't help with that, sorry."}]
    events = _events(RESPONSE_JSON, said)
    deltas = [e["delta"] for e in events if e["type"] == "response.refusal.delta"]
    assert "".join(deltas) == "I can't help with that, sorry."
    assert len(deltas) > 1
    read = RESPONSES.read_reply(responses_request(True), responses_stream(*events))
    assert read.messages[0]["parts"][0]["content"] == said["parts"][0]["content"]


def test_custom_tools() -> None:
    tools = [{"type": "custom", "name": "sql"}]
    said: Message = {"parts": [tool_call("sql", "select 1")]}
    [item] = _object(None, said, tools=tools)["output"]
    assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "sql", "select 1")
    reply = RESPONSES.build_reply(responses_request(True, tools=tools), None, said)
    [part] = RESPONSES.read_reply(responses_request(), reply).messages[0]["parts"]
    assert (part["arguments"], part["tool_type"]) == ("select 1", "custom")


def test_tools_of_the_provider_that_the_agent_does() -> None:
    item = {
        "id": "sh_1", "call_id": "call_s", "type": "shell_call", "status": "completed",
        "environment": {"type": "local"}, "action": {"commands": ["ls"]},
    }  # fmt: skip
    recorded = json_reply({**RESPONSE, "output": [item]})
    [part] = RESPONSES.read_reply(responses_request(), recorded).messages[0]["parts"]
    assert (part["name"], part["arguments"]) == ("shell", {"commands": ["ls"]})
    [built] = _object(recorded, {"parts": [{**part, "arguments": {"commands": ["pwd"]}}]})["output"]
    assert built == {**item, "action": {"commands": ["pwd"]}}


def test_a_search_stays_where_it_was() -> None:
    search = {
        "id": "ws_1", "type": "web_search_call", "status": "completed",
        "action": {"type": "search", "query": "x"},
    }  # fmt: skip
    recorded = json_reply({**RESPONSE, "output": [search, OLD[1]]})
    read = RESPONSES.read_reply(responses_request(), recorded).messages[0]
    call = read["parts"][0]
    assert (call["type"], call["name"]) == ("server_tool_call", "web_search")
    assert call["server_tool_call"] == search
    for template in (recorded, None):
        said: Message = {"parts": [call, *TEXT["parts"]]}
        assert _object(template, said)["output"][0] == search


def test_finish_reasons() -> None:
    for reason, status, details in (
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
        ("stop", "completed", None),
    ):
        said: Message = {"parts": TEXT["parts"], "finish_reason": reason}
        value = _object(RESPONSE_JSON, said)
        assert (value["status"], value["incomplete_details"]) == (status, details)
        last = _events(RESPONSE_JSON, said)[-1]
        assert last["type"] == f"response.{status}"
        assert last["response"]["status"] == status


def test_a_failed_answer_is_replaced() -> None:
    error = {"code": "server_error", "message": "Sorry."}
    failed = {**RESPONSE, "status": "failed", "error": error, "output": []}
    value = _object(json_reply(failed), TEXT)
    assert (value["status"], value["error"]) == ("completed", None)
    assert len(value["output"]) == 1


def test_headers() -> None:
    json_ = RESPONSES.build_reply(responses_request(), RESPONSE_STREAM, TEXT)
    assert json_.headers == [("content-type", "application/json"), ("x-request-id", "req_1")]
    stream = RESPONSES.build_reply(responses_request(True), RESPONSE_JSON, TEXT)
    assert stream.headers == [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("x-request-id", "req_1"),
    ]


def test_the_stream_has_the_shape_a_model_sends() -> None:
    events = _events(RESPONSE_JSON, {"parts": [REASONING, *TEXT["parts"], *OTHER_TOOL["parts"]]})
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"].removeprefix("response.") for event in events]
    told = [kind for kind, before in zip(kinds, ["", *kinds], strict=False) if kind != before]
    summary = [
        f"reasoning_summary_{kind}"
        for kind in ("part.added", "text.delta", "text.done", "part.done")
    ]
    assert told == [
        "created", "in_progress", "output_item.added", *summary, *summary, "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done", "output_item.added",
        "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    final = events[-1]["response"]
    done = [e["item"] for e in events if e["type"] == "response.output_item.done"]
    assert done == final["output"]
    names = [item["id"] for item in final["output"]]
    for event in events:
        if "item_id" in event:
            assert event["item_id"] == names[event["output_index"]]
    for event in events[:2]:
        response = event["response"]
        assert (response["status"], response["output"], response["usage"]) == (
            "in_progress", [], None,
        )  # fmt: skip
        assert response["id"] == final["id"]


def test_annotations_are_told() -> None:
    note = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    entry = {"type": "output_text", "text": "I look.", "annotations": [note], "logprobs": []}
    recorded = json_reply({**RESPONSE, "output": [{**OLD[1], "content": [entry]}]})
    read = RESPONSES.read_reply(responses_request(), recorded).messages[0]
    assert read["parts"][0]["annotations"] == [note]
    events = _events(recorded, read)
    [told] = [e for e in events if e["type"] == "response.output_text.annotation.added"]
    assert (told["annotation"], told["annotation_index"]) == (note, 0)
    assert _object(recorded, TEXT)["output"][0]["content"][0]["annotations"] == []


def test_a_new_answer_repeats_the_settings_of_its_request() -> None:
    tools = [{"type": "function", "name": "weather", "parameters": {}, "strict": False}]
    value = _object(None, TEXT, tools=tools, temperature=0.5, previous_response_id="resp_0")
    assert (value["tools"], value["tool_choice"], value["parallel_tool_calls"]) == (
        tools, "auto", True,
    )  # fmt: skip
    assert (value["temperature"], value["previous_response_id"]) == (0.5, "resp_0")
    assert (value["model"], value["object"], value["usage"]["total_tokens"]) == (
        "gpt-x", "response", 0,
    )  # fmt: skip
