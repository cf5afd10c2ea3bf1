"""The model server through the real SDKs: what they ask reaches it, what it says reaches them."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic.types import Message
from genai_prices import Usage, calc_price
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.demo.clients import (
    ANTHROPIC_TOOLS,
    ASKED,
    OPENAI_TOOLS,
    SAID,
    TOOL_SCHEMA,
    chat,
    claude,
    said_by_anthropic,
    said_by_openai,
)
from tracer.demo.conversation import Answer, Conversation
from tracer.demo.model_server import ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False) as running:
        yield running


def test_openai_json_sync_and_async(server: ModelServer) -> None:
    raw = chat(server).chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=ASKED, tools=OPENAI_TOOLS
    )
    body = json.loads(raw.text)
    ChatCompletion.model_validate(body, strict=False)
    reply = raw.parse()
    assert said_by_openai(reply) == SAID
    assert reply.choices[0].finish_reason == "tool_calls"
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens

    async def ask() -> ChatCompletion:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            return await client.chat.completions.create(
                model="gpt-4o-mini", messages=ASKED, tools=OPENAI_TOOLS
            )

    assert asyncio.run(ask()) == reply


def test_openai_streams_say_the_same_sync_async_and_through_the_helper(
    server: ModelServer,
) -> None:
    asked: Any = {"model": "gpt-4o-mini", "messages": ASKED, "tools": OPENAI_TOOLS}

    async def stream() -> list[ChatCompletionChunk]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            return [
                chunk async for chunk in await client.chat.completions.create(**asked, stream=True)
            ]

    chunks = list(chat(server).chat.completions.create(**asked, stream=True))
    assert asyncio.run(stream()) == chunks
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == SAID.text
    pieces = [call for delta in deltas for call in delta.tool_calls or ()]
    functions = [piece.function for piece in pieces if piece.function]
    assert functions[0].name == "lookup_order"
    assert "".join(f.arguments or "" for f in functions) == '{"order_id":"A-1042"}'
    assert len(functions) > 2, "the arguments come in pieces"
    with chat(server).chat.completions.stream(**asked) as helper:
        assert said_by_openai(helper.get_final_completion()) == SAID


def test_openai_stream_has_usage_only_when_asked(server: ModelServer) -> None:
    asked: Any = {"model": "gpt-4o-mini", "messages": ASKED, "stream": True}
    without = list(chat(server).chat.completions.create(**asked))
    assert all(chunk.usage is None and chunk.choices for chunk in without)
    assert without[-1].choices[0].finish_reason == "stop"
    with_usage = list(
        chat(server).chat.completions.create(**asked, stream_options={"include_usage": True})
    )
    assert [bool(chunk.usage) for chunk in with_usage] == [False] * (len(with_usage) - 1) + [True]
    assert with_usage[-1].choices == []


def test_anthropic_json_sync_and_async(server: ModelServer) -> None:
    asked: Any = {
        "model": "claude-haiku-4-5",
        "max_tokens": 100,
        "messages": ASKED,
        "tools": ANTHROPIC_TOOLS,
    }
    reply = claude(server).messages.create(**asked)
    assert said_by_anthropic(reply) == SAID
    assert reply.stop_reason == "tool_use"
    assert reply.usage.input_tokens > 0

    async def ask() -> Message:
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key="none") as client:
            created: Message = await client.messages.create(**asked)
            return created

    assert asyncio.run(ask()) == reply


def test_anthropic_streams_say_the_same(server: ModelServer) -> None:
    asked: Any = {
        "model": "claude-haiku-4-5",
        "max_tokens": 100,
        "messages": ASKED,
        "tools": ANTHROPIC_TOOLS,
    }
    with claude(server).messages.stream(**asked) as stream:
        texts = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(texts) > 2 and "".join(texts) == SAID.text
    assert said_by_anthropic(final) == SAID
    assert final.stop_reason == "tool_use"
    assert final.usage.output_tokens > 1, "the last event's count replaces the first's"

    async def ask() -> Message:
        async with (
            anthropic.AsyncAnthropic(base_url=server.url, api_key="none") as client,
            client.messages.stream(**asked) as stream,
        ):
            return await stream.get_final_message()

    assert asyncio.run(ask()).content == final.content


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_tool_results_of_the_history_reach_the_model(api: str) -> None:
    seen: list[Conversation] = []

    def look(conversation: Conversation) -> Answer:
        seen.append(conversation)
        return SAID if len(seen) == 1 else Answer("end")

    with ModelServer(latency=False, brain=look) as server:
        if api == "openai":
            messages: list[Any] = [{"role": "system", "content": "Be brief."}, *ASKED]
            message = chat(server).chat.completions.create(
                model="gpt-4o-mini", messages=messages, tools=OPENAI_TOOLS
            )
            said: Any = message.choices[0].message
            result: Any = {
                "role": "tool",
                "tool_call_id": said.tool_calls[0].id,
                "content": '{"price": 480.0}',
            }
            chat(server).chat.completions.create(
                model="gpt-4o-mini", messages=[*messages, said, result]
            )
        else:
            asked: Any = {"model": "claude-haiku-4-5", "max_tokens": 9, "system": "Be brief."}
            reply = claude(server).messages.create(**asked, messages=ASKED, tools=ANTHROPIC_TOOLS)
            use: Any = reply.content[1]
            result = {
                "type": "tool_result",
                "tool_use_id": use.id,
                "content": [{"type": "text", "text": '{"price": 480.0}'}],
            }
            claude(server).messages.create(
                **asked,
                messages=[
                    *ASKED,
                    {"role": "assistant", "content": reply.content},
                    {"role": "user", "content": [result]},
                ],
            )
    first, second = seen
    assert first == Conversation(
        "Be brief.", (ASKED[0]["content"],), (), {"check_policy": TOOL_SCHEMA}
    )
    assert (second.system, second.users, second.tools) == (first.system, first.users, {})
    (done,) = second.executed
    assert (done.name, done.arguments) == ("lookup_order", {"order_id": "A-1042"})
    assert done.result == {"price": 480.0}


def test_sdks_raise_their_own_errors_after_one_request(server: ModelServer) -> None:
    with pytest.raises(openai.NotFoundError):
        chat(server).embeddings.create(model="m", input="text")
    with pytest.raises(anthropic.BadRequestError, match="must be a list"):
        claude(server).messages.create(model="m", max_tokens=1, messages=[])
    assert server.request_count == 2


def test_later_requests_read_the_cache(server: ModelServer) -> None:
    long = "Order A-1042, please refund me. " * 40
    messages: list[Any] = [{"role": "user", "content": long}]
    cached = []
    for _ in range(2):
        reply = chat(server).chat.completions.create(model="m", messages=messages)
        assert reply.usage and reply.usage.prompt_tokens_details
        assert reply.usage.prompt_tokens >= (reply.usage.prompt_tokens_details.cached_tokens or 0)
        cached.append(reply.usage.prompt_tokens_details.cached_tokens)
        messages += [reply.choices[0].message, {"role": "user", "content": "And now?"}]
    assert cached == [0, 256]

    system: Any = [{"type": "text", "text": long, "cache_control": {"type": "ephemeral"}}]
    turns: list[Any] = [{"role": "user", "content": "Hello"}]
    usages = []
    for _ in range(2):
        said = claude(server).messages.create(
            model="m", max_tokens=9, system=system, messages=turns
        )
        usages.append(said.usage)
        turns += [{"role": "assistant", "content": said.content}, {"role": "user", "content": "?"}]
    written = usages[0].cache_creation_input_tokens
    assert written and written > 300
    assert usages[0].cache_read_input_tokens == 0
    assert (usages[1].cache_creation_input_tokens, usages[1].cache_read_input_tokens) == (
        0,
        written,
    )


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "gpt-4o-mini"), ("anthropic", "claude-haiku-4-5")]
)
def test_the_samples_models_have_a_price(provider: str, model: str) -> None:
    usage = Usage(input_tokens=1000, output_tokens=100, cache_read_tokens=128)
    assert calc_price(usage, model_ref=model, provider_id=provider).total_price > 0
