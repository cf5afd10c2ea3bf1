"""Ollama's chat and generate: read, built, told apart."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tracer.core.records import Usage
from tracer.providers import api_named, recognise
from tracer.providers.base import HttpReply

from .replies import OTHER_TOOL, TEXT, json_reply, tool_call
from .replies_google import (
    EDITED_OLLAMA,
    GENERATE,
    GENERATE_JSON,
    GENERATE_STREAM,
    OLLAMA,
    OLLAMA_JSON,
    OLLAMA_STREAM,
    generate_request,
    lines,
    ollama_request,
)

SAID = [
    {"type": "reasoning", "content": "Look it up."},
    {"type": "text", "content": "I look."},
    {"type": "tool_call", "id": "call_a", "name": "weather", "arguments": {"city": "Oslo"},
     "index": 0},
]  # fmt: skip
COMMON = {"model": "m", "created_at": "t"}


@pytest.mark.parametrize("reply", [OLLAMA_JSON, OLLAMA_STREAM])
def test_chat_replies(reply: HttpReply) -> None:
    said = OLLAMA.read_reply(ollama_request(), reply)
    assert said.messages == [{"role": "assistant", "parts": SAID, "finish_reason": "tool_call"}]
    assert said.usage == Usage(21, 9)
    assert (said.model, said.error, said.complete) == ("qwen-x", None, True)


@pytest.mark.parametrize("reply", [GENERATE_JSON, GENERATE_STREAM])
def test_generate_replies(reply: HttpReply) -> None:
    said = GENERATE.read_reply(generate_request(), reply)
    assert said.messages == [{"role": "assistant", "parts": SAID[:2], "finish_reason": "stop"}]
    assert said.usage == Usage(21, 9)


def test_first_content_and_cut_streams() -> None:
    said = OLLAMA.read_reply(ollama_request(True), OLLAMA_STREAM)
    end = OLLAMA_STREAM.body.index(b"\n") + 1
    assert said.first_content_offset == end
    for cut in (end, end + 30):
        half = HttpReply(200, OLLAMA_STREAM.headers, OLLAMA_STREAM.body[:cut])
        said = OLLAMA.read_reply(ollama_request(True), half)
        assert (said.complete, said.error) == (False, None)
        assert said.messages[0]["parts"] == [{"type": "reasoning", "content": "Look "}]
        assert said.finish_reasons == ["error"]


def test_errors() -> None:
    said = OLLAMA.read_reply(ollama_request(), json_reply({"error": "no such model"}, 404))
    assert said.error is not None
    assert (said.error.type, said.error.message) == ("http_404", "no such model")
    line = {**COMMON, "message": {"content": "a"}, "done": False}
    said = OLLAMA.read_reply(ollama_request(True), lines(line, {"error": "out of memory"}))
    assert said.error is not None
    assert (said.error.type, said.error.message) == ("stream_error", "out of memory")
    assert said.messages[0]["parts"] == [{"type": "text", "content": "a"}]


def test_a_chat_request() -> None:
    png = "iVBORw0KGgo="
    asked = OLLAMA.read_request(
        ollama_request(
            stream=True,
            messages=[
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "a", "images": [png, "eA=="]},
                {"role": "assistant", "content": "", "thinking": "t", "tool_calls": [
                    {"function": {"name": "f", "arguments": {"x": 1}}}]},
                {"role": "tool", "tool_name": "f", "content": "5"},
            ],
            tools=[{"type": "function", "function": {"name": "f", "parameters": {"a": 1}}}],
            options={"seed": 1},
        )
    )  # fmt: skip
    assert (asked.model, asked.stream) == ("qwen-x", True)
    system, user, assistant, tool = asked.messages
    assert system["parts"] == [{"type": "text", "content": "Be brief."}]
    assert [part.get("mime_type") for part in user["parts"]] == [None, "image/png", None]
    assert [part["type"] for part in assistant["parts"]] == ["reasoning", "tool_call"]
    assert tool["parts"] == [{"type": "tool_call_response", "name": "f", "response": "5"}]
    assert asked.tools == [{"type": "function", "name": "f", "parameters": {"a": 1}}]
    assert asked.parameters == {"options": {"seed": 1}}


def test_a_generate_request() -> None:
    asked = GENERATE.read_request(generate_request(system="Be brief.", images=["eA=="], raw=True))
    assert [message["role"] for message in asked.messages] == ["system", "user"]
    assert [part["type"] for part in asked.messages[1]["parts"]] == ["text", "blob"]
    assert (asked.stream, asked.parameters) == (False, {"raw": True})


@pytest.mark.parametrize(
    ("body", "stream"), [({}, True), ({"stream": True}, True), ({"stream": False}, False)]
)
def test_who_does_not_say_otherwise_reads_a_stream(body: Any, stream: bool) -> None:
    whole = {"model": "m", "messages": [], **body}
    request = replace(ollama_request(), body=json.dumps(whole).encode())
    assert OLLAMA.wants_stream(request) is stream
    assert OLLAMA.read_request(request).stream is stream


def test_recognised() -> None:
    chat, prompt = b'{"model":"m","messages":[]}', b'{"model":"m","prompt":"a"}'
    for base in ("http://127.0.0.1:11434", "https://gateway.example/ollama"):
        assert recognise("POST", f"{base}/api/chat", chat) is OLLAMA
        assert recognise("POST", f"{base}/api/generate", prompt) is GENERATE
        assert recognise("POST", f"{base}/api/generate", b'{"model":"m"}') is None
        assert recognise("POST", f"{base}/api/chat", b'{"id":"1","messages":[]}') is None
        assert recognise("GET", f"{base}/api/chat", chat) is None
    assert api_named("ollama.chat") is OLLAMA


@pytest.mark.parametrize("recorded", [OLLAMA_JSON, OLLAMA_STREAM])
@pytest.mark.parametrize("stream", [False, True])
def test_other_arguments(recorded: HttpReply, stream: bool) -> None:
    reply = OLLAMA.build_reply(ollama_request(stream), recorded, EDITED_OLLAMA)
    values = [json.loads(line) for line in reply.body.splitlines()]
    assert (len(values) > 1) == stream
    assert dict(reply.headers)["content-type"] == (
        "application/x-ndjson" if stream else "application/json"
    )
    [call] = [c for v in values for c in v["message"].get("tool_calls", [])]
    assert call == {"id": "call_a", "function": {"name": "weather",
                                                 "arguments": {"city": "Bergen"}}}  # fmt: skip
    assert [value["done"] for value in values] == [False] * (len(values) - 1) + [True]
    assert values[-1]["eval_count"] == 9
    assert values[-1]["done_reason"] == "stop"
    assert all(value["model"] == "qwen-x" for value in values)


@pytest.mark.parametrize("recorded", [GENERATE_JSON, GENERATE_STREAM, None])
@pytest.mark.parametrize("stream", [False, True])
def test_generate_says_something_else(recorded: HttpReply | None, stream: bool) -> None:
    reply = GENERATE.build_reply(generate_request(stream), recorded, TEXT)
    values = [json.loads(line) for line in reply.body.splitlines()]
    assert "".join(v["response"] for v in values) == TEXT["parts"][0]["content"]
    # The tokens of the old answer would be sent back as if it had been given.
    assert not any("context" in value for value in values)


def test_the_same_answer_is_the_same_bytes() -> None:
    pairs = [(OLLAMA, ollama_request, OLLAMA_JSON, OLLAMA_STREAM),
             (GENERATE, generate_request, GENERATE_JSON, GENERATE_STREAM)]  # fmt: skip
    for api, ask, *replies in pairs:
        for stream, recorded in zip((False, True), replies, strict=True):
            said = api.read_reply(ask(stream), recorded).messages[0]
            assert api.build_reply(ask(stream), recorded, said).body == recorded.body
            other = api.build_reply(ask(not stream), recorded, said)
            assert api.read_reply(ask(), other).messages == [said]


def test_a_new_call_has_an_id_where_others_have() -> None:
    reply = OLLAMA.build_reply(ollama_request(), OLLAMA_JSON, OTHER_TOOL)
    [call] = json.loads(reply.body)["message"]["tool_calls"]
    assert call["id"].startswith("call_")
    plain = json_reply({**COMMON, "message": {"role": "assistant", "content": "a"}, "done": True})
    said = {"parts": [tool_call("f", {"a": 1})]}
    reply = OLLAMA.build_reply(ollama_request(), plain, said)
    [call] = json.loads(reply.body)["message"]["tool_calls"]
    assert call == {"function": {"name": "f", "arguments": {"a": 1}}}
