"""Reading Responses: requests of every shape, replies whole, cut and failed."""

import json
from typing import Any

import pytest

from tracer.providers.base import HeldState, HttpReply, HttpRequest
from tracer.providers.sse import emit, parse

from .replies import (
    RESPONSE,
    RESPONSE_EVENTS,
    RESPONSE_JSON,
    RESPONSE_STREAM,
    RESPONSES,
    json_reply,
    responses_request,
    responses_stream,
)


def _asked(**fields: Any) -> Any:
    return RESPONSES.read_request(responses_request(**fields))


def _messages(*items: Any) -> Any:
    return _asked(input=list(items)).messages


def test_a_text_is_a_message_of_the_user() -> None:
    asked = _asked(instructions="Be brief.", input="Weather?", store=False)
    assert asked.messages == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Weather?"}]},
    ]
    assert (asked.model, asked.stream, asked.parameters) == ("gpt-x", False, {"store": False})


def test_what_the_model_said_is_one_message() -> None:
    user = {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]}
    result = {"type": "function_call_output", "call_id": "call_a", "output": "sunny"}
    custom = {"type": "custom_tool_call_output", "call_id": "call_c", "output": "rows"}
    messages = _messages(user, *RESPONSE["output"], result, custom, {"role": "assistant",
                                                                     "content": "So."})  # fmt: skip
    assert [message["role"] for message in messages] == [
        "user", "assistant", "tool", "tool", "assistant",
    ]  # fmt: skip
    said = RESPONSES.read_reply(responses_request(), RESPONSE_JSON).messages[0]
    assert messages[1] == {"role": "assistant", "parts": said["parts"]}
    assert messages[2]["parts"] == [
        {"type": "tool_call_response", "id": "call_a", "response": "sunny"}
    ]
    assert messages[3]["parts"][0]["tool_type"] == "custom_tool_call_output"


def test_images_files_and_sounds() -> None:
    content = [
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
        {"type": "input_image", "image_url": "https://h/x.png"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
        {"type": "input_file", "file_url": "https://h/a.pdf"},
        {"type": "input_file", "file_id": "file-2"},
        {"type": "input_file", "file_data": "AAAA", "filename": "b"},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "mp3"}},
        {"type": "brand_new", "x": 1},
        {"type": "input_image"},
    ]
    [message] = _messages({"role": "user", "content": content})
    assert message["parts"] == [
        {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AAAA",
         "detail": "low"},
        {"type": "uri", "modality": "image", "uri": "https://h/x.png"},
        {"type": "file", "modality": "image", "file_id": "file-1"},
        {"type": "blob", "mime_type": "application/pdf", "modality": "document", "content": "AA",
         "filename": "a.pdf"},
        {"type": "uri", "modality": "document", "uri": "https://h/a.pdf"},
        {"type": "file", "modality": "document", "file_id": "file-2"},
        {"type": "blob", "mime_type": "application/octet-stream", "modality": "document",
         "content": "AAAA", "filename": "b"},
        {"type": "blob", "mime_type": "audio/mp3", "modality": "audio", "content": "AA"},
        {"type": "brand_new", "x": 1},
        {"type": "input_image"},
    ]  # fmt: skip


def test_items_of_other_kinds_are_kept() -> None:
    items = [
        {"type": "item_reference", "id": "msg_7"},
        {"id": "msg_8"},
        {"type": "compaction", "encrypted_content": "gAAA"},
        {"type": "mcp_approval_response", "approval_request_id": "m", "approve": True},
        {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "x"}]},
        {"type": "local_shell_call_output", "id": "c2", "output": "{}"},
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "x"}]},
        {"type": "configuration_update", "reasoning": {"effort": "low"}},
        7,
        "text",
    ]
    messages = _messages(*items)
    assert [message["role"] for message in messages] == [
        "assistant", "user", "tool", "tool", "developer", "system", "unknown", "user",
    ]  # fmt: skip
    reference, short, compaction = messages[0]["parts"]
    assert (reference, compaction) == (items[0], items[2])
    assert short == {"type": "item_reference", "id": "msg_8"}
    [shell], [local] = (message["parts"] for message in messages[2:4])
    assert (shell["id"], shell["response"]) == ("c", [{"stdout": "x"}])
    assert local["id"] == "c2"


def test_tools() -> None:
    function = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "x"}}
    inner = {"type": "function", "name": "g", "parameters": {}}
    asked = _asked(
        tools=[
            {**function, "strict": True},
            {"type": "custom", "name": "sql", "format": {"type": "text"}},
            {"type": "web_search", "filters": {}},
            {"type": "mcp", "server_label": "deep", "server_url": "u"},
            {"type": "namespace", "name": "crm", "description": "d", "tools": [inner]},
        ],
        input=[{"type": "additional_tools", "role": "developer", "tools": [inner]}],
    )
    assert asked.tools == [
        {**function, "strict": True},
        {"type": "custom", "name": "sql", "format": {"type": "text"}},
        {"type": "web_search", "filters": {}, "name": "web_search"},
        {"type": "mcp", "server_label": "deep", "server_url": "u", "name": "deep"},
        {"type": "namespace", "name": "crm", "description": "d"},
        {**inner, "namespace": "crm"},
        inner,
    ]


def test_what_the_provider_holds() -> None:
    request = responses_request(
        previous_response_id="resp_0",
        conversation={"id": "conv_1"},
        input=[{"type": "item_reference", "id": "msg_7"}, {"id": "rs_1"}, {"role": "user"}],
        tools=[{"type": "code_interpreter", "container": "cntr_1"},
               {"type": "code_interpreter", "container": {"type": "auto"}}],
    )  # fmt: skip
    assert RESPONSES.server_state(request) == [
        HeldState("previous_response_id", "resp_0"),
        HeldState("conversation", "conv_1", grows=True),
        HeldState("item_reference", "msg_7"),
        HeldState("item_reference", "rs_1"),
        HeldState("container", "cntr_1", grows=True),
    ]
    assert RESPONSES.server_state(responses_request(conversation="conv_2")) == [
        HeldState("conversation", "conv_2", grows=True)
    ]
    nothing = responses_request(previous_response_id=None, conversation=None, store=True)
    assert RESPONSES.server_state(nothing) == []
    assert RESPONSES.server_state(HttpRequest("POST", "", [], b"{")) == []


def test_stream_and_json_are_read_alike() -> None:
    whole = RESPONSES.read_reply(responses_request(), RESPONSE_JSON)
    streamed = RESPONSES.read_reply(responses_request(True), RESPONSE_STREAM)
    assert streamed.messages == whole.messages
    assert (streamed.usage, streamed.model) == (whole.usage, "gpt-x-1")
    assert (streamed.response_id, streamed.finish_reasons) == ("resp_1", ["tool_call"])
    assert (streamed.complete, streamed.error) == (True, None)
    usage = whole.usage
    assert usage is not None
    assert (usage.input_tokens, usage.cached_input_tokens, usage.cache_write_tokens) == (20, 5, 2)
    assert (usage.output_tokens, usage.reasoning_tokens) == (9, 4)


def test_time_to_first_token_is_that_of_the_first_words() -> None:
    events = parse(RESPONSE_STREAM.body)
    first = next(e for e in events if e.event == "response.reasoning_summary_text.delta")
    read = RESPONSES.read_reply(responses_request(True), RESPONSE_STREAM)
    assert read.first_content_offset == first.end


def test_a_last_event_without_output_is_filled_in() -> None:
    *events, last = RESPONSE_EVENTS
    empty = {**last, "response": {**RESPONSE, "output": []}}
    read = RESPONSES.read_reply(responses_request(True), responses_stream(*events, empty))
    whole = RESPONSES.read_reply(responses_request(), RESPONSE_JSON)
    assert (read.messages, read.complete) == (whole.messages, True)


def test_only_the_deltas_are_enough() -> None:
    skipped = ("response.output_item.done", "response.content_part", "response.completed")
    events = [
        event
        for event in RESPONSE_EVENTS
        if not event["type"].startswith(skipped) and not event["type"].endswith(".done")
    ]
    read = RESPONSES.read_reply(responses_request(True), responses_stream(*events))
    assert not read.complete
    said = read.messages[0]["parts"]
    whole = RESPONSES.read_reply(responses_request(), RESPONSE_JSON).messages[0]["parts"]
    assert [part["type"] for part in said] == [part["type"] for part in whole]
    for kept, part in zip(said, whole, strict=True):
        assert (kept.get("content"), kept.get("arguments")) == (
            part.get("content"), part.get("arguments"),
        )  # fmt: skip


def test_a_cut_stream_keeps_what_came() -> None:
    body = RESPONSE_STREAM.body
    end = body.index(b'"look."')
    read = RESPONSES.read_reply(
        responses_request(True), HttpReply(200, [], body[:end], "cut_stream")
    )
    assert (read.complete, read.finish_reasons) == (False, ["error"])
    reasoning, text = read.messages[0]["parts"]
    assert reasoning["encrypted_content"] == "gAAAc2ln+/=="
    assert (text["content"], text["message"]["id"]) == ("I ", "msg_1")


FAILED = {
    **RESPONSE,
    "status": "failed",
    "error": {"code": "rate_limit_exceeded", "message": "Slow down."},
}


@pytest.mark.parametrize("event", [
    {"type": "response.failed", "response": FAILED},
    {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down.", "param": None},
    {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "Slow down."}},
    {"error": {"code": "rate_limit_exceeded", "message": "Slow down."}},
])  # fmt: skip
def test_errors_inside_a_stream(event: dict[str, Any]) -> None:
    opening = RESPONSE_EVENTS[0]
    body = emit((None, json.dumps(told)) for told in (opening, event))
    read = RESPONSES.read_reply(responses_request(True), HttpReply(200, [], body))
    assert read.error is not None
    assert (read.error.type, read.error.message) == ("rate_limit_exceeded", "Slow down.")
    assert read.complete
    assert set(read.finish_reasons) <= {"error"}


def test_a_failed_response_is_an_error() -> None:
    read = RESPONSES.read_reply(responses_request(), json_reply(FAILED))
    assert read.error is not None
    assert (read.error.type, read.finish_reasons) == ("rate_limit_exceeded", ["error"])
    silent = {**RESPONSE, "status": "failed", "output": []}
    read = RESPONSES.read_reply(responses_request(), json_reply(silent))
    assert read.error is not None
    assert (read.error.type, read.messages) == ("response_failed", [])


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
         "content_filter"),
        ({"status": "incomplete", "incomplete_details": None}, "length"),
        ({"status": "cancelled"}, "cancelled"),
        ({"status": "queued", "output": []}, "unknown"),
        ({"output": []}, "stop"),
    ],
)  # fmt: skip
def test_how_it_ended(fields: dict[str, Any], finish: str) -> None:
    read = RESPONSES.read_reply(responses_request(), json_reply({**RESPONSE, **fields}))
    assert (read.error, read.finish_reasons) == (None, [finish])


def test_what_is_no_response_is_an_error() -> None:
    for body, kind in ((b'{"object": "x"}', "invalid_reply"), (b"<html>", "invalid_json")):
        read = RESPONSES.read_reply(responses_request(), HttpReply(200, [], body))
        assert read.error is not None
        assert (read.error.type, read.messages) == (kind, [])
