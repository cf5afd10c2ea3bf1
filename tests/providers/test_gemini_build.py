"""Gemini replies in which the model says something else."""

import json
from typing import Any

import pytest

from tracer.providers.base import HttpReply
from tracer.providers.gemini_build import NO_SIGNATURE

from .replies import OTHER_TOOL, TEXT, json_reply, tool_call
from .replies_google import (
    CALL_A,
    CALL_B,
    EDITED_GEMINI,
    GEMINI,
    GEMINI_ARRAY,
    GEMINI_JSON,
    GEMINI_STREAM,
    SIGNATURE,
    THOUGHT,
    USAGE,
    Form,
    gemini_json,
    gemini_request,
    gemini_stream,
)

RECORDED = [GEMINI_JSON, GEMINI_STREAM, GEMINI_ARRAY]


def built(recorded: HttpReply | None, said: Any, form: Form = "json", **asked: Any) -> Any:
    """The JSON that is built, chunk by chunk for streams."""
    reply = GEMINI.build_reply(gemini_request(form, **asked), recorded, said)
    assert reply.status == 200
    if form == "sse":
        assert ("content-type", "text/event-stream") in reply.headers
        *events, last = reply.body.split(b"\r\n\r\n")
        assert last == b""
        return [json.loads(event.removeprefix(b"data: ")) for event in events]
    assert reply.headers[0][1].startswith("application/json")
    return json.loads(reply.body)


def wire_parts(value: Any) -> Any:
    return value["candidates"][0]["content"]["parts"]


@pytest.mark.parametrize("recorded", RECORDED)
def test_text(recorded: HttpReply) -> None:
    value = built(recorded, TEXT)
    assert wire_parts(value) == [{"text": TEXT["parts"][0]["content"]}]
    assert value["candidates"][0]["finishReason"] == "STOP"
    assert (value["usageMetadata"], value["responseId"]) == (USAGE, "r1")


@pytest.mark.parametrize("recorded", RECORDED)
@pytest.mark.parametrize("form", ["json", "sse", "array"])
def test_other_arguments_keep_what_is_signed(recorded: HttpReply, form: Form) -> None:
    value = built(recorded, EDITED_GEMINI, form)
    chunks = [value] if form == "json" else value
    parts = [part for chunk in chunks for part in wire_parts(chunk)]
    edited = {"id": "call_a", "name": "weather", "args": {"city": "Bergen"}}
    assert parts == [THOUGHT, {"functionCall": edited, "thoughtSignature": SIGNATURE}]
    assert [c["candidates"][0].get("finishReason") for c in chunks][-1] == "STOP"


def test_a_call_takes_the_signature_of_the_one_it_stands_for() -> None:
    [part] = wire_parts(built(GEMINI_JSON, OTHER_TOOL))
    assert part["functionCall"]["name"] == "refund"
    assert part["functionCall"]["id"].startswith("call_")
    assert part["thoughtSignature"] == SIGNATURE
    second = {"parts": [{"type": "tool_call", **tool_call("weather", {"city": "Rome"}, "call_b")}]}
    assert wire_parts(built(GEMINI_JSON, second)) == [{**CALL_B, "thoughtSignature": SIGNATURE}]


def test_a_call_where_none_was_signed() -> None:
    signed = gemini_json({"text": "a", "thoughtSignature": SIGNATURE})
    [part] = wire_parts(built(signed, OTHER_TOOL))
    assert part["thoughtSignature"] == NO_SIGNATURE
    history = [{"role": "model", "parts": [CALL_A]}]
    [part] = wire_parts(built(gemini_json({"text": "a"}), OTHER_TOOL, contents=history))
    assert part["thoughtSignature"] == NO_SIGNATURE
    # Without any signature in sight the model is not one that signs.
    [part] = wire_parts(built(gemini_json({"text": "a"}), OTHER_TOOL))
    assert part == {"functionCall": {"name": "refund", "args": {"order": 7, "ok": True}}}
    [part] = wire_parts(built(gemini_json({"functionCall": {"name": "f"}}), OTHER_TOOL))
    assert "thoughtSignature" not in part


def test_only_the_first_candidate_changes_and_stale_facts_go() -> None:
    first = {"content": {"parts": [{"text": "a"}]}, "finishReason": "MAX_TOKENS", "index": 0,
             "groundingMetadata": {"x": 1}, "avgLogprobs": -1, "xNew": 1}  # fmt: skip
    second = {"content": {"parts": [{"text": "b"}]}, "finishReason": "STOP", "index": 1}
    value = built(json_reply({"candidates": [first, second], "modelVersion": "m"}), TEXT)
    assert value["candidates"][1] == second
    assert value["candidates"][0].keys() == {"content", "finishReason", "index", "xNew"}
    assert value["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize(
    ("recorded", "form"),
    list(zip(RECORDED, ("json", "sse", "array"), strict=True)),
)
def test_the_same_answer_is_the_same_bytes(recorded: HttpReply, form: Form) -> None:
    said = GEMINI.read_reply(gemini_request(form), recorded).messages[0]
    assert GEMINI.build_reply(gemini_request(form), recorded, said).body == recorded.body


def test_almost_the_same_answer_is_not() -> None:
    """In Python 1 equals true, in JSON it does not."""
    recorded = gemini_json({"functionCall": {"name": "f", "args": {"a": True}}})
    value = built(recorded, {"parts": [tool_call("f", {"a": 1})]})
    assert wire_parts(value)[0]["functionCall"]["args"]["a"] is not True


def test_numbers_for_words() -> None:
    recorded = gemini_json({"text": "a"}, finishReason=2)
    assert built(recorded, TEXT)["candidates"][0]["finishReason"] == 1
    said = {**TEXT, "finish_reason": "length"}
    assert built(recorded, said)["candidates"][0]["finishReason"] == 2
    query = "?%24alt=json%3Benum-encoding%3Dint"
    asked = gemini_request("json", query)
    assert json.loads(GEMINI.build_reply(asked, None, TEXT).body)["candidates"][0][
        "finishReason"
    ] == 1  # fmt: skip


@pytest.mark.parametrize("form", ["json", "sse", "array"])
def test_a_blocked_prompt_can_be_answered(form: Form) -> None:
    blocked = json_reply({"promptFeedback": {"blockReason": "SAFETY"}})
    value = built(blocked, TEXT, form)
    assert "promptFeedback" not in json.dumps(value)
    said = GEMINI.read_reply(gemini_request(), blocked).messages[0]
    again = GEMINI.build_reply(gemini_request(form), blocked, said)
    read = GEMINI.read_reply(gemini_request(form), again)
    assert (read.messages, read.complete) == ([said], True)


def test_nothing_recorded() -> None:
    value = built(None, TEXT)
    assert value["modelVersion"] == "gemini-x"
    assert value["responseId"]
    assert value["usageMetadata"]["totalTokenCount"] == 0
    assert built(None, TEXT) == value


def test_parts_a_model_cannot_say_are_left_out() -> None:
    response = {"type": "tool_call_response", "id": "x", "response": 1}
    image = {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "aWE="}
    value = built(GEMINI_JSON, {"parts": [response, {"type": "audio", "x": 1}, image]})
    assert wire_parts(value) == [{"inlineData": {"mimeType": "image/png", "data": "aWE="}}]


def test_long_texts_stream_in_pieces() -> None:
    said = {"parts": [{"type": "text", "content": "word " * 50}, *TEXT["parts"]]}
    chunks = built(GEMINI_JSON, said, "sse")
    assert len(chunks) > 5
    assert GEMINI.read_reply(
        gemini_request("sse"), gemini_stream(*chunks)
    ).messages[0]["parts"] == said["parts"]  # fmt: skip
    assert [chunk for chunk in chunks if "usageMetadata" in chunk] == chunks[-1:]
