"""Gemini requests and replies, read."""

import json
from typing import Any

import pytest

from tracer.core.records import Usage
from tracer.providers.base import HttpReply, HttpRequest
from tracer.providers.gemini_schema import json_schema

from .replies import json_reply
from .replies_google import (
    CALL_A,
    GEMINI,
    GEMINI_ARRAY,
    GEMINI_JSON,
    GEMINI_STREAM,
    SIGNATURE,
    gemini_array,
    gemini_chunk,
    gemini_json,
    gemini_request,
    gemini_stream,
)

SAID = [
    {"type": "reasoning", "content": "Look it up."},
    {"type": "text", "content": "I look."},
    {"type": "tool_call", "id": "call_a", "name": "weather", "arguments": {"city": "Oslo"},
     "thoughtSignature": SIGNATURE},
    {"type": "tool_call", "id": "call_b", "name": "weather", "arguments": {"city": "Rome"}},
]  # fmt: skip


def read(reply: HttpReply) -> Any:
    return GEMINI.read_reply(gemini_request(), reply)


def parts_of(*parts: Any) -> Any:
    """How parts of a JSON reply are read."""
    return read(gemini_json(*parts)).messages[0]["parts"]


@pytest.mark.parametrize("reply", [GEMINI_JSON, GEMINI_STREAM, GEMINI_ARRAY])
def test_every_form_says_the_same(reply: HttpReply) -> None:
    said = read(reply)
    assert said.messages == [{"role": "assistant", "parts": SAID, "finish_reason": "tool_call"}]
    assert said.usage == Usage(23, 13, 5, 4)
    assert (said.finish_reasons, said.error, said.complete) == (["tool_call"], None, True)
    assert (said.model, said.response_id) == ("gemini-x-1", "r1")


@pytest.mark.parametrize("reply", [GEMINI_STREAM, GEMINI_ARRAY])
def test_first_content(reply: HttpReply) -> None:
    said = read(reply)
    offset = said.first_content_offset
    assert reply.body[:offset].count(b'"Look "') == 1
    assert b"it up" not in reply.body[:offset]
    before = HttpReply(200, reply.headers, reply.body[: offset - 1])
    assert read(before).first_content_offset in (None, offset - 1)
    assert not read(before).complete


def test_the_offset_counts_bytes() -> None:
    """Also behind characters of many bytes, and bytes that are none."""
    for opening in ("å☀".encode(), b"\xff\xfe"):
        body = (
            b'[{"x":"' + opening + b'"},\r\n{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}'
        )
        said = read(HttpReply(200, [], body + b"]"))
        assert said.first_content_offset == len(body)


def test_texts_of_one_chunk_are_two_parts() -> None:
    reply = gemini_stream(
        gemini_chunk({"text": "a"}),
        gemini_chunk({"text": "b"}, {"text": "c"}),
        gemini_chunk({"text": "d", "thoughtSignature": SIGNATURE}),
        gemini_chunk({"text": "e"}),
        gemini_chunk({"text": ""}, finish="STOP"),
    )
    assert read(reply).messages[0]["parts"] == [
        {"type": "text", "content": "ab"},
        {"type": "text", "content": "cd", "thoughtSignature": SIGNATURE},
        {"type": "text", "content": "e"},
    ]


def test_media_and_the_providers_own_tools() -> None:
    code = {"executableCode": {"id": "x", "language": "PYTHON", "code": "1"}}
    result = {"codeExecutionResult": {"id": "x", "outcome": "OUTCOME_OK", "output": "1"}}
    search = {"toolCall": {"id": "y", "toolType": "FILE_SEARCH"}, "thoughtSignature": SIGNATURE}
    found = parts_of(
        {"inlineData": {"mimeType": "image/png", "data": "aWE="}, "thoughtSignature": SIGNATURE},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "https://v"}},
        code,
        result,
        search,
        {"brandNew": 1},
    )
    assert found == [
        {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "aWE=",
         "thoughtSignature": SIGNATURE},
        {"type": "uri", "modality": "video", "uri": "https://v", "mime_type": "video/mp4"},
        {"type": "server_tool_call", "id": "x", "name": "code_execution", "server_tool_call": code},
        {"type": "server_tool_call_response", "id": "x", "server_tool_call_response": result},
        {"type": "server_tool_call", "id": "y", "name": "FILE_SEARCH", "server_tool_call": search},
        {"type": "unknown", "value": {"brandNew": 1}},
    ]  # fmt: skip


def test_both_spellings_are_read() -> None:
    call = {"function_call": {"name": "f", "args": {}}, "thought_signature": SIGNATURE}
    candidate = {"content": {"parts": [call]}, "finish_reason": "MAX_TOKENS"}
    counts = {"prompt_token_count": 2, "candidates_token_count": 3}
    top = {"usage_metadata": counts, "model_version": "m", "response_id": "i"}
    said = read(json_reply({"candidates": [candidate], **top}))
    [part] = said.messages[0]["parts"]
    assert part == {"type": "tool_call", "name": "f", "arguments": {},
                    "thought_signature": SIGNATURE}  # fmt: skip
    assert (said.finish_reasons, said.model, said.response_id) == (["length"], "m", "i")
    assert said.usage == Usage(2, 3)


def test_more_than_one_candidate() -> None:
    def chunk(index: int, text: str, finish: str | None = None) -> Any:
        ending = {"finishReason": finish} if finish else {}
        return {"candidates": [{"index": index, "content": {"parts": [{"text": text}]}, **ending}]}

    reply = gemini_stream(
        chunk(0, "a"), chunk(1, "x"), chunk(0, "b", "STOP"), chunk(1, "y", "SPII")
    )
    said = read(reply)
    assert [m["parts"][0]["content"] for m in said.messages] == ["ab", "xy"]
    assert said.finish_reasons == ["stop", "content_filter"]
    assert said.complete
    assert not read(gemini_stream(chunk(0, "a", "STOP"), chunk(1, "x"))).complete


@pytest.mark.parametrize(
    ("wire", "meant"),
    [("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), (1, "stop"),
     (2, "length"), ("OTHER", "error"), ("MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
     (9, "9"), (None, None)],
)  # fmt: skip
def test_finish_reasons(wire: Any, meant: str | None) -> None:
    said = read(gemini_json({"text": "a"}, finishReason=wire))
    assert said.messages[0].get("finish_reason") == meant


def test_why_it_ended_oddly_is_kept() -> None:
    said = read(gemini_json(finishReason="UNEXPECTED_TOOL_CALL", finishMessage="no such tool"))
    assert said.messages[0]["finish_message"] == "no such tool"
    assert "finish_message" not in read(gemini_json(finishMessage="noise")).messages[0]


@pytest.mark.parametrize("make", [json_reply, gemini_stream])
def test_a_blocked_prompt(make: Any) -> None:
    reply = make({"promptFeedback": {"blockReason": "SAFETY"},
                  "usageMetadata": {"promptTokenCount": 4}})  # fmt: skip
    said = read(reply)
    assert said.messages == [
        {"role": "assistant", "parts": [], "finish_reason": "content_filter",
         "finish_message": "the prompt was blocked: SAFETY"}
    ]  # fmt: skip
    assert (said.finish_reasons, said.error, said.complete) == (["content_filter"], None, True)


ERROR = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    "reply",
    [
        gemini_stream(gemini_chunk({"text": "a"}), ERROR),
        gemini_stream(gemini_chunk({"text": "a"}), tail=json.dumps(ERROR, indent=2).encode()),
        gemini_array(gemini_chunk({"text": "a"}), ERROR),
    ],
)
def test_errors_in_mid_stream(reply: HttpReply) -> None:
    said = read(reply)
    assert said.error is not None
    assert (said.error.type, said.error.message) == ("UNAVAILABLE", "overloaded")
    assert said.messages[0]["parts"] == [{"type": "text", "content": "a"}]
    assert said.finish_reasons == ["error"]


@pytest.mark.parametrize("body", [ERROR, [ERROR]])
def test_error_replies(body: Any) -> None:
    said = read(json_reply(body, 503))
    assert said.error is not None
    assert (said.error.type, said.error.message) == ("UNAVAILABLE", "overloaded")
    assert said.messages == []


def test_calls_told_piece_by_piece() -> None:
    def piece(**call: Any) -> Any:
        return gemini_chunk({"functionCall": call})

    def argument(path: str, more: bool = False, **value: Any) -> Any:
        return piece(partialArgs=[{"jsonPath": path, **value, "willContinue": more}],
                     willContinue=True)  # fmt: skip

    begun = {"functionCall": {"name": "f", "willContinue": True}, "thoughtSignature": SIGNATURE}
    reply = gemini_stream(
        gemini_chunk(begun),
        argument("$.a", stringValue="Os", more=True),
        argument("$.a", stringValue="lo"),
        argument("$.b[1].c", numberValue=5),
        argument("$['d e']", boolValue=False),
        argument("$.n", nullValue="NULL_VALUE"),
        piece(),
        gemini_chunk({"functionCall": {"name": "g", "args": {}}}, finish="STOP"),
    )
    made = {"a": "Oslo", "b": [None, {"c": 5}], "d e": False, "n": None}
    assert read(reply).messages[0]["parts"] == [
        {"type": "tool_call", "name": "f", "arguments": made, "thoughtSignature": SIGNATURE},
        {"type": "tool_call", "name": "g", "arguments": {}},
    ]


@pytest.mark.parametrize("path", ["", "$", "a", "$[0]", "$.a[99999]", "$..a", "$" + ".a" * 99])
def test_odd_paths_are_kept_as_keys(path: str) -> None:
    call = {"name": "f", "partialArgs": [{"jsonPath": path, "numberValue": 1}]}
    said = read(gemini_stream(gemini_chunk({"functionCall": call}, finish="STOP")))
    assert said.messages[0]["parts"][0]["arguments"] == {path: 1}


def test_a_request() -> None:
    request = gemini_request(
        "sse",
        contents=[
            {"role": "user", "parts": [{"text": "a"}, {"inlineData": {"mimeType": "audio/wav",
                                                                        "data": "eA=="}}]},
            {"role": "model", "parts": [CALL_A]},
            {"role": "user", "parts": [{"functionResponse": {
                "id": "call_a", "name": "weather", "response": {"sky": "clear"}}}]},
        ],
        system_instruction={"parts": {"text": "Be brief."}},
        tools=[
            {"function_declarations": [
                {"name": "f", "description": "d", "parameters": {"type": "OBJECT"}},
                {"name": "g", "parametersJsonSchema": {"type": "object", "title": "G"}},
            ]},
            {"googleSearch": {"x": 1}},
        ],
        generationConfig={"temperature": 0},
    )  # fmt: skip
    asked = GEMINI.read_request(request)
    assert (asked.model, asked.stream) == ("gemini-x", True)
    assert [message["role"] for message in asked.messages] == [
        "system", "user", "assistant", "tool",
    ]  # fmt: skip
    assert asked.messages[0]["parts"] == [{"type": "text", "content": "Be brief."}]
    assert asked.messages[1]["parts"][1]["modality"] == "audio"
    assert asked.messages[3]["parts"] == [
        {"type": "tool_call_response", "id": "call_a", "name": "weather",
         "response": {"sky": "clear"}}
    ]  # fmt: skip
    assert asked.tools == [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}},
        {"type": "function", "name": "g", "parameters": {"type": "object", "title": "G"}},
        {"type": "googleSearch", "name": "googleSearch", "googleSearch": {"x": 1}},
    ]
    assert asked.parameters == {"generationConfig": {"temperature": 0}}


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/models/gemini-x:generateContent", "gemini-x"),
        ("/v1beta1/projects/p/locations/l/publishers/google/models/g-1:generateContent", "g-1"),
        ("/v1/projects/p/locations/l/endpoints/12:generateContent", "endpoints/12"),
        ("/v1beta/tunedModels/mine%2D1:generateContent", "tunedModels/mine-1"),
        ("/v1beta/models/gemini-x%3AgenerateContent", "gemini-x"),
    ],
)
def test_the_model_stands_in_the_path(path: str, model: str) -> None:
    request = HttpRequest("POST", f"https://h{path}?key=k", [], b'{"contents": "hi"}')
    assert GEMINI.matches("POST", path, request.body)
    asked = GEMINI.read_request(request)
    assert asked.model == model
    assert asked.messages == [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]


def test_schemas_become_json_schema() -> None:
    google = {
        "type": "OBJECT",
        "properties": {
            "a": {"type": "STRING", "nullable": True, "enum": ["x"], "maxLength": "5"},
            "b": {"type": "ARRAY", "items": {"type": 3}, "min_items": "2"},
            "type": {"anyOf": [{"type": "NUMBER"}], "nullable": True},
        },
        "required": ["a"],
    }
    assert json_schema(google) == {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"], "enum": ["x", None], "maxLength": 5},
            "b": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
            "type": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        },
        "required": ["a"],
    }
