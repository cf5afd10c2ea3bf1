"""Streamed replies: every chunk reaches the agent as it arrives, and a stream is a step however
it ends."""

import asyncio
import gc
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest

import tracer
from tests.support.agents import Bench
from tests.support.servers import Exchange, OddServer, events
from tracer.demo.conversation import Call

ASKED: Any = [{"role": "user", "content": "Tell me a story."}]
WORDS = "Once upon a time, grün war der Wald."


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer(lambda exchange: exchange.say(WORDS)) as running:
        yield running


def chat(server: OddServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)


def later(server: OddServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)


def claude(server: OddServer) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0)


def test_each_chunk_reaches_the_agent_when_it_arrives(bench: Bench, server: OddServer) -> None:
    def odd(exchange: Exchange) -> None:
        exchange.begin()
        for piece in events(exchange.asked, "one two three"):
            exchange.chunk(piece)
            time.sleep(0.06)
        exchange.finish()

    server.odd = odd
    arrivals: list[float] = []

    @tracer.agent
    def agent() -> None:
        started = time.monotonic()
        stream = chat(server).chat.completions.create(model="m", messages=ASKED, stream=True)
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                arrivals.append(time.monotonic() - started)

    @tracer.agent
    async def async_agent() -> None:
        started = time.monotonic()
        async with httpx2.AsyncClient() as client:
            body = {"model": "m", "messages": ASKED, "stream": True}
            url = f"{server.url}/v1/chat/completions"
            async with client.stream("POST", url, json=body) as reply:
                async for line in reply.aiter_lines():
                    if '"content":"' in line and '"content":""' not in line:
                        arrivals.append(time.monotonic() - started)

    for run in (agent, lambda: asyncio.run(async_agent())):
        arrivals.clear()
        run()
        gaps = [b - a for a, b in itertools.pairwise(arrivals)]
        assert len(gaps) == 2 and min(gaps) > 0.03, "chunks were held back"
        step = bench.step("model")
        # The first event only names the role: the second is the first token.
        assert step.ttft_ms is not None
        assert 55 < step.ttft_ms < arrivals[0] * 1000 + 30
        assert step.duration_ms is not None and step.duration_ms > step.ttft_ms + 200


def _read_all(server: OddServer) -> Any:
    stream = chat(server).chat.completions.create(model="m", messages=ASKED, stream=True)
    return "".join(c.choices[0].delta.content or "" for c in stream if c.choices)


def _helper(server: OddServer) -> Any:
    with chat(server).chat.completions.stream(model="m", messages=ASKED) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == final.choices[0].message.content
    return final.choices[0].message.content, final.usage and final.usage.total_tokens


def _claude(server: OddServer) -> Any:
    with claude(server).messages.stream(model="m", max_tokens=9, messages=ASKED) as stream:
        text = "".join(stream.text_stream)
        return text, stream.get_final_message().usage.output_tokens


def _raw(server: OddServer) -> Any:
    with chat(server).chat.completions.with_streaming_response.create(
        model="m", messages=ASKED, stream=True
    ) as reply:
        return [line for line in reply.iter_lines() if line], reply.headers["x-request-id"]


def _raw_whole(server: OddServer) -> Any:
    reply = chat(server).chat.completions.with_raw_response.create(model="m", messages=ASKED)
    return reply.parse().choices[0].message.content, reply.status_code


async def _async_read(server: OddServer) -> Any:
    async with later(server) as client:
        stream = await client.chat.completions.create(model="m", messages=ASKED, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])


async def _async_claude(server: OddServer) -> Any:
    async with (
        anthropic.AsyncAnthropic(base_url=server.url, api_key="k") as client,
        client.messages.stream(model="m", max_tokens=9, messages=ASKED) as stream,
    ):
        return "".join([text async for text in stream.text_stream])


READERS: list[Callable[[OddServer], Any]] = [
    _read_all, _helper, _claude, _raw, _raw_whole, _async_read, _async_claude,
]  # fmt: skip


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_every_way_of_reading_is_recorded_and_given_again(
    bench: Bench, server: OddServer, reader: Callable[[OddServer], Any]
) -> None:
    @tracer.agent
    def agent() -> Any:
        result = reader(server)
        return asyncio.run(result) if asyncio.iscoroutine(result) else result

    result = agent()
    step = bench.step("model")
    assert step.status == "ok" and WORDS in step.summary
    assert step.usage is not None or reader is _read_all
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), result)
    assert replayed.run.warnings == ()
    again = bench.replay(agent, replayed.run.id)
    assert (again.verdict(), again.result, server.count) == ((0, None), result, 1)


def test_a_stream_broken_off_is_a_step_with_what_came(bench: Bench, server: OddServer) -> None:
    limit = [3]

    @tracer.agent
    def agent() -> list[str]:
        words = []
        stream = chat(server).chat.completions.create(model="m", messages=ASKED, stream=True)
        for chunk in stream:
            words.append(chunk.choices[0].delta.content or "")
            if len(words) == limit[0]:
                break
        stream.close()
        return words

    def odd(exchange: Exchange) -> None:
        exchange.begin()
        for piece in events(exchange.asked, WORDS):
            exchange.chunk(piece)
            time.sleep(0.02)
        exchange.finish()

    server.odd = odd
    words = agent()
    step = bench.step("model")
    assert (step.status, step.detail["cut"]) == ("ok", True)
    with bench.store as store:
        recorded = store.reply(step)
    assert recorded is not None and not recorded.complete
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), words)
    limit[0] = 30
    code, message = bench.replay(agent).verdict()
    assert code == 3 and message is not None and "read on past the point" in message
    assert server.count == 1


def test_a_forgotten_stream_is_a_step_too(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    def agent() -> str:
        with httpx.Client() as client:
            request = client.build_request(
                "POST",
                f"{server.url}/v1/chat/completions",
                json={"model": "m", "messages": ASKED, "stream": True},
            )
            reply = client.send(request, stream=True)
            first = next(reply.iter_lines())
            del reply
            gc.collect()
        return first

    first = agent()
    assert bench.step("model").status == "ok"
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), first)


def test_an_async_stream_left_open_by_a_cancelled_task(bench: Bench, server: OddServer) -> None:
    def odd(exchange: Exchange) -> None:
        exchange.begin()
        for piece in events(exchange.asked, WORDS)[:4]:
            exchange.chunk(piece)
        time.sleep(0.4)
        exchange.finish()

    server.odd = odd

    @tracer.agent
    async def agent() -> list[str]:
        words: list[str] = []

        async def read() -> None:
            async with later(server) as client:
                stream = await client.chat.completions.create(
                    model="m", messages=ASKED, stream=True
                )
                async for chunk in stream:
                    words.append(chunk.choices[0].delta.content or "")

        task = asyncio.create_task(read())
        while len(words) < 4:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return words

    words = asyncio.run(agent())
    assert bench.step("model").status == "cancelled"
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), words)


@pytest.mark.parametrize("how", ["reset", "hang_up"])
@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda m: m.__name__)
def test_a_connection_that_breaks_in_mid_stream_breaks_there_again(
    bench: Bench, server: OddServer, how: str, library: Any
) -> None:
    def odd(exchange: Exchange) -> None:
        exchange.begin()
        for piece in events(exchange.asked, WORDS)[:4]:
            exchange.chunk(piece)
        time.sleep(0.1)  # a reset may overtake what was sent just before
        exchange.reset() if how == "reset" else exchange.hang_up()

    server.odd = odd
    seen: list[Any] = []

    @tracer.agent
    def agent() -> None:
        lines: list[str] = []
        body = {"model": "m", "messages": ASKED, "stream": True}
        url = f"{server.url}/v1/chat/completions"
        try:
            with library.Client() as client, client.stream("POST", url, json=body) as reply:
                for line in reply.iter_lines():
                    lines.append(line)
        except library.TransportError as error:
            assert error.request.url == url
            seen.append((lines, type(error), str(error)))

    agent()
    step = bench.step("model")
    assert step.status == "error" and step.error is not None
    assert bench.replay(agent).verdict() == (0, None)
    assert len(seen) == 2 and seen[0] == seen[1]
    assert sum(line.startswith("data:") for line in seen[0][0]) == 4


def test_edges_of_chunks_anywhere_change_nothing(bench: Bench, server: OddServer) -> None:
    def odd(exchange: Exchange) -> None:
        exchange.begin()
        whole = b"".join(events(exchange.asked, WORDS, Call("look", {"wörd": "ü"})))
        for start in range(0, len(whole), 5):  # inside characters, inside `data:`, everywhere
            exchange.chunk(whole[start : start + 5])
        exchange.finish()

    server.odd = odd

    @tracer.agent
    def agent() -> Any:
        with chat(server).chat.completions.stream(model="m", messages=ASKED) as stream:
            message = stream.get_final_completion().choices[0].message
        assert message.tool_calls
        return message.content, message.tool_calls[0].function.arguments

    result = agent()
    assert result[0] == WORDS
    with bench.store as store:
        said = (store.output_messages(bench.step("model")) or b"").decode()
    assert WORDS in said and '"wörd": "ü"' in said
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), result)


def test_a_huge_answer_passes(bench: Bench, server: OddServer) -> None:
    server.odd = lambda exchange: exchange.say("word " * 400_000)

    @tracer.agent
    def agent() -> int:
        reply = chat(server).chat.completions.create(model="m", messages=ASKED)
        return len(reply.choices[0].message.content or "")

    assert agent() == 2_000_000
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result, server.count) == ((0, None), 2_000_000, 1)


def test_a_stream_is_not_answered_by_a_whole_reply(bench: Bench, server: OddServer) -> None:
    stream = [False]

    @tracer.agent
    def agent() -> Any:
        body = {"model": "m", "messages": ASKED, "stream": stream[0]}
        return httpx.post(f"{server.url}/v1/chat/completions", json=body).text

    agent()
    stream[0] = True
    code, message = bench.replay(agent).verdict()
    assert code == 3 and message is not None and "stream was false, is true" in message


def test_two_streams_read_in_turns(bench: Bench, server: OddServer) -> None:
    """The recorded end of one is never waited for by the other for longer than it must."""

    @tracer.agent
    def agent() -> list[str]:
        words: list[str] = []
        client = chat(server)
        asked = [
            client.chat.completions.create(model=f"m{n}", messages=ASKED, stream=True)
            for n in (1, 2)
        ]
        for first, second in zip(*asked, strict=True):
            for chunk in (first, second):
                words += [choice.delta.content or "" for choice in chunk.choices]
        return words

    words = agent()
    started = time.monotonic()
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), words)
    assert replayed.run.warnings == ()
    assert time.monotonic() - started < 2


def test_concurrent_streams_that_stop_at_done_do_not_wait_for_each_other(
    bench: Bench, server: OddServer
) -> None:
    async def read(client: openai.AsyncOpenAI, n: int) -> str:
        stream = await client.chat.completions.create(model=f"m{n}", messages=ASKED, stream=True)
        parts = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        reply = await client.chat.completions.create(model=f"m{n}", messages=ASKED)
        return "".join(parts) + (reply.choices[0].message.content or "")

    @tracer.agent
    async def agent() -> list[str]:
        async with later(server) as client:
            return await asyncio.gather(*(read(client, n) for n in range(6)))

    result = asyncio.run(agent())
    started = time.monotonic()
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), result)
    assert replayed.run.warnings == ()
    assert time.monotonic() - started < 3


def test_streams_broken_off_at_once_do_not_wait_for_each_others_ends(
    bench: Bench, server: OddServer
) -> None:
    async def glance(client: httpx.AsyncClient, n: int) -> list[str]:
        lines = []
        for model in (f"a{n}", f"b{n}"):
            body = {"model": model, "messages": ASKED, "stream": True}
            url = f"{server.url}/v1/chat/completions"
            async with client.stream("POST", url, json=body) as reply:
                async for line in reply.aiter_lines():
                    if line:
                        lines.append(line)
                        break
        return lines

    @tracer.agent
    async def agent() -> list[list[str]]:
        async with httpx.AsyncClient(verify=False) as client:
            return [*await asyncio.gather(*(glance(client, n) for n in range(4)))]

    def odd(exchange: Exchange) -> None:
        exchange.begin()
        for piece in events(exchange.asked, WORDS):
            exchange.chunk(piece)
            time.sleep(0.02)

    server.odd = odd
    result = asyncio.run(agent())
    started = time.monotonic()
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), result)
    assert replayed.run.warnings == ()
    assert time.monotonic() - started < 2


def test_an_asgi_transport_is_watched_too(bench: Bench) -> None:
    calls: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        calls.append(scope["path"])
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    @tracer.agent
    async def agent() -> str:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return (await client.get("/x")).text

    assert asyncio.run(agent()) == "ab"
    assert bench.step("http").status == "ok"
    assert bench.replay(agent).result == "ab"
    assert calls == ["/x"]


def test_async_bodies_are_sent_whole(bench: Bench, server: OddServer) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"def"

    server.odd = lambda exchange: exchange.reply({"got": exchange.asked.body.decode()})

    @tracer.agent
    async def agent() -> str:
        async with httpx.AsyncClient() as client:
            reply = await client.put(
                f"{server.url}/x", content=pieces(), headers={"content-length": "6"}
            )
            return str(reply.json()["got"])

    assert asyncio.run(agent()) == "abcdef"
    assert bench.replay(agent).result == "abcdef"
