"""The real anthropic SDK, over a real socket, is given built replies and sees what was meant."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message as SdkMessage
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from tracer.core.messages import Message
from tracer.providers.base import FailureKind, HttpReply
from tracer.providers.sse import parse

from .replies import (
    EDITED_MESSAGE,
    MESSAGE_JSON,
    MESSAGE_STREAM,
    MESSAGES,
    OTHER_TOOL,
    TEXT,
    messages_request,
    tool_call,
)
from .server import LocalServer

Seen = tuple[list[tuple[str, Any]], str | None]
Ask = Callable[[LocalServer], Seen]

NO_TOOL: Message = {"role": "assistant", "parts": [{"type": "text", "content": "Nothing to do."}]}
BOTH: Message = {
    "parts": [*TEXT["parts"], tool_call("weather", {}), tool_call("refund", {"a": [1]})]
}
_ASKED: Any = {
    "model": "claude-x",
    "max_tokens": 99,
    "messages": [{"role": "user", "content": "Weather?"}],
}


def _client(server: LocalServer, **options: Any) -> Anthropic:
    return Anthropic(api_key="k", base_url=server.url, **options)


def _async_client(server: LocalServer, **options: Any) -> AsyncAnthropic:
    return AsyncAnthropic(api_key="k", base_url=server.url, **options)


def _seen(message: Any) -> Seen:
    said: list[tuple[str, Any]] = []
    for block in message.content:
        if block.type == "text":
            said.append(("text", block.text))
        elif block.type == "thinking":
            said.append(("thinking", (block.thinking, block.signature)))
        elif block.type == "redacted_thinking":
            said.append(("redacted_thinking", block.data))
        else:
            assert block.id.startswith("toolu_")
            said.append((block.name, block.input))
    return said, message.stop_reason


class _Gathered:
    """What an agent's own loop makes of events."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []
        self.stop: str | None = None

    def take(self, event: Any) -> None:
        if event.type == "content_block_start":
            block = event.content_block
            name = block.name if block.type == "tool_use" else block.type
            self.said.append((name, block.data if name == "redacted_thinking" else ""))
        elif event.type == "content_block_delta":
            name, told = self.said[-1]
            delta = event.delta
            if delta.type == "signature_delta":
                self.said[-1] = (name, (told, delta.signature))
            else:
                fields = ("text", "thinking", "partial_json")
                self.said[-1] = (
                    name,
                    told + next(getattr(delta, f) for f in fields if hasattr(delta, f)),
                )
        elif event.type == "message_delta":
            self.stop = event.delta.stop_reason

    def seen(self) -> Seen:
        plain = ("text", "thinking", "redacted_thinking")
        said = [(n, told if n in plain else json.loads(told or "{}")) for n, told in self.said]
        return said, self.stop


def create(server: LocalServer) -> Seen:
    with _client(server) as client:
        return _seen(client.messages.create(**_ASKED))


def create_stream(server: LocalServer) -> Seen:
    gathered = _Gathered()
    with _client(server) as client:
        for event in client.messages.create(**_ASKED, stream=True):
            gathered.take(event)
    return gathered.seen()


def stream_helper(server: LocalServer) -> Seen:
    with _client(server) as client, client.messages.stream(**_ASKED) as stream:
        return _seen(stream.get_final_message())


def beta_stream_helper(server: LocalServer) -> Seen:
    with _client(server) as client, client.beta.messages.stream(**_ASKED) as stream:
        return _seen(stream.get_final_message())


def create_async(server: LocalServer) -> Seen:
    async def ask() -> Seen:
        async with _async_client(server) as client:
            return _seen(await client.messages.create(**_ASKED))

    return asyncio.run(ask())


def create_stream_async(server: LocalServer) -> Seen:
    async def ask() -> Seen:
        gathered = _Gathered()
        async with _async_client(server) as client:
            async for event in await client.messages.create(**_ASKED, stream=True):
                gathered.take(event)
        return gathered.seen()

    return asyncio.run(ask())


def stream_helper_async(server: LocalServer) -> Seen:
    async def ask() -> Seen:
        async with _async_client(server) as client, client.messages.stream(**_ASKED) as stream:
            return _seen(await stream.get_final_message())

    return asyncio.run(ask())


ASKS: list[Ask] = [
    create, create_stream, stream_helper, beta_stream_helper,
    create_async, create_stream_async, stream_helper_async,
]  # fmt: skip


def _name(ask: object) -> str | None:
    return getattr(ask, "__name__", None)


def _meant(said: Message) -> Seen:
    told: list[tuple[str, Any]] = []
    for part in said["parts"]:
        if part["type"] == "tool_call":
            told.append((part["name"], part["arguments"]))
        elif part["type"] == "text":
            told.append(("text", part["content"]))
        elif "signature" in part:
            told.append(("thinking", (part["content"], part["signature"])))
        else:
            told.append(("redacted_thinking", part["redacted_data"]))
    has_calls = any(part["type"] == "tool_call" for part in said["parts"])
    return told, "tool_use" if has_calls else "end_turn"


RECORDED = pytest.mark.parametrize(
    "recorded", [MESSAGE_JSON, MESSAGE_STREAM, None], ids=["json", "stream", "none"]
)


@pytest.mark.parametrize("ask", ASKS, ids=_name)
@RECORDED
def test_the_sdk_sees_the_substitute(
    server: LocalServer, ask: Ask, recorded: HttpReply | None
) -> None:
    for said in (TEXT, NO_TOOL, EDITED_MESSAGE, OTHER_TOOL, BOTH):
        server.answer = lambda request, said=said: MESSAGES.build_reply(request, recorded, said)
        assert ask(server) == _meant(said)


@pytest.mark.parametrize("ask", ASKS, ids=_name)
@pytest.mark.parametrize("recorded", [MESSAGE_JSON, MESSAGE_STREAM], ids=["json", "stream"])
def test_the_sdk_sees_the_recorded_answer(
    server: LocalServer, ask: Ask, recorded: HttpReply
) -> None:
    said = MESSAGES.read_reply(messages_request(), recorded).messages[0]
    server.answer = lambda request: MESSAGES.build_reply(request, recorded, said)
    assert ask(server) == _meant(said)


@RECORDED
def test_a_built_reply_passes_the_sdks_own_types(recorded: HttpReply | None) -> None:
    events = TypeAdapter[Any](RawMessageStreamEvent)
    for said in (TEXT, EDITED_MESSAGE, OTHER_TOOL):
        built = MESSAGES.build_reply(messages_request(), recorded, said)
        SdkMessage.model_validate_json(built.body, strict=True)
        for event in parse(MESSAGES.build_reply(messages_request(True), recorded, said).body):
            events.validate_json(event.data, strict=True)


def test_usage_survives(server: LocalServer) -> None:
    server.answer = lambda request: MESSAGES.build_reply(request, MESSAGE_JSON, TEXT)
    with _client(server) as client:
        with client.messages.stream(**_ASKED) as stream:
            streamed = stream.get_final_message().usage
        created = client.messages.create(**_ASKED).usage
    for usage in (streamed, created):
        assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (
            10,
            100,
            30,
        )


@pytest.mark.parametrize("ask", ASKS, ids=_name)
@pytest.mark.parametrize(
    ("kind", "error"),
    [("rate_limit", anthropic.RateLimitError), ("server_error", anthropic.InternalServerError)],
)
def test_an_error_is_raised_at_once(
    server: LocalServer, ask: Ask, kind: FailureKind, error: type[anthropic.APIStatusError]
) -> None:
    server.answer = lambda request: MESSAGES.build_failure(request, MESSAGE_JSON, kind)
    with pytest.raises(error, match="simulated by tracer"):
        ask(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("kind", "error"),
    [("timeout", anthropic.APITimeoutError), ("connection_reset", anthropic.APIConnectionError)],
)
@pytest.mark.parametrize("stream", [False, True])
def test_nothing_received(
    server: LocalServer, kind: FailureKind, error: type[Exception], stream: bool
) -> None:
    server.answer = lambda request: MESSAGES.build_failure(request, MESSAGE_JSON, kind)
    client = _client(server, max_retries=0, timeout=0.3)
    with client, pytest.raises(error):
        client.messages.create(**_ASKED, stream=stream)


@RECORDED
@pytest.mark.parametrize("ask", [create_stream, stream_helper, create_stream_async], ids=_name)
def test_a_cut_stream_breaks_the_connection(
    server: LocalServer, ask: Ask, recorded: HttpReply | None
) -> None:
    server.answer = lambda request: MESSAGES.build_failure(request, recorded, "cut_stream")
    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        ask(server)


def test_a_cut_stream_gives_its_first_content(server: LocalServer) -> None:
    server.answer = lambda request: MESSAGES.build_failure(request, MESSAGE_STREAM, "cut_stream")
    gathered = _Gathered()
    with (
        _client(server) as client,
        pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)),
    ):
        for event in client.messages.create(**_ASKED, stream=True):
            gathered.take(event)
    assert gathered.said == [("thinking", "Look ")]


def test_a_cut_json_reply(server: LocalServer) -> None:
    server.answer = lambda request: MESSAGES.build_failure(request, MESSAGE_JSON, "cut_stream")
    client = _client(server, max_retries=0)
    with client, pytest.raises(anthropic.APIConnectionError):
        client.messages.create(**_ASKED)


def test_invalid_input_reaches_the_agent(server: LocalServer) -> None:
    server.answer = lambda request: MESSAGES.build_failure(request, MESSAGE_JSON, "invalid_json")
    said, stop = create(server)
    assert (said[-1], stop) == (("weather", '{"city"'), "tool_use")
    with pytest.raises(json.JSONDecodeError):
        create_stream(server)


@pytest.mark.parametrize("ask", ASKS, ids=_name)
def test_an_invalid_body_is_an_error_in_the_agent(server: LocalServer, ask: Ask) -> None:
    recorded = MESSAGES.build_reply(messages_request(), None, TEXT)
    server.answer = lambda request: MESSAGES.build_failure(request, recorded, "invalid_json")
    with pytest.raises((anthropic.AnthropicError, json.JSONDecodeError)):
        ask(server)


@pytest.mark.parametrize("ask", [stream_helper, beta_stream_helper, stream_helper_async], ids=_name)
def test_the_helper_of_the_sdk_closes_cut_input_itself(server: LocalServer, ask: Ask) -> None:
    server.answer = lambda request: MESSAGES.build_failure(request, MESSAGE_JSON, "invalid_json")
    said, stop = ask(server)
    assert (said[-1], stop) == (("weather", {}), "tool_use")
