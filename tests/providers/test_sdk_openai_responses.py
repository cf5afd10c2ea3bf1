"""The real openai SDK, over a real socket, is given built Responses and sees what was meant."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tracer.core.messages import Message
from tracer.providers.base import FailureKind, HttpReply
from tracer.providers.sse import parse

from .replies import (
    EDITED_RESPONSE,
    OTHER_TOOL,
    REASONING,
    RESPONSE_JSON,
    RESPONSE_STREAM,
    RESPONSES,
    TEXT,
    responses_request,
    tool_call,
)
from .server import LocalServer

Seen = tuple[str, list[tuple[str, Any]], list[str], str | None]
Ask = Callable[[LocalServer], Seen]

REFUSAL: Message = {"parts": [{"type": "refusal", "content": "Not that."}]}
BROKEN_ARGUMENTS: Message = {"parts": [tool_call("weather", '{"city": ', "call_a")]}
CUSTOM: Message = {"parts": [{**tool_call("sql", "select 1"), "tool_type": "custom"}]}
BOTH: Message = {
    "parts": [REASONING, *TEXT["parts"], tool_call("weather", {}), tool_call("refund", {"a": [1]})]
}
_ASKED: Any = {"model": "gpt-x", "input": "Weather?"}


def _client(server: LocalServer, **options: Any) -> OpenAI:
    return OpenAI(api_key="k", base_url=server.url + "/v1", **options)


def _async_client(server: LocalServer, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(api_key="k", base_url=server.url + "/v1", **options)


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def _seen(reply: Any) -> Seen:
    calls, reasoning = list[tuple[str, Any]](), list[str]()
    for item in reply.output:
        if item.type == "function_call":
            calls.append((item.name, _parsed(item.arguments)))
        elif item.type == "custom_tool_call":
            calls.append((item.name, item.input))
        elif item.type == "reasoning":
            reasoning.append(item.encrypted_content)
    return reply.output_text, calls, reasoning, reply.status


class _Gathered:
    """What an agent's own loop makes of events, without the last one's summary."""

    def __init__(self) -> None:
        self.text = ""
        self.calls: list[tuple[str, Any]] = []
        self.reasoning: list[str] = []
        self.status: str | None = None

    def take(self, event: Any) -> None:
        if event.type == "response.output_text.delta":
            self.text += event.delta
        elif event.type == "response.output_item.done":
            item = event.item
            if item.type == "function_call":
                self.calls.append((item.name, _parsed(item.arguments)))
            elif item.type == "custom_tool_call":
                self.calls.append((item.name, item.input))
            elif item.type == "reasoning":
                self.reasoning.append(item.encrypted_content)
        elif event.type in ("response.completed", "response.incomplete", "response.failed"):
            self.status = event.response.status

    def seen(self) -> Seen:
        return self.text, self.calls, self.reasoning, self.status


def create(server: LocalServer) -> Seen:
    with _client(server) as client:
        return _seen(client.responses.create(**_ASKED))


def create_stream(server: LocalServer) -> Seen:
    gathered = _Gathered()
    with _client(server) as client:
        for event in client.responses.create(**_ASKED, stream=True):
            gathered.take(event)
    return gathered.seen()


def stream_helper(server: LocalServer) -> Seen:
    with _client(server) as client, client.responses.stream(**_ASKED) as stream:
        kinds = [event.type for event in stream]
        assert kinds[0] == "response.created"
        return _seen(stream.get_final_response())


def create_async(server: LocalServer) -> Seen:
    async def ask() -> Seen:
        async with _async_client(server) as client:
            return _seen(await client.responses.create(**_ASKED))

    return asyncio.run(ask())


def create_stream_async(server: LocalServer) -> Seen:
    async def ask() -> Seen:
        gathered = _Gathered()
        async with _async_client(server) as client:
            async for event in await client.responses.create(**_ASKED, stream=True):
                gathered.take(event)
        return gathered.seen()

    return asyncio.run(ask())


def stream_helper_async(server: LocalServer) -> Seen:
    async def ask() -> Seen:
        async with _async_client(server) as client, client.responses.stream(**_ASKED) as stream:
            async for _ in stream:
                pass
            return _seen(await stream.get_final_response())

    return asyncio.run(ask())


ASKS: list[Ask] = [
    create, create_stream, stream_helper, create_async, create_stream_async, stream_helper_async,
]  # fmt: skip
STREAMED = (create_stream, stream_helper, create_stream_async, stream_helper_async)
RECORDED = pytest.mark.parametrize(
    "recorded", [RESPONSE_JSON, RESPONSE_STREAM, None], ids=["json", "stream", "none"]
)


def _name(ask: object) -> str | None:
    return getattr(ask, "__name__", None)


def _meant(said: Message) -> Seen:
    parts = said["parts"]
    texts = [part["content"] for part in parts if part["type"] == "text"]
    calls = [(part["name"], part["arguments"]) for part in parts if part["type"] == "tool_call"]
    kept = [part["encrypted_content"] for part in parts if part["type"] == "reasoning"]
    return "".join(texts), calls, kept, "completed"


@pytest.mark.parametrize("ask", ASKS, ids=_name)
@RECORDED
def test_the_sdk_sees_the_substitute(
    server: LocalServer, ask: Ask, recorded: HttpReply | None
) -> None:
    for said in (TEXT, EDITED_RESPONSE, OTHER_TOOL, BROKEN_ARGUMENTS, BOTH, CUSTOM):
        server.answer = lambda request, said=said: RESPONSES.build_reply(request, recorded, said)
        assert ask(server) == _meant(said)
        assert bool(server.asked().get("stream")) == (ask in STREAMED)


@pytest.mark.parametrize("ask", ASKS, ids=_name)
@pytest.mark.parametrize("recorded", [RESPONSE_JSON, RESPONSE_STREAM], ids=["json", "stream"])
def test_the_sdk_sees_the_recorded_answer(
    server: LocalServer, ask: Ask, recorded: HttpReply
) -> None:
    said = RESPONSES.read_reply(responses_request(), recorded).messages[0]
    server.answer = lambda request: RESPONSES.build_reply(request, recorded, said)
    calls = [("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})]
    assert ask(server) == ("I look.", calls, ["gAAAc2ln+/=="], "completed")


@RECORDED
def test_a_refusal_reaches_the_agent(server: LocalServer, recorded: HttpReply | None) -> None:
    server.answer = lambda request: RESPONSES.build_reply(request, recorded, REFUSAL)
    with _client(server) as client:
        [item] = client.responses.create(**_ASKED).output
        assert item.type == "message"
        assert item.content[0].model_dump() == {"type": "refusal", "refusal": "Not that."}
        events = list(client.responses.create(**_ASKED, stream=True))
    assert "".join(e.delta for e in events if e.type == "response.refusal.delta") == "Not that."


class Weather(BaseModel):
    """A structured answer."""

    sky: str
    degrees: int


@RECORDED
def test_a_structured_answer(server: LocalServer, recorded: HttpReply | None) -> None:
    said: Message = {"parts": [{"type": "text", "content": '{"sky": "clear", "degrees": 23}'}]}
    server.answer = lambda request: RESPONSES.build_reply(request, recorded, said)
    with _client(server) as client:
        reply = client.responses.parse(**_ASKED, text_format=Weather)
        assert reply.output_parsed == Weather(sky="clear", degrees=23)
        with client.responses.stream(**_ASKED, text_format=Weather) as stream:
            assert stream.get_final_response().output_parsed == Weather(sky="clear", degrees=23)


def test_a_built_reply_passes_the_sdks_own_types() -> None:
    event_type = TypeAdapter[Any](ResponseStreamEvent)
    for recorded in (RESPONSE_JSON, RESPONSE_STREAM, None):
        for said in (TEXT, EDITED_RESPONSE, OTHER_TOOL, REFUSAL, CUSTOM):
            built = RESPONSES.build_reply(responses_request(), recorded, said)
            Response.model_validate_json(built.body, strict=True)
            streamed = RESPONSES.build_reply(responses_request(True), recorded, said)
            for event in parse(streamed.body):
                event_type.validate_json(event.data, strict=True)


def test_an_answer_cut_by_its_length(server: LocalServer) -> None:
    said: Message = {**TEXT, "finish_reason": "length"}
    server.answer = lambda request: RESPONSES.build_reply(request, RESPONSE_JSON, said)
    for ask in (create, create_stream, create_async, create_stream_async):
        assert ask(server) == (TEXT["parts"][0]["content"], [], [], "incomplete")


@pytest.mark.parametrize("ask", ASKS, ids=_name)
@pytest.mark.parametrize(
    ("kind", "error"),
    [("rate_limit", openai.RateLimitError), ("server_error", openai.InternalServerError)],
)
def test_an_error_is_raised_at_once(
    server: LocalServer, ask: Ask, kind: FailureKind, error: type[openai.APIStatusError]
) -> None:
    server.answer = lambda request: RESPONSES.build_failure(request, RESPONSE_JSON, kind)
    with pytest.raises(error) as raised:
        ask(server)
    assert "simulated by tracer" in str(raised.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("kind", "error"),
    [("timeout", openai.APITimeoutError), ("connection_reset", openai.APIConnectionError)],
)
@pytest.mark.parametrize("stream", [False, True])
def test_nothing_received(
    server: LocalServer, kind: FailureKind, error: type[Exception], stream: bool
) -> None:
    server.answer = lambda request: RESPONSES.build_failure(request, RESPONSE_JSON, kind)
    client = _client(server, max_retries=0, timeout=0.3)
    with client, pytest.raises(error):
        client.responses.create(**_ASKED, stream=stream)


@RECORDED
@pytest.mark.parametrize("ask", [create_stream, stream_helper, create_stream_async], ids=_name)
def test_a_cut_stream_breaks_the_connection(
    server: LocalServer, ask: Ask, recorded: HttpReply | None
) -> None:
    server.answer = lambda request: RESPONSES.build_failure(request, recorded, "cut_stream")
    with pytest.raises(openai.APIConnectionError):
        ask(server)


def test_a_cut_stream_gives_its_first_content(server: LocalServer) -> None:
    said = RESPONSES.build_reply(responses_request(), None, TEXT)
    server.answer = lambda request: RESPONSES.build_failure(request, said, "cut_stream")
    gathered = _Gathered()
    with _client(server) as client, pytest.raises(openai.APIConnectionError):
        for event in client.responses.create(**_ASKED, stream=True):
            gathered.take(event)
    assert gathered.text
    assert TEXT["parts"][0]["content"].startswith(gathered.text)
    assert gathered.text != TEXT["parts"][0]["content"]


@pytest.mark.parametrize("ask", ASKS, ids=_name)
def test_invalid_arguments_reach_the_agent(server: LocalServer, ask: Ask) -> None:
    server.answer = lambda request: RESPONSES.build_failure(request, RESPONSE_JSON, "invalid_json")
    _, calls, _, _ = ask(server)
    assert calls == [("weather", '{"city"'), ("weather", {"city": "Rome"})]


@pytest.mark.parametrize("ask", ASKS, ids=_name)
def test_an_invalid_body_is_an_error_in_the_agent(server: LocalServer, ask: Ask) -> None:
    recorded = RESPONSES.build_reply(responses_request(), None, TEXT)
    server.answer = lambda request: RESPONSES.build_failure(request, recorded, "invalid_json")
    with pytest.raises((openai.OpenAIError, json.JSONDecodeError)):
        ask(server)
