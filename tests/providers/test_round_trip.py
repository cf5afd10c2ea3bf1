"""Properties: what is read, built and read again is the same, in either form and across forms."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tracer.providers.base import Api, HttpReply, HttpRequest
from tracer.providers.jsontext import same_json

from .replies import (
    CHAT,
    MESSAGES,
    RESPONSES,
    chat_request,
    json_reply,
    messages_request,
    responses_request,
)
from .replies_google import GEMINI, OLLAMA, gemini_request, ollama_request

_text = st.text(st.characters(codec="utf-8"), min_size=1)
_names = st.sampled_from(["weather", "refund", "a-b_c.1", "größe"])
_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
_arguments = st.dictionaries(st.text(max_size=9), _values, max_size=4)
_raw_arguments = _arguments.map(json.dumps) | st.sampled_from(
    ["", "{", '{"a": 1', "[1,", '"x"', "5"]
)


@st.composite
def _chat_messages(draw: st.DrawFn) -> Any:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": draw(st.none() | st.just("") | _text),
    }
    for field in draw(
        st.sets(st.sampled_from(["reasoning", "reasoning_content", "refusal"]), max_size=2)
    ):
        message[field] = draw(st.none() | _text)
    if draw(st.booleans()):
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": draw(_text)}]}
        message["content"] = [thinking, {"type": "text", "text": draw(_text)}]
    calls = draw(st.lists(st.tuples(_names, _raw_arguments), max_size=3))
    if calls:
        message["tool_calls"] = [
            {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": raw}}
            for i, (name, raw) in enumerate(calls)
        ]
    elif draw(st.booleans()):
        message["function_call"] = {"name": draw(_names), "arguments": draw(_raw_arguments)}
    return message


@st.composite
def _chat_replies(draw: st.DrawFn) -> HttpReply:
    reasons = st.sampled_from(
        ["stop", "length", "tool_calls", "function_call", "content_filter", "own"]
    )
    choices = [
        {"index": i, "message": message, "finish_reason": draw(reasons)}
        for i, message in enumerate(draw(st.lists(_chat_messages(), min_size=1, max_size=2)))
    ]
    return json_reply({"id": "i", "model": "m", "created": 1, "choices": choices})


_blocks = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, st.text(st.characters(codec="utf-8"))),
    st.builds(
        lambda text, cite: {"type": "text", "text": text, "citations": cite},
        _text,
        st.none() | st.lists(st.fixed_dictionaries({"type": st.just("c"), "n": st.integers()})),
    ),
    st.builds(
        lambda text, signature: {"type": "thinking", "thinking": text, "signature": signature},
        st.text(st.characters(codec="utf-8")),
        st.text(),
    ),
    st.builds(lambda data: {"type": "redacted_thinking", "data": data}, _text),
    st.builds(
        lambda name, said: {"type": "tool_use", "id": "t", "name": name, "input": said},
        _names,
        _arguments,
    ),
    st.builds(
        lambda name, said: {"type": "server_tool_use", "id": "s", "name": name, "input": said},
        _names,
        _arguments,
    ),
    st.builds(
        lambda x: {"type": "web_search_tool_result", "tool_use_id": "s", "content": x}, _values
    ),
    st.builds(lambda x: {"type": "brand_new", "x": x}, _values),
)


@st.composite
def _message_replies(draw: st.DrawFn) -> HttpReply:
    reasons = ["end_turn", "max_tokens", "tool_use", "stop_sequence", "refusal", "own"]
    value = {
        "id": "i",
        "type": "message",
        "model": "m",
        "content": draw(st.lists(_blocks, max_size=5)),
        "stop_reason": draw(st.sampled_from(reasons)),
        "usage": {"input_tokens": draw(st.integers(0, 99)), "output_tokens": 3},
    }
    return json_reply(value)


_any_text = st.text(st.characters(codec="utf-8"))
_summaries = st.lists(_any_text.map(lambda text: {"type": "summary_text", "text": text}))
_entries = st.one_of(
    st.builds(
        lambda text, notes: {"type": "output_text", "text": text, "annotations": notes},
        _any_text,
        st.lists(st.fixed_dictionaries({"type": st.just("c"), "n": st.integers()}), max_size=2),
    ),
    _text.map(lambda text: {"type": "refusal", "refusal": text}),
    _values.map(lambda x: {"type": "brand_new", "x": x}),
)
_items = st.one_of(
    st.builds(
        lambda content, phase: {
            "type": "message", "role": "assistant", "content": content, **phase,
        },
        st.lists(_entries, max_size=3),
        st.sampled_from([{}, {"phase": "commentary"}, {"phase": None}]),
    ),
    st.builds(
        lambda summary, content, more: {
            "type": "reasoning", "summary": summary, **content, **more,
        },
        _summaries,
        st.sampled_from([{}, {"content": []}])
        | _text.map(lambda text: {"content": [{"type": "reasoning_text", "text": text}]}),
        st.sampled_from([{}, {"encrypted_content": "gAA="}, {"encrypted_content": None}]),
    ),
    st.builds(
        lambda name, raw: {"type": "function_call", "name": name, "arguments": raw},
        _names,
        _raw_arguments,
    ),
    st.builds(
        lambda name, said: {"type": "custom_tool_call", "name": name, "input": said},
        _names,
        _any_text,
    ),
    _values.map(lambda x: {"type": "computer_call", "action": x, "pending_safety_checks": []}),
    _values.map(lambda x: {"type": "web_search_call", "action": x}),
    _any_text.map(lambda x: {"type": "mcp_call", "name": "f", "arguments": x, "output": None}),
    _values.map(lambda x: {"type": "function_call_output", "output": x}),
    _values.map(lambda x: {"type": "brand_new", "x": x}),
)  # fmt: skip


@st.composite
def _responses(draw: st.DrawFn) -> HttpReply:
    items = draw(st.lists(_items, max_size=5))
    for place, item in enumerate(items):
        item.update(id=f"item_{place}", status=draw(st.sampled_from(["completed", "incomplete"])))
        if "call" in item["type"]:
            item["call_id"] = f"call_{place}"
    status = draw(st.sampled_from(["completed", "incomplete", "cancelled", "own", "queued"]))
    reason = draw(st.sampled_from(["max_output_tokens", "content_filter", "own"]))
    value = {
        "id": "resp_1",
        "object": "response",
        "model": "m",
        "output": items,
        "status": status,
        "incomplete_details": {"reason": reason} if status == "incomplete" else None,
        "usage": {"input_tokens": draw(st.integers(0, 99)), "output_tokens": 3},
    }
    return json_reply(value)


def _check(api: Api, ask: Any, recorded: HttpReply) -> None:
    asked: dict[bool, HttpRequest] = {stream: ask(stream) for stream in (False, True)}
    first = api.read_reply(asked[False], recorded)
    assert first.error is None
    replies = [recorded]
    for stream in (False, True, False):  # from JSON, then from what was built before
        said = first.messages[0]
        reply = api.build_reply(asked[stream], replies[-1], said)
        read = api.read_reply(asked[stream], reply)
        assert same_json(read.messages, first.messages)
        assert (read.error, read.complete) == (None, True)
        replies.append(reply)
    # Without its reason and its template, the same parts are still said. Sparing the reason
    # makes the parts alone decide.
    parts = first.messages[0]["parts"]
    for stream in (False, True):
        built = api.build_reply(asked[stream], recorded, {"parts": parts})
        assert same_json(api.read_reply(asked[stream], built).messages[0]["parts"], parts)


_signed = st.fixed_dictionaries({}, optional={"thoughtSignature": st.text(min_size=1)})
_contents = st.one_of(
    st.builds(
        lambda text, thought, signed: {"text": text, **thought, **signed},
        st.text(st.characters(codec="utf-8")),
        st.sampled_from([{}, {"thought": True}, {"thought": False}]),
        _signed,
    ),
    st.builds(
        lambda name, said, signed: {"functionCall": {"name": name, "args": said}, **signed},
        _names,
        _arguments,
        _signed,
    ),
    st.just({"inlineData": {"mimeType": "image/png", "data": "aWE="}}),
    st.just({"executableCode": {"code": "1"}}),
    st.builds(lambda x: {"brandNew": x}, _values),
)


@st.composite
def _gemini_replies(draw: st.DrawFn) -> HttpReply:
    reasons = st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "SPII", "OTHER", "OWN"])
    candidates = [
        {
            "content": {"parts": draw(st.lists(_contents, max_size=5)), "role": "model"},
            "finishReason": draw(reasons),
            "index": i,
        }
        for i in range(draw(st.integers(1, 2)))
    ]
    return json_reply({"candidates": candidates, "modelVersion": "m", "responseId": "i"})


@st.composite
def _ollama_replies(draw: st.DrawFn) -> HttpReply:
    message: dict[str, Any] = {"role": "assistant", "content": draw(st.just("") | _text)}
    if draw(st.booleans()):
        message["thinking"] = draw(_text)
    calls = draw(st.lists(st.tuples(_names, _arguments), max_size=3))
    if calls:
        wire = [{"function": {"name": name, "arguments": said}} for name, said in calls]
        message["tool_calls"] = wire
    reason = draw(st.sampled_from(["stop", "length", "own"]))
    return json_reply({"model": "m", "message": message, "done": True, "done_reason": reason})


@given(_gemini_replies())
def test_gemini(recorded: HttpReply) -> None:
    _check(GEMINI, gemini_request, recorded)


@given(_gemini_replies())
def test_gemini_as_an_array(recorded: HttpReply) -> None:
    first = GEMINI.read_reply(gemini_request(), recorded)
    built = GEMINI.build_reply(gemini_request("array"), recorded, first.messages[0])
    assert same_json(GEMINI.read_reply(gemini_request(), built).messages, first.messages)
    again = GEMINI.build_reply(gemini_request(), built, first.messages[0])
    assert same_json(GEMINI.read_reply(gemini_request(), again).messages, first.messages)


@given(_ollama_replies())
def test_ollama(recorded: HttpReply) -> None:
    _check(OLLAMA, ollama_request, recorded)


@given(_chat_replies())
def test_chat(recorded: HttpReply) -> None:
    _check(CHAT, chat_request, recorded)


@given(_message_replies())
def test_messages(recorded: HttpReply) -> None:
    _check(MESSAGES, messages_request, recorded)


@given(_responses())
def test_responses(recorded: HttpReply) -> None:
    _check(RESPONSES, responses_request, recorded)


@given(_responses())
def test_responses_without_a_template(recorded: HttpReply) -> None:
    said = RESPONSES.read_reply(responses_request(), recorded).messages[0]
    for stream in (False, True):
        built = RESPONSES.build_reply(responses_request(stream), None, said)
        assert same_json(
            RESPONSES.read_reply(responses_request(), built).messages[0]["parts"], said["parts"]
        )


@given(_message_replies())
def test_messages_without_a_template(recorded: HttpReply) -> None:
    said = MESSAGES.read_reply(messages_request(), recorded).messages[0]
    for stream in (False, True):
        built = MESSAGES.build_reply(messages_request(stream), None, said)
        assert same_json(MESSAGES.read_reply(messages_request(), built).messages[0], said)


@given(st.lists(st.tuples(_names, _arguments), max_size=3), st.none() | _text)
def test_chat_without_a_template(calls: list[tuple[str, Any]], text: str | None) -> None:
    parts: list[Any] = [{"type": "text", "content": text}] if text else []
    for i, (name, arguments) in enumerate(calls):
        parts.append({"type": "tool_call", "id": f"c{i}", "name": name, "arguments": arguments})
    said = {"role": "assistant", "parts": parts, "finish_reason": "tool_call" if calls else "stop"}
    for stream in (False, True):
        built = CHAT.build_reply(chat_request(stream), None, said)
        assert same_json(CHAT.read_reply(chat_request(), built).messages[0], said)
