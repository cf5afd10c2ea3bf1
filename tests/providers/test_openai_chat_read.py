"""Reading Chat Completions: requests part by part, replies in both forms."""

from dataclasses import replace
from typing import Any

import pytest

from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import HttpReply
from tracer.providers.sse import emit, parse

from .replies import (
    CHAT,
    CHAT_JSON,
    CHAT_STREAM,
    chat_chunk,
    chat_request,
    chat_stream,
    json_reply,
    tool_call,
)

PNG = "data:image/png;base64,iVBORw0="


def _read(message: Any) -> Any:
    return CHAT.read_request(chat_request(messages=[message])).messages[0]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, []),
        ("", []),
        ("hi", [{"type": "text", "content": "hi"}]),
        (["hi"], [{"type": "text", "content": "hi"}]),
        (
            [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}],
            [{"type": "text", "content": "hi", "cache_control": {"type": "ephemeral"}}],
        ),
        (
            [{"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}],
            [
                {
                    "type": "blob",
                    "mime_type": "image/png",
                    "modality": "image",
                    "content": "iVBORw0=",
                    "detail": "low",
                }
            ],
        ),
        (
            [{"type": "image_url", "image_url": "https://h/a.png"}],
            [{"type": "uri", "modality": "image", "uri": "https://h/a.png"}],
        ),
        (
            [{"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}}],
            [{"type": "blob", "mime_type": "audio/wav", "modality": "audio", "content": "QQ=="}],
        ),
        (
            [{"type": "file", "file": {"file_id": "file_1"}}],
            [{"type": "file", "modality": "document", "file_id": "file_1"}],
        ),
        (
            [
                {
                    "type": "file",
                    "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"},
                }
            ],
            [
                {
                    "type": "blob",
                    "mime_type": "application/pdf",
                    "modality": "document",
                    "content": "JVBE",
                    "filename": "a.pdf",
                }
            ],
        ),
        ([{"type": "refusal", "refusal": "No."}], [{"type": "refusal", "content": "No."}]),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}], "closed": True}],
            [{"type": "reasoning", "content": "Hm", "closed": True}],
        ),
        ([{"type": "video_hologram", "x": 1}], [{"type": "video_hologram", "x": 1}]),
        ([{"type": "image_url"}], [{"type": "image_url"}]),
        ([{"type": "text", "text": 5}, {"type": ["odd"]}, 5],
         [{"type": "text", "text": 5}, {"type": "unknown", "value": {"type": ["odd"]}},
          {"type": "unknown", "value": 5}]),
        ({"odd": 1}, [{"type": "unknown", "value": {"odd": 1}}]),
    ],
)  # fmt: skip
def test_content(content: Any, parts: list[Any]) -> None:
    assert _read({"role": "user", "content": content})["parts"] == parts


def test_roles_and_names_line_up_with_the_request() -> None:
    wire = [
        {"role": "system", "content": "Be."},
        {"role": "developer", "content": "Do."},
        {"role": "user", "content": "Hi", "name": "ann"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
            {"id": "c2", "type": "function", "function": {"name": "f", "arguments": '{"a":'}},
            {"id": "c3", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "no"}]},
        {"role": "assistant", "function_call": {"name": "g", "arguments": "{}"}},
        {"role": "function", "name": "g", "content": "done"},
        "nonsense",
        {"content": "no role"},
    ]  # fmt: skip
    messages = CHAT.read_request(chat_request(messages=wire)).messages
    roles = ["system", "developer", "user", "assistant", "tool", "tool", "assistant", "tool"]
    assert [m["role"] for m in messages] == [*roles, "unknown", "unknown"]
    assert messages[2]["name"] == "ann"
    assert messages[3]["parts"] == [
        tool_call("f", {"a": 1}, "c1"),
        tool_call("f", '{"a":', "c2"),
        {**tool_call("sql", "select 1", "c3"), "tool_type": "custom"},
    ]
    assert messages[4]["parts"] == [{"type": "tool_call_response", "id": "c1", "response": "ok"}]
    assert messages[5]["parts"][0]["response"] == [{"type": "text", "text": "no"}]
    assert messages[6]["parts"] == [tool_call("g", {})]
    assert messages[7]["parts"] == [{"type": "tool_call_response", "response": "done", "name": "g"}]


def test_tools_model_and_parameters() -> None:
    schema = {"type": "object", "properties": {}}
    request = chat_request(
        stream=True,
        tools=[
            {"type": "function", "function": {"name": "f", "parameters": schema, "strict": True}},
            {"type": "custom", "custom": {"name": "sql", "format": {"type": "text"}}},
            {"type": "web_search_preview", "depth": 3},
        ],
        functions=[{"name": "old", "description": "d", "parameters": schema}],
        temperature=0.5,
        stream_options={"include_usage": True},
    )
    read = CHAT.read_request(request)
    assert (read.model, read.stream) == ("gpt-x", True)
    assert read.parameters == {"temperature": 0.5, "stream_options": {"include_usage": True}}
    assert read.tools == [
        {"type": "function", "name": "f", "parameters": schema, "strict": True},
        {"type": "custom", "name": "sql", "format": {"type": "text"}},
        {"type": "web_search_preview", "depth": 3},
        {"type": "function", "name": "old", "description": "d", "parameters": schema},
    ]


@pytest.mark.parametrize("reply", [CHAT_JSON, CHAT_STREAM])
def test_tool_calls_in_both_forms(reply: HttpReply) -> None:
    read = CHAT.read_reply(chat_request(), reply)
    assert read.messages == [
        {
            "role": "assistant",
            "parts": [
                tool_call("weather", {"city": "Oslo"}, "call_a"),
                tool_call("weather", {"city": "Rome"}, "call_b"),
            ],
            "finish_reason": "tool_call",
        }
    ]
    assert read.finish_reasons == ["tool_call"]
    assert (read.model, read.response_id) == ("gpt-x-1", "chatcmpl-1")
    assert (read.error, read.complete) == (None, True)


def test_usage() -> None:
    read = CHAT.read_reply(chat_request(), CHAT_JSON)
    assert read.usage == Usage(20, 9, 5, 4)
    assert CHAT.read_reply(chat_request(), CHAT_STREAM).usage is None


def test_usage_in_a_chunk_without_choices_and_beside_them() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    apart = chat_stream(chat_chunk({"content": "a"}, "stop"), {"choices": [], "usage": usage})
    beside = chat_stream(chat_chunk({"content": "a"}, "stop", usage=usage))
    groq = chat_stream(chat_chunk({"content": "a"}, "stop", x_groq={"usage": usage}))
    for reply in (apart, beside, groq):
        assert CHAT.read_reply(chat_request(), reply).usage == Usage(3, 2)


def test_reasoning_counted_beside_the_output_is_added() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 115,
        "completion_tokens_details": {"reasoning_tokens": 100},
    }
    reply = json_reply({"choices": [], "usage": usage})
    assert CHAT.read_reply(chat_request(), reply).usage == Usage(10, 105, reasoning_tokens=100)


def _chunks_read(*chunks: Any, done: bool = True) -> Any:
    return CHAT.read_reply(chat_request(True), chat_stream(*chunks, done=done))


def test_the_offset_of_the_first_content() -> None:
    read = CHAT.read_reply(chat_request(True), CHAT_STREAM)
    assert read.first_content_offset == parse(CHAT_STREAM.body)[1].end
    assert CHAT.read_reply(chat_request(), CHAT_JSON).first_content_offset is None
    assert _chunks_read(chat_chunk({"role": "assistant"}, "stop")).first_content_offset is None


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_beside_the_content(field: str) -> None:
    deltas = [{field: "I "}, {field: "think"}, {"content": "so"}]
    read = _chunks_read(*map(chat_chunk, deltas), chat_chunk(finish="stop"))
    parts = [{"type": "reasoning", "content": "I think"}, {"type": "text", "content": "so"}]
    assert read.messages[0]["parts"] == parts
    message = {"role": "assistant", field: "I think", "content": "so"}
    reply = json_reply({"choices": [{"message": message, "finish_reason": "stop"}]})
    assert CHAT.read_reply(chat_request(), reply).messages == read.messages


def test_reasoning_details_grow_by_index() -> None:
    def details(**item: Any) -> Any:
        return chat_chunk({"reasoning_details": [{"type": "reasoning.text", "index": 0, **item}]})

    read = _chunks_read(
        details(text="ha", signature=""), details(text="ha"), details(signature="sig"),
        chat_chunk(finish="stop"),
    )  # fmt: skip
    whole = {"type": "reasoning.text", "index": 0, "text": "haha", "signature": "sig"}
    part = {"type": "reasoning", "content": "", "details": [whole]}
    assert read.messages[0]["parts"] == [part]


def test_content_that_is_a_list_first_and_text_later() -> None:
    def thought(text: str) -> Any:
        item = {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
        return chat_chunk({"content": [item]})

    read = _chunks_read(
        chat_chunk({"role": "assistant", "content": ""}), thought("I "), thought("think"),
        chat_chunk({"content": "so"}), chat_chunk({"content": "!"}), chat_chunk(finish="stop"),
    )  # fmt: skip
    assert read.messages[0]["parts"] == [
        {"type": "reasoning", "content": "I think"},
        {"type": "text", "content": "so!"},
    ]


def _call(arguments: str, name: str | None = None, **fields: Any) -> Any:
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return chat_chunk({"tool_calls": [{"function": function, **fields}]})


@pytest.mark.parametrize(
    "calls",
    [
        [_call("{}", "f", id="a"), _call("{}", "g", id="b")],  # Mistral: no index
        [_call("{}", "f", id="a", index=0), _call("{}", "g", id="b", index=0)],
        [
            _call("", "f", id="a", index=0),
            _call("", "g", id="b", index=1),
            _call("{", index=0),
            _call("{", index=1),
            _call("}", index=1),
            _call("}", index=0),
        ],
        [_call("{", "f", id="a", index=0), _call("}", "f", id="a", index=0),
         _call("{", "g", id="b"), _call("}")],
    ],
)  # fmt: skip
def test_parallel_tool_calls_however_they_are_told(calls: list[Any]) -> None:
    read = _chunks_read(*calls, chat_chunk(finish="tool_calls"))
    assert read.messages[0]["parts"] == [tool_call("f", {}, "a"), tool_call("g", {}, "b")]


def test_old_function_calls() -> None:
    read = _chunks_read(
        chat_chunk({"function_call": {"name": "f", "arguments": ""}}),
        chat_chunk({"function_call": {"arguments": '{"a":'}}),
        chat_chunk({"function_call": {"arguments": "1}"}}),
        chat_chunk(finish="function_call"),
    )
    assert read.messages[0]["parts"] == [tool_call("f", {"a": 1})]
    assert read.finish_reasons == ["tool_call"]


def test_an_empty_function_call_is_none() -> None:
    message = {"content": "4", "function_call": {"name": "", "arguments": ""}, "audio": {"id": ""}}
    reply = json_reply({"choices": [{"message": message, "finish_reason": ""}]})
    read = CHAT.read_reply(chat_request(), reply)
    assert read.messages == [{"role": "assistant", "parts": [{"type": "text", "content": "4"}]}]
    assert read.finish_reasons == ["unknown"]


def test_several_choices_refusals_and_server_tools() -> None:
    tool = {"type": "search", "index": 0, "arguments": "{}"}
    choices = [
        {"index": 0, "message": {"content": "a"}, "finish_reason": "length"},
        {"index": 1, "message": {"refusal": "No."}, "finish_reason": "content_filter"},
        {"index": 2, "message": {"executed_tools": [tool]}, "finish_reason": "flagged"},
    ]
    read = CHAT.read_reply(chat_request(), json_reply({"choices": choices}))
    assert [message["parts"] for message in read.messages] == [
        [{"type": "text", "content": "a"}],
        [{"type": "refusal", "content": "No."}],
        [{"type": "server_tool_call", "name": "search", "server_tool_call": tool}],
    ]
    assert read.finish_reasons == ["length", "content_filter", "flagged"]
    chunks = [
        {"choices": [{"index": i, "delta": c["message"], "finish_reason": c["finish_reason"]}]}
        for i, c in reversed(list(enumerate(choices)))
    ]
    assert _chunks_read(*chunks).messages == read.messages


def test_a_stream_without_done_is_complete_when_its_choices_are() -> None:
    assert _chunks_read(chat_chunk({"content": "a"}, "stop"), done=False).complete
    cut = _chunks_read(chat_chunk({"content": "a"}), done=False)
    assert not cut.complete
    assert cut.finish_reasons == ["error"]
    assert cut.messages[0]["parts"] == [{"type": "text", "content": "a"}]


def test_an_event_cut_in_the_middle_is_no_error() -> None:
    body = CHAT_STREAM.body[:-40]
    read = CHAT.read_reply(chat_request(True), HttpReply(200, CHAT_STREAM.headers, body))
    assert (read.complete, read.error) == (False, None)


def test_the_form_is_told_by_the_body_not_the_request() -> None:
    stream = HttpReply(200, [("content-type", "application/json")], CHAT_STREAM.body)
    assert len(CHAT.read_reply(chat_request(), stream).messages[0]["parts"]) == 2
    json_ = HttpReply(200, [("content-type", "text/event-stream")], b"\n \n" + CHAT_JSON.body)
    assert len(CHAT.read_reply(chat_request(True), json_).messages[0]["parts"]) == 2
    empty = HttpReply(200, [("Content-Type", "text/event-stream")], b"")
    assert not CHAT.read_reply(chat_request(True), empty).complete


@pytest.mark.parametrize(
    ("status", "value", "error"),
    [
        (
            429,
            {"error": {"type": "requests", "message": "slow", "code": "x"}},
            ("requests", "slow"),
        ),
        (400, {"error": {"message": "bad", "type": None, "code": "bad_x"}}, ("bad_x", "bad")),
        (429, {"error": {"code": 429, "message": "slow"}}, ("http_429", "slow")),
        (400, {"code": "c", "error": "text"}, ("c", "text")),
        (401, {"detail": "Unauthorized"}, ("http_401", "Unauthorized")),
        (
            422,
            {"object": "error", "type": "bad", "message": {"detail": 1}},
            ("bad", '{"detail":1}'),
        ),
        (500, [{"error": {"message": "m", "status": "INTERNAL"}}], ("INTERNAL", "m")),
        (502, "<html>", ("http_502", '"<html>"')),
        (
            200,
            {"error": {"message": "filtered", "code": "content_filter"}},
            ("content_filter", "filtered"),
        ),
        (200, {"hello": 1}, ("invalid_reply", "the reply has no choices")),
    ],
)
def test_error_replies(status: int, value: Any, error: tuple[str, str]) -> None:
    read = CHAT.read_reply(chat_request(), json_reply(value, status))
    assert read.error == ErrorInfo(*error)
    assert read.messages == []


def test_an_error_body_that_is_no_json() -> None:
    read = CHAT.read_reply(chat_request(), HttpReply(503, [], b"<html>down</html>"))
    assert read.error == ErrorInfo("http_503", "<html>down</html>")
    assert CHAT.read_reply(chat_request(), HttpReply(200, [], b"<html>")).error is not None
    lost = CHAT.read_reply(chat_request(), HttpReply(0, [], b"", "timeout"))
    assert (lost.error and lost.error.type, lost.complete) == ("timeout", False)


def test_an_error_inside_a_stream() -> None:
    error = {"error": {"type": "invalid_request_error", "message": "no"}}
    read = _chunks_read(chat_chunk({"content": "a"}), error, done=False)
    assert read.error == ErrorInfo("invalid_request_error", "no")
    assert read.finish_reasons == ["error"]
    broken = HttpReply(200, [], emit([(None, '{"id":'), (None, "[DONE]")]))
    read = CHAT.read_reply(chat_request(True), broken)
    assert read.error is not None
    assert read.error.type == "invalid_json"


def test_the_model_of_an_azure_request_is_its_deployment() -> None:
    request = chat_request(model=None)
    url = "https://x.openai.azure.com/openai/deployments/my-gpt/chat/completions?api-version=1"
    assert CHAT.read_request(replace(request, url=url)).model == "my-gpt"
    assert CHAT.read_request(request).model is None
