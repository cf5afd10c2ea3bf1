"""The real openai SDK, over a real socket, is given built replies and sees what was meant."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tracer.core.messages import Message
from tracer.providers.base import FailureKind, HttpReply
from tracer.providers.sse import parse

from .replies import (
    CHAT,
    CHAT_JSON,
    CHAT_STREAM,
    EDITED_CHAT,
    OTHER_TOOL,
    TEXT,
    chat_request,
    tool_call,
)
from .server import LocalServer

Seen = tuple[str | None, list[tuple[str, Any]], str | None]
Ask = Callable[[LocalServer], Seen]

NO_TOOL: Message = {"role": "assistant", "parts": [{"type": "text", "content": "Nothing to do."}]}
BROKEN_ARGUMENTS: Message = {"parts": [tool_call("weather", '{"city": ', "call_a")]}
BOTH: Message = {
    "parts": [*TEXT["parts"], tool_call("weather", {}), tool_call("refund", {"a": [1]})]
}
_ASKED: Any = {"model": "gpt-x", "messages": [{"role": "user", "content": "Weather?"}]}


def _client(server: LocalServer, **options: Any) -> OpenAI:
    return OpenAI(api_key="k", base_url=server.url + "/v1", **options)


def _async_client(server: LocalServer, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(api_key="k", base_url=server.url + "/v1", **options)


def _seen(choice: Any) -> Seen:
    calls = choice.message.tool_calls or []
    said = [(call.function.name, _parsed(call.function.arguments)) for call in calls]
    return choice.message.content, said, choice.finish_reason


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


class _Gathered:
    """What an agent's own loop makes of chunks."""

    def __init__(self) -> None:
        self.text = ""
        self.calls: dict[int, list[str]] = {}
        self.finish: str | None = None

    def take(self, chunk: Any) -> None:
        for choice in chunk.choices:
            self.text += choice.delta.content or ""
            for call in choice.delta.tool_calls or []:
                if call.id:
                    self.calls[call.index] = [call.function.name, ""]
                self.calls[call.index][1] += call.function.arguments or ""
            self.finish = choice.finish_reason or self.finish

    def seen(self) -> Seen:
        calls = [(name, _parsed(raw)) for name, raw in self.calls.values()]
        return self.text or None, calls, self.finish


def create(server: LocalServer) -> Seen:
    with _client(server) as client:
        return _seen(client.chat.completions.create(**_ASKED).choices[0])


def create_stream(server: LocalServer) -> Seen:
    gathered = _Gathered()
    with _client(server) as client:
        for chunk in client.chat.completions.create(**_ASKED, stream=True):
            gathered.take(chunk)
    return gathered.seen()


def stream_helper(server: LocalServer) -> Seen:
    with _client(server) as client, client.chat.completions.stream(**_ASKED) as stream:
        kinds = [event.type for event in stream]
        assert "chunk" in kinds
        return _seen(stream.get_final_completion().choices[0])


def create_async(server: LocalServer) -> Seen:
    async def ask() -> Seen:
        async with _async_client(server) as client:
            return _seen((await client.chat.completions.create(**_ASKED)).choices[0])

    return asyncio.run(ask())


def create_stream_async(server: LocalServer) -> Seen:
    async def ask() -> Seen:
        gathered = _Gathered()
        async with _async_client(server) as client:
            async for chunk in await client.chat.completions.create(**_ASKED, stream=True):
                gathered.take(chunk)
        return gathered.seen()

    return asyncio.run(ask())


def stream_helper_async(server: LocalServer) -> Seen:
    async def ask() -> Seen:
        async with (
            _async_client(server) as client,
            client.chat.completions.stream(**_ASKED) as stream,
        ):
            async for _ in stream:
                pass
            return _seen((await stream.get_final_completion()).choices[0])

    return asyncio.run(ask())


ASKS: list[Ask] = [
    create, create_stream, stream_helper, create_async, create_stream_async, stream_helper_async,
]  # fmt: skip
STREAMED = (create_stream, stream_helper, create_stream_async, stream_helper_async)


def _name(ask: object) -> str | None:
    return getattr(ask, "__name__", None)


def _meant(said: Message) -> Seen:
    texts = [part["content"] for part in said["parts"] if part["type"] == "text"]
    calls = [(p["name"], p["arguments"]) for p in said["parts"] if p["type"] == "tool_call"]
    return (texts or [None])[0], calls, "tool_calls" if calls else "stop"


@pytest.mark.parametrize("ask", ASKS, ids=_name)
@pytest.mark.parametrize("recorded", [CHAT_JSON, CHAT_STREAM, None], ids=["json", "stream", "none"])
def test_the_sdk_sees_the_substitute(
    server: LocalServer, ask: Ask, recorded: HttpReply | None
) -> None:
    for said in (TEXT, NO_TOOL, EDITED_CHAT, OTHER_TOOL, BROKEN_ARGUMENTS, BOTH):
        server.answer = lambda request, said=said: CHAT.build_reply(request, recorded, said)
        assert ask(server) == _meant(said)
        assert bool(server.asked().get("stream")) == (ask in STREAMED)


@pytest.mark.parametrize("ask", ASKS, ids=_name)
@pytest.mark.parametrize("recorded", [CHAT_JSON, CHAT_STREAM], ids=["json", "stream"])
def test_the_sdk_sees_the_recorded_answer(
    server: LocalServer, ask: Ask, recorded: HttpReply
) -> None:
    said = CHAT.read_reply(chat_request(), recorded).messages[0]
    server.answer = lambda request: CHAT.build_reply(request, recorded, said)
    calls = [("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})]
    assert ask(server) == (None, calls, "tool_calls")


def test_a_built_reply_passes_the_sdks_own_types() -> None:
    for recorded in (CHAT_JSON, CHAT_STREAM, None):
        for said in (TEXT, EDITED_CHAT, OTHER_TOOL):
            built = CHAT.build_reply(chat_request(), recorded, said)
            ChatCompletion.model_validate_json(built.body, strict=True)
            for event in parse(CHAT.build_reply(chat_request(True), recorded, said).body)[:-1]:
                ChatCompletionChunk.model_validate_json(event.data, strict=True)


@pytest.mark.parametrize("ask", ASKS, ids=_name)
@pytest.mark.parametrize(
    ("kind", "error"),
    [("rate_limit", openai.RateLimitError), ("server_error", openai.InternalServerError)],
)
def test_an_error_is_raised_at_once(
    server: LocalServer, ask: Ask, kind: FailureKind, error: type[openai.APIStatusError]
) -> None:
    server.answer = lambda request: CHAT.build_failure(request, CHAT_JSON, kind)
    with pytest.raises(error) as raised:
        ask(server)
    assert "simulated by tracer" in str(raised.value)
    assert raised.value.type in ("requests", "server_error")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("kind", "error"),
    [("timeout", openai.APITimeoutError), ("connection_reset", openai.APIConnectionError)],
)
@pytest.mark.parametrize("stream", [False, True])
def test_nothing_received(
    server: LocalServer, kind: FailureKind, error: type[Exception], stream: bool
) -> None:
    server.answer = lambda request: CHAT.build_failure(request, CHAT_JSON, kind)
    client = _client(server, max_retries=0, timeout=0.3)
    with client, pytest.raises(error):
        client.chat.completions.create(**_ASKED, stream=stream)


@pytest.mark.parametrize("recorded", [CHAT_JSON, CHAT_STREAM, None], ids=["json", "stream", "none"])
@pytest.mark.parametrize("ask", [create_stream, stream_helper, create_stream_async], ids=_name)
def test_a_cut_stream_breaks_the_connection(
    server: LocalServer, ask: Ask, recorded: HttpReply | None
) -> None:
    server.answer = lambda request: CHAT.build_failure(request, recorded, "cut_stream")
    with pytest.raises(openai.APIConnectionError):
        ask(server)


def test_a_cut_stream_gives_its_first_content(server: LocalServer) -> None:
    said = CHAT.build_reply(chat_request(), None, TEXT)
    server.answer = lambda request: CHAT.build_failure(request, said, "cut_stream")
    gathered = _Gathered()
    with _client(server) as client, pytest.raises(openai.APIConnectionError):
        for chunk in client.chat.completions.create(**_ASKED, stream=True):
            gathered.take(chunk)
    assert gathered.text
    assert TEXT["parts"][0]["content"].startswith(gathered.text)
    assert gathered.text != TEXT["parts"][0]["content"]


def test_a_cut_json_reply(server: LocalServer) -> None:
    server.answer = lambda request: CHAT.build_failure(request, CHAT_JSON, "cut_stream")
    client = _client(server, max_retries=0)
    with client, pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(**_ASKED)


@pytest.mark.parametrize("ask", ASKS, ids=_name)
def test_invalid_arguments_reach_the_agent(server: LocalServer, ask: Ask) -> None:
    server.answer = lambda request: CHAT.build_failure(request, CHAT_JSON, "invalid_json")
    _, calls, finish = ask(server)
    assert calls == [("weather", '{"city"'), ("weather", {"city": "Rome"})]
    assert finish == "tool_calls"


@pytest.mark.parametrize("ask", ASKS, ids=_name)
def test_an_invalid_body_is_an_error_in_the_agent(server: LocalServer, ask: Ask) -> None:
    recorded = CHAT.build_reply(chat_request(), None, TEXT)
    server.answer = lambda request: CHAT.build_failure(request, recorded, "invalid_json")
    with pytest.raises((openai.OpenAIError, json.JSONDecodeError)):
        ask(server)
