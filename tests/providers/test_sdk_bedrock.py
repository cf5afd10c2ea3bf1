"""The real boto3, over a real socket, is given built replies and sees what was meant."""

import base64
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EventStreamError,
    ReadTimeoutError,
)
from urllib3.exceptions import ProtocolError

from tracer.core.messages import Message
from tracer.providers import eventstream
from tracer.providers.base import Api, FailureKind, HttpReply

from .bedrock_replies import CONVERSE, CONVERSE_EVENTS, CONVERSE_VALUE, INVOKE, frames
from .replies import MESSAGE_JSON, OTHER_TOOL, TEXT, json_reply, tool_call
from .server import LocalServer

Seen = tuple[list[tuple[str, Any]], str]
Ask = Callable[[LocalServer], Seen]

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CONVERSE_JSON, CONVERSE_STREAM = json_reply(CONVERSE_VALUE), frames(*CONVERSE_EVENTS)
_ASKED: Any = {
    "modelId": MODEL,
    "messages": [{"role": "user", "content": [{"text": "Weather?"}]}],
    "system": [{"text": "Be kind."}],
}
_BODY = json.dumps(
    {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 99,
        "messages": [{"role": "user", "content": "Weather?"}],
    }
)


def _client(server: LocalServer, **options: Any) -> Any:
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=server.url,
        region_name="eu-west-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}, **options),
    )


def _block(block: dict[str, Any]) -> tuple[str, Any]:
    if "text" in block:
        return "text", block["text"]
    if "toolUse" in block:
        assert block["toolUse"]["toolUseId"].startswith("tooluse_")
        return block["toolUse"]["name"], block["toolUse"]["input"]
    reasoning = block["reasoningContent"]
    if "redactedContent" in reasoning:
        return "redacted", reasoning["redactedContent"]
    return "thinking", tuple(reasoning["reasoningText"].values())


def converse(server: LocalServer) -> Seen:
    """A call of `converse`."""
    reply = _client(server).converse(**_ASKED)
    assert reply["usage"]["totalTokens"] >= 0
    assert reply["metrics"]["latencyMs"] >= 0
    return [_block(b) for b in reply["output"]["message"]["content"]], reply["stopReason"]


def converse_stream(server: LocalServer, **options: Any) -> Seen:
    """A call of `converse_stream`, put together as its documentation says."""
    blocks: dict[int, Any] = {}
    stop = ""
    for event in _client(server, **options).converse_stream(**_ASKED)["stream"]:
        [(kind, value)] = event.items()
        at = value.get("contentBlockIndex", -1)
        if kind == "contentBlockStart":
            blocks[at] = {"toolUse": {**value["start"]["toolUse"], "input": ""}}
        elif kind == "contentBlockDelta":
            _take(blocks, at, value["delta"])
        elif kind == "messageStop":
            stop = value["stopReason"]
        elif kind == "metadata":
            assert value["usage"]["inputTokens"] >= 0
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    return [_block(blocks[at]) for at in sorted(blocks)], stop


def _take(blocks: dict[int, Any], at: int, delta: dict[str, Any]) -> None:
    if "toolUse" in delta:
        blocks[at]["toolUse"]["input"] += delta["toolUse"]["input"]
    elif "text" in delta:
        blocks.setdefault(at, {"text": ""})["text"] += delta["text"]
    elif "redactedContent" in delta["reasoningContent"]:
        blocks[at] = delta
    else:
        empty: Any = {"reasoningContent": {"reasoningText": {}}}
        said = blocks.setdefault(at, empty)["reasoningContent"]["reasoningText"]
        for key, piece in delta["reasoningContent"].items():
            said[key] = said.get(key, "") + piece


def _anthropic(block: dict[str, Any]) -> tuple[str, Any]:
    if block["type"] == "tool_use":
        assert block["id"].startswith("toolu_")
        return block["name"], block["input"]
    if block["type"] == "thinking":
        return "thinking", (block["thinking"], block["signature"])
    if block["type"] == "redacted_thinking":
        return "redacted", base64.b64decode(block["data"])
    return "text", block["text"]


def invoke(server: LocalServer) -> Seen:
    """A call of `invoke_model`."""
    reply = json.loads(_client(server).invoke_model(modelId=MODEL, body=_BODY)["body"].read())
    return [_anthropic(block) for block in reply["content"]], reply["stop_reason"]


def invoke_stream(server: LocalServer) -> Seen:
    """A call of `invoke_model_with_response_stream`, its events put together."""
    asked = {"modelId": MODEL, "body": _BODY}
    blocks: list[dict[str, Any]] = []
    stop = ""
    for event in _client(server).invoke_model_with_response_stream(**asked)["body"]:
        value = json.loads(event["chunk"]["bytes"])
        if value["type"] == "content_block_start":
            blocks.append({**value["content_block"], "said": ""})
        elif value["type"] == "content_block_delta":
            for key in ("text", "thinking", "signature"):
                if key in value["delta"]:
                    blocks[-1][key] += value["delta"][key]
            blocks[-1]["said"] += value["delta"].get("partial_json", "")
        elif value["type"] == "message_delta":
            stop = value["delta"]["stop_reason"]
        elif value["type"] == "message_stop":
            assert value["amazon-bedrock-invocationMetrics"]["outputTokenCount"] >= 0
    for block in blocks:
        if block["type"] == "tool_use":
            block["input"] = json.loads(block["said"] or "{}")
    return [_anthropic(block) for block in blocks], stop


CALLS: list[tuple[Api, Ask, list[HttpReply]]] = [
    (CONVERSE, converse, [CONVERSE_JSON, CONVERSE_STREAM]),
    (CONVERSE, converse_stream, [CONVERSE_JSON, CONVERSE_STREAM]),
    (INVOKE, invoke, [MESSAGE_JSON]),
    (INVOKE, invoke_stream, [MESSAGE_JSON]),
]
CASES = [
    pytest.param(api, ask, recorded, id=f"{ask.__name__}-{place}")
    for api, ask, replies in CALLS
    for place, recorded in enumerate([*replies, None])
]
_REASONING = [
    {"type": "reasoning", "content": "Look it up.", "signature": "c2ln+/=="},
    {"type": "reasoning", "content": "", "redacted_data": "b3BhcXVl"},
]
_KEPT: list[tuple[str, Any]] = [("thinking", ("Look it up.", "c2ln+/==")), ("redacted", b"opaque")]


@pytest.mark.parametrize(("api", "ask", "recorded"), CASES)
@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (TEXT, ([("text", TEXT["parts"][0]["content"])], "end_turn")),
        (OTHER_TOOL, ([("refund", {"order": 7, "ok": True})], "tool_use")),
        (
            {"parts": [*TEXT["parts"], tool_call("weather", {}), tool_call("refund", {"a": [1]})]},
            (
                [("text", TEXT["parts"][0]["content"]), ("weather", {}), ("refund", {"a": [1]})],
                "tool_use",
            ),
        ),
        (
            {"parts": [*_REASONING, *TEXT["parts"]], "finish_reason": "length"},
            ([*_KEPT, ("text", TEXT["parts"][0]["content"])], "max_tokens"),
        ),
    ],
    ids=["text", "tool", "text-and-tools", "reasoning"],
)
def test_what_is_said_is_seen(
    server: LocalServer, api: Api, ask: Ask, recorded: HttpReply | None, said: Message, seen: Seen
) -> None:
    server.answer = lambda request: api.build_reply(request, recorded, said)
    assert ask(server) == seen
    request = server.requests[-1]
    assert api.matches("POST", request.url.partition("?")[0], request.body)
    read = api.read_request(request)
    assert (read.model, read.stream) == (MODEL, "stream" in ask.__name__)
    assert read.messages[-1]["parts"] == [{"type": "text", "content": "Weather?"}]


@pytest.mark.parametrize(("api", "ask", "recorded"), CASES)
def test_errors_are_raised_as_the_services_own(
    server: LocalServer, api: Api, ask: Ask, recorded: HttpReply | None
) -> None:
    kinds: list[tuple[FailureKind, str, int]] = [
        ("rate_limit", "ThrottlingException", 429),
        ("server_error", "InternalServerException", 500),
    ]  # fmt: skip
    for kind, code, status in kinds:
        server.answer = lambda request, kind=kind: api.build_failure(request, recorded, kind)
        with pytest.raises(ClientError) as caught:
            ask(server)
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        read = api.read_reply(
            server.requests[-1], api.build_failure(server.requests[-1], None, kind)
        )
        assert read.error is not None
        assert read.error.type == code
    server.answer = lambda request: api.build_failure(request, recorded, "connection_reset")
    with pytest.raises(ConnectionClosedError):
        ask(server)


def test_nothing_comes(server: LocalServer) -> None:
    server.answer = lambda request: CONVERSE.build_failure(request, None, "timeout")
    with pytest.raises(ReadTimeoutError):
        converse_stream(server, read_timeout=0.2)


@pytest.mark.parametrize(("api", "ask"), [(CONVERSE, converse_stream), (INVOKE, invoke_stream)])
def test_a_stream_breaks(server: LocalServer, api: Api, ask: Ask) -> None:
    server.answer = lambda request: api.build_failure(request, None, "cut_stream")
    with pytest.raises(ProtocolError, match="ended prematurely"):
        ask(server)


def test_an_exception_in_the_middle(server: LocalServer) -> None:
    """What the service sends, the reader and the SDK understand alike."""
    tail = eventstream.exception("throttlingException", b'{"message":"Too many tokens"}')
    reply = frames(*CONVERSE_EVENTS[:3], tail=tail)
    server.answer = lambda request: HttpReply(
        200, [("content-type", eventstream.CONTENT_TYPE)], reply.body
    )
    with pytest.raises(EventStreamError, match=r"throttlingException.*Too many tokens"):
        converse_stream(server)


@pytest.mark.parametrize(
    ("api", "ask", "recorded"),
    [
        (CONVERSE, converse_stream, CONVERSE_STREAM),
        (INVOKE, invoke_stream, MESSAGE_JSON),
        (INVOKE, invoke, MESSAGE_JSON),
        (INVOKE, invoke_stream, None),
    ],
)
def test_broken_json_reaches_the_agent(
    server: LocalServer, api: Api, ask: Ask, recorded: HttpReply | None
) -> None:
    server.answer = lambda request: api.build_failure(request, recorded, "invalid_json")
    if ask is invoke:
        [*_, (name, said)] = ask(server)[0]
        assert (name, isinstance(said, str)) == ("weather", True)
        return
    with pytest.raises(ValueError):
        ask(server)
