"""The anthropic SDK's clients for Bedrock and Vertex are given built replies over a real socket."""

import asyncio
from collections.abc import Callable
from typing import Any

import anthropic
import pytest
from anthropic import (
    AnthropicBedrock,
    AnthropicVertex,
    AsyncAnthropicBedrock,
    AsyncAnthropicVertex,
)

from tracer.core.messages import Message
from tracer.providers import eventstream, recognise
from tracer.providers.base import Api, HttpReply, HttpRequest

from .replies import EDITED_MESSAGE, MESSAGE_JSON, OTHER_TOOL, TEXT
from .server import LocalServer
from .test_bedrock import INVOKE_STREAM

Ask = Callable[[LocalServer, bool], Any]

_ASKED: Any = {"max_tokens": 99, "messages": [{"role": "user", "content": "Weather?"}]}
_BEDROCK = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
_VERTEX = "claude-sonnet-4-5@20250929"
_KEYS: Any = {"aws_region": "eu-west-1", "aws_access_key": "A", "aws_secret_key": "B"}
_PROJECT: Any = {"region": "eu", "project_id": "p", "access_token": "t"}


def _ask(client: Any, model: str, stream: bool) -> Any:
    if not stream:
        return client.messages.create(model=model, **_ASKED)
    with client.messages.stream(model=model, **_ASKED) as events:
        return events.get_final_message()


async def _ask_async(client: Any, model: str, stream: bool) -> Any:
    async with client:
        if not stream:
            return await client.messages.create(model=model, **_ASKED)
        async with client.messages.stream(model=model, **_ASKED) as events:
            return await events.get_final_message()


def bedrock(server: LocalServer, stream: bool) -> Any:
    return _ask(AnthropicBedrock(base_url=server.url, **_KEYS), _BEDROCK, stream)


def bedrock_async(server: LocalServer, stream: bool) -> Any:
    client = AsyncAnthropicBedrock(base_url=server.url, **_KEYS)
    return asyncio.run(_ask_async(client, _BEDROCK, stream))


def vertex(server: LocalServer, stream: bool) -> Any:
    return _ask(AnthropicVertex(base_url=server.url, **_PROJECT), _VERTEX, stream)


def vertex_async(server: LocalServer, stream: bool) -> Any:
    client = AsyncAnthropicVertex(base_url=server.url, **_PROJECT)
    return asyncio.run(_ask_async(client, _VERTEX, stream))


HOSTS: list[tuple[Ask, str, str]] = [
    (bedrock, "bedrock.invoke", _BEDROCK),
    (bedrock_async, "bedrock.invoke", _BEDROCK),
    (vertex, "anthropic.messages", _VERTEX),
    (vertex_async, "anthropic.messages", _VERTEX),
]


def _api(request: HttpRequest) -> Api:
    api = recognise(request.method, request.url, request.body)
    assert api is not None, request.url
    return api


def _seen(message: Any) -> list[Any]:
    said: list[Any] = []
    for block in message.content:
        if block.type == "tool_use":
            said.append((block.name, block.input))
        else:
            fields = ("text", "thinking", "signature", "data")
            said.append(tuple(getattr(block, f) for f in fields if hasattr(block, f)))
    return said


@pytest.mark.parametrize(("ask", "name", "model"), HOSTS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("recorded", [MESSAGE_JSON, None], ids=["recorded", "none"])
@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (TEXT, [(TEXT["parts"][0]["content"],)]),
        (OTHER_TOOL, [("refund", {"order": 7, "ok": True})]),
        (EDITED_MESSAGE,
         [("Look it up.", "c2ln+/=="), ("b3BhcXVl",), ("weather", {"city": "Bergen"})]),
    ],
    ids=["text", "tool", "reasoning"],
)  # fmt: skip
def test_what_is_said_is_seen(
    server: LocalServer, ask: Ask, name: str, model: str, stream: bool,
    recorded: HttpReply | None, said: Message, seen: list[Any],
) -> None:  # fmt: skip
    server.answer = lambda request: _api(request).build_reply(request, recorded, said)
    assert _seen(ask(server, stream)) == seen
    [request] = server.requests
    api = _api(request)
    read = api.read_request(request)
    assert (api.name, read.model, read.stream) == (name, model, stream)
    assert read.messages == [{"role": "user", "parts": [{"type": "text", "content": "Weather?"}]}]


@pytest.mark.parametrize(("ask", "name", "model"), HOSTS)
@pytest.mark.parametrize("stream", [False, True])
def test_failures_are_raised_at_once(
    server: LocalServer, ask: Ask, name: str, model: str, stream: bool
) -> None:
    server.answer = lambda request: _api(request).build_failure(request, None, "rate_limit")
    with pytest.raises(anthropic.RateLimitError):
        ask(server, stream)
    server.answer = lambda request: _api(request).build_failure(request, None, "server_error")
    with pytest.raises(anthropic.InternalServerError):
        ask(server, stream)
    assert len(server.requests) == 2  # the SDK did not ask again


def test_an_exception_in_the_middle_of_a_stream(server: LocalServer) -> None:
    """What the SDK refuses, the reader tells of too."""
    whole = eventstream.parse(INVOKE_STREAM.body).frames
    tail = eventstream.exception("throttlingException", b'{"message":"Too many tokens"}')
    body = INVOKE_STREAM.body[: whole[3].end] + tail
    reply = HttpReply(200, [("content-type", eventstream.CONTENT_TYPE)], body)
    server.answer = lambda request: reply
    with pytest.raises(Exception, match="Too many tokens"):
        bedrock(server, True)
    [request] = server.requests
    error = _api(request).read_reply(request, reply).error
    assert error is not None
    assert (error.type, error.message) == ("throttlingException", "Too many tokens")
