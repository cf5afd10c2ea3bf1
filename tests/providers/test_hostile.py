"""Hostile input: nothing raises, and nothing takes time out of proportion."""

import json
import time
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.providers import APIS, recognise
from tracer.providers.base import Api, FailureKind, HttpReply, HttpRequest
from tracer.providers.sse import emit

from .replies import (
    CHAT,
    EMBEDDINGS,
    MESSAGES,
    RESPONSES,
    TEXT,
    chat_request,
    messages_request,
    responses_request,
)
from .replies_google import GEMINI, GENERATE, OLLAMA, gemini_request, ollama_request

# Keys and words the readers look for, so that odd values land in places that matter.
_WORDS = st.sampled_from(
    """
    type role content text id index delta choices message messages tool_calls function name
    arguments input custom thinking signature data error usage finish_reason stop_reason tools
    message_start message_delta content_block_start content_block_delta content_block
    content_block_stop message_stop tool_use tool_result text_delta input_json_delta
    citations_delta citation partial_json reasoning reasoning_content reasoning_details refusal
    function_call audio annotations image_url url source file executed_tools system model stream
    output input instructions summary phase status item response item_id output_index text part
    content_index summary_index call_id output_text summary_text reasoning_text input_text
    response.output_item.added response.output_item.done response.content_part.added
    response.output_text.delta response.output_text.done response.function_call_arguments.delta
    response.reasoning_summary_part.done response.reasoning_summary_text.delta response.completed
    response.output_text.annotation.added annotation response.failed function_call_output
    custom_tool_call computer_call web_search_call mcp_call item_reference incomplete reason
    incomplete_details action actions encrypted_content server_tool_call tool_type embedding
    previous_response_id conversation container namespace additional_tools
    assistant user tool input_tokens prompt_tokens details stop tool_call parts fallback to
    candidates contents functionCall function_call functionResponse args partialArgs jsonPath
    stringValue willContinue thought thoughtSignature inlineData fileData mimeType finishReason STOP
    promptFeedback blockReason usageMetadata promptTokenCount modelVersion systemInstruction
    functionDeclarations parameters properties items anyOf nullable enum OBJECT executableCode
    response prompt images image done done_reason context eval_count prompt_eval_count thinking
    """.split()  # noqa: SIM905 - a list of them would take a page
)
_leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _WORDS
_values = st.recursive(
    _leaf,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=6),
    max_leaves=25,
)
_objects = st.dictionaries(_WORDS, _values, max_size=8)


def _surrounded(api: Api, value: Any) -> list[Any]:
    """The value as a reply, and where replies hold what matters."""
    if api is CHAT:
        return [value, {"choices": [value]}, {"choices": [{"message": value, "delta": value}]}]
    if api is GEMINI:
        said = {"content": {"parts": [value, value], "role": "model"}, "finishReason": value}
        chunk = {"candidates": [{"content": {"parts": [{"functionCall": value}]}}]}
        return [value, {"candidates": [said]}, {"candidates": value}, chunk]
    if api in (OLLAMA, GENERATE):
        return [value, {"message": value}, {"message": {"tool_calls": [value]}, "done": True},
                {"response": "a", "images": value}]  # fmt: skip
    if api is RESPONSES:
        return _around_an_item(value)
    if api is EMBEDDINGS:
        return [value, {"data": [value]}, {"data": [{"embedding": value}]}]
    block = {"type": "content_block_start", "index": 0, "content_block": value}
    delta = {"type": "content_block_delta", "index": 0, "delta": value}
    return [value, {"content": [value]}, block, delta, {"type": "message_start", "message": value}]


def _around_an_item(value: Any) -> list[Any]:
    item = {"type": "response.output_item.added", "output_index": 0, "item": value}
    entry = {"type": "response.content_part.done", "item_id": "x", "part": value}
    text = {"type": "response.output_text.delta", "output_index": 0, "delta": value}
    note = {"type": "response.output_text.annotation.added", "annotation": value}
    last = {"type": "response.completed", "response": value}
    message = {"type": "message", "content": [value]}
    return [value, {"output": [value]}, {"output": [message]}, item, entry, text, note, last]


# How Gemini is asked; the others read nothing of it but the body that goes with it.
_ACTIONS = (
    "m:generateContent",
    "m:streamGenerateContent?alt=sse",
    "m:streamGenerateContent",
)


def _use_everything(api: Api, request: HttpRequest, reply: HttpReply, said: Any) -> None:
    read = api.read_request(request)
    json.dumps([read.messages, read.tools, read.parameters])
    assert all(isinstance(state.id, str) for state in api.server_state(request))
    answer = api.read_reply(request, reply)
    json.dumps(answer.messages)
    assert len(answer.finish_reasons) == len(answer.messages)
    for action in _ACTIONS if api is GEMINI else _ACTIONS[:2]:
        body = json.dumps({"stream": action.startswith("m:s")}).encode()
        asked = replace(request, url=f"http://h/models/{action}", body=body)
        for message in [said, TEXT, *answer.messages[:1]]:
            built = api.build_reply(asked, reply, message)
            assert not api.read_reply(asked, built).error
        for kind in get_args(FailureKind):
            api.build_failure(asked, reply, kind)


@given(st.sampled_from(APIS), _objects, _values, _objects)
def test_odd_values_anywhere(api: Api, request: Any, reply: Any, said: Any) -> None:
    lists = {
        "messages": [request, reply],
        "input": [request, reply],
        "contents": [reply, request],
        "tools": [reply],
    }
    body = json.dumps({**request, **lists}).encode()
    asked = replace(chat_request(), body=body)
    message = {"parts": [said, reply, {"type": "tool_call", **said}, {**said, "type": "text"}]}
    for value in _surrounded(api, reply):
        _use_everything(api, asked, HttpReply(200, [], json.dumps(value).encode()), message)
    stream = emit((None, json.dumps(value)) for value in _surrounded(api, reply))
    _use_everything(api, asked, HttpReply(200, [], stream), message)
    values = [json.dumps(value) for value in _surrounded(api, reply)]
    if api not in (GEMINI, OLLAMA, GENERATE):
        return
    for framed in ("[" + ",".join(values) + "]", "\n".join(values), "[" + ",\n".join(values)):
        _use_everything(api, asked, HttpReply(200, [], framed.encode()), message)


@given(st.sampled_from(APIS), st.binary(), st.binary(), st.integers(0, 600))
def test_odd_bytes_anywhere(api: Api, request: bytes, reply: bytes, status: int) -> None:
    asked = HttpRequest("POST", "::::", [], request)
    api.read_request(asked)
    for body in (reply, b"data: " + reply, b'{"a":' + reply):
        api.read_reply(asked, HttpReply(status, [], body))
        api.build_reply(asked, HttpReply(status, [], body), TEXT)
    recognise("POST", reply.decode("latin-1"), request)


@pytest.mark.parametrize("api", APIS)
def test_endless_depth(api: Api) -> None:
    deep = b'{"messages":' + b'[{"content":' * 50_000
    asked = replace(chat_request(), body=deep)
    assert api.read_request(asked).messages == []
    assert api.read_reply(asked, HttpReply(200, [], deep)).error is not None
    assert api.read_reply(asked, HttpReply(200, [], b"data: " + deep + b"\n\n")).error is not None


def test_lone_surrogates_pass_through() -> None:
    said = {"parts": [{"type": "text", "content": "a\ud800b"}]}
    for api, ask in (
        (CHAT, chat_request),
        (MESSAGES, messages_request),
        (RESPONSES, responses_request),
        (GEMINI, gemini_request),
        (OLLAMA, ollama_request),
    ):
        for stream in (False, True):
            reply = api.build_reply(ask(stream), None, said)
            [part] = api.read_reply(ask(), reply).messages[0]["parts"]
            assert part["content"] == "a\ud800b"


@pytest.mark.parametrize("kind", ["content", "reasoning_details", "tool_calls", "calls", "list"])
def test_a_long_stream_takes_time_in_proportion(kind: str) -> None:
    piece: Any = {
        "content": "x" * 50,
        "reasoning_details": [{"index": 0, "type": "t", "text": "x" * 50}],
        "tool_calls": [{"index": 0, "function": {"arguments": "x" * 50, "name": "f"}}],
        "list": [{"type": "thinking", "thinking": [{"type": "text", "text": "x" * 50}]}],
    }
    count = 20_000
    field = {"calls": "tool_calls", "list": "content"}.get(kind, kind)
    said = [
        {
            field: [{"index": i, "id": str(i), "function": {"name": "f"}}]
            if kind == "calls"
            else piece[kind]
        }
        for i in range(count)
    ]
    body = emit((None, json.dumps({"choices": [{"delta": delta}]})) for delta in said)
    started = time.process_time()
    CHAT.read_reply(chat_request(True), HttpReply(200, [], body))
    assert time.process_time() - started < 5


@pytest.mark.parametrize("kind", ["text", "items", "notes", "lost"])
def test_long_responses_take_time_in_proportion(kind: str) -> None:
    count = 20_000
    here = {"output_index": 0, "content_index": 0, "item_id": "x"}
    delta = {"type": "response.output_text.delta", **here, "delta": "x" * 50}
    note = {"type": "response.output_text.annotation.added", **here, "annotation": {"n": 1}}
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    streams: dict[str, list[Any]] = {
        "text": [delta] * count,
        "items": [{"type": "response.output_item.done", "output_index": i, "item": item}
                  for i in range(count // 2)],
        "notes": [note] * count,
        "lost": [{"type": "response.output_text.delta", "delta": "x"}] * count,
    }  # fmt: skip
    reply = HttpReply(200, [], emit((None, json.dumps(event)) for event in streams[kind]))
    started = time.process_time()
    said = RESPONSES.read_reply(responses_request(True), reply).messages[0]
    if kind == "items":
        RESPONSES.build_reply(responses_request(True), reply, {"parts": said["parts"][1:]})
    assert time.process_time() - started < 6
