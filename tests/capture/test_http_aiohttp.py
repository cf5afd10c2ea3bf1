"""aiohttp: recorded and answered under its own protocol and parser."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

import tracer
from tests.support.agents import Bench
from tests.support.replies import EVENTS, odd_server, told_later
from tests.support.servers import OddServer
from tracer.core.records import NOT_CAPTURED

Ask = Callable[[aiohttp.ClientSession, str], Awaitable[Any]]


@pytest.fixture
def server() -> Iterator[OddServer]:
    with odd_server() as running:
        yield running


def get(path: str, method: str = "GET", **more: Any) -> Ask:
    async def ask(session: aiohttp.ClientSession, url: str) -> Any:
        async with session.request(method, url + path, **more) as reply:
            length = reply.headers.get("Content-Length")
            return reply.status, reply.reason, await reply.text(), length

    return ask


def streamed(read: Callable[[aiohttp.ClientResponse], Any], path: str = "/stream") -> Ask:
    async def ask(session: aiohttp.ClientSession, url: str) -> Any:
        async with session.get(url + path) as reply:
            made = read(reply)
            if isinstance(made, AsyncIterator) or hasattr(made, "__anext__"):
                return [piece async for piece in made]
            return await made

    return ask


async def history(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(f"{url}/old") as reply:
        hops = [hop.status for hop in reply.history]
        return hops, await reply.json(), str(reply.url) == f"{url}/new"


async def refused(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get("http://127.0.0.1:9/x") as reply:
        return await reply.text()


async def proxied(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get("http://shop.example/a", proxy=url) as reply:
        return await reply.json()


async def proxy_refused(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get("http://shop.example/a", proxy="http://127.0.0.1:9") as reply:
        return await reply.text()


async def status_alone(session: aiohttp.ClientSession, url: str) -> Any:
    reply = await session.get(f"{url}/a")
    reply.release()
    return reply.status


async def closed(session: aiohttp.ClientSession, url: str) -> Any:
    reply = await session.get(f"{url}/stream")
    first = await reply.content.readany()
    reply.close()
    return first


async def eof_waited(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(f"{url}/stream") as reply:
        await reply.content.wait_eof()
        return await reply.read()


async def waited_for(session: aiohttp.ClientSession, url: str) -> Any:
    try:
        return await asyncio.wait_for(get("/slow")(session, url), 0.2)
    except TimeoutError:
        return "gave up"


async def waited_in_stream(session: aiohttp.ClientSession, url: str) -> Any:
    found = []
    try:
        async with asyncio.timeout(0.1), session.get(f"{url}/stuck") as reply:
            async for line in reply.content:
                found.append(line)
    except TimeoutError:
        found.append(b"gave up")
    return found


async def together(session: aiohttp.ClientSession, url: str) -> Any:
    return await asyncio.gather(*(get(f"/{n}")(session, url) for n in range(6)))


async def cookies(session: aiohttp.ClientSession, url: str) -> Any:
    await get("/cookie")(session, url)
    return await get("/a?b=c")(session, url)


async def pieces() -> AsyncIterator[bytes]:
    yield b"one"
    yield b"two"


async def from_generator(session: aiohttp.ClientSession, url: str) -> Any:
    return await get("/a", "PUT", data=pieces(), headers={"content-length": "6"})(session, url)


async def from_form(session: aiohttp.ClientSession, url: str) -> Any:
    form = aiohttp.FormData()
    form.add_field("field", "value")
    form.add_field("file", io.BytesIO(b"content"), filename="name.txt")
    return (await get("/a", "POST", data=form)(session, url))[0]


async def from_file(session: aiohttp.ClientSession, url: str) -> Any:
    with Path(__file__).open("rb") as file:
        return (await get("/a", "POST", data=file)(session, url))[2][:90]


async def with_permission(session: aiohttp.ClientSession, url: str) -> Any:
    return await get("/a", "POST", data=b"sent", expect100=True)(session, url)


async def packed(session: aiohttp.ClientSession, url: str) -> Any:
    raw = aiohttp.ClientSession(auto_decompress=False)
    async with raw, raw.get(f"{url}/gzip") as reply:
        return reply.headers["content-encoding"], (await reply.read())[:2]


SHORT = aiohttp.ClientTimeout(total=0.2)
SILENT = aiohttp.ClientTimeout(sock_read=0.2)
ASKED: dict[str, tuple[Ask, int]] = {
    "json": (get("/a"), 1),
    "gzip": (get("/gzip"), 1),
    "deflate": (get("/deflate"), 1),
    "br": (get("/br"), 1),
    "packed": (packed, 1),
    "split characters": (get("/split"), 1),
    "empty": (get("/empty"), 1),
    "head": (get("/a", "HEAD"), 1),
    "until close": (get("/until-close"), 1),
    "own reason": (get("/own-reason"), 1),
    "lies": (get("/lies"), 1),
    "cut in a length": (get("/cut-length"), 1),
    "cut in a chunk": (get("/cut-chunk"), 1),
    "cut between chunks": (get("/cut-between"), 1),
    "reset": (get("/reset", "POST"), 1),
    "reset and asked again": (get("/reset"), 2),
    "reset later": (get("/reset-later"), 1),
    "timeout": (get("/slow", timeout=SHORT), 1),
    "timeout of silence": (get("/slow", timeout=SILENT), 1),
    "refused": (refused, 1),
    "missing": (get("/missing", raise_for_status=True), 1),
    "proxy": (proxied, 1),
    "proxy refused": (proxy_refused, 1),
    "redirect": (history, 2),
    "cookies": (cookies, 2),
    "any": (streamed(lambda reply: reply.content.iter_any()), 1),
    "by 6": (streamed(lambda reply: reply.content.iter_chunked(6)), 1),
    "chunks": (streamed(lambda reply: reply.content.iter_chunks()), 1),
    "lines": (streamed(lambda reply: reply.content.__aiter__()), 1),
    "line": (streamed(lambda reply: reply.content.readline()), 1),
    "until": (streamed(lambda reply: reply.content.readuntil(b": 2")), 1),
    "exactly": (streamed(lambda reply: reply.content.readexactly(12)), 1),
    "all": (streamed(lambda reply: reply.read()), 1),
    "cut stream": (streamed(lambda reply: reply.content.readline(), "/cut-between"), 1),
    "status alone": (status_alone, 1),
    "closed": (closed, 1),
    "end waited for": (eof_waited, 1),
    "cancelled": (waited_for, 1),
    "cancelled in the stream": (waited_in_stream, 1),
    "together": (together, 6),
    "json body": (get("/a", "POST", json={"a": [1, "ü"]}), 1),
    "form": (get("/a", "POST", data={"a": "b"}), 1),
    "bytes": (get("/a", "POST", data=b"sent"), 1),
    "generator": (from_generator, 1),
    "multipart": (from_form, 1),
    "file": (from_file, 1),
    "permission": (with_permission, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_it_comes_to_the_same_without_tracer_with_it_and_again(
    bench: Bench, server: OddServer, name: str
) -> None:
    ask, exchanges = ASKED[name]

    async def program() -> Any:
        async with aiohttp.ClientSession() as session:
            return await told_later(ask(session, server.url))

    agent = tracer.agent(program)
    without = asyncio.run(program())
    assert asyncio.run(agent()) == without
    steps = bench.steps("http")
    assert len(steps) == exchanges
    assert bench.run().warnings == ()
    reached = server.count
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), without)
    assert server.count == reached, "something was asked again"
    assert replayed.run.warnings == ()
    assert [step.status for step in replayed.steps] == [step.status for step in bench.steps()]


def test_chunks_are_stored_as_they_came_with_their_times(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    async def agent() -> None:
        async with aiohttp.ClientSession() as session, session.get(f"{server.url}/stream") as reply:
            async for _ in reply.content.iter_any():
                pass

    asyncio.run(agent())
    with bench.store as store:
        reply = store.reply(bench.step("http"))
    assert reply is not None and reply.complete
    assert list(reply.chunks) == EVENTS
    assert reply.times_us[-1] - reply.times_us[0] > 30_000


def test_reading_further_than_the_recorded_agent_is_refused(
    bench: Bench, server: OddServer
) -> None:
    lines = [1]

    @tracer.agent
    async def agent() -> int:
        async with aiohttp.ClientSession() as session, session.get(f"{server.url}/stream") as reply:
            return len([await reply.content.readuntil(b"\n\n") for _ in range(lines[0])])

    assert asyncio.run(agent()) == 1
    assert bench.replay(agent).verdict() == (0, None)
    lines[0] = 5
    code, message = bench.replay(agent).verdict()
    assert code == 3 and message is not None and "read on past" in message


async def chat(session: aiohttp.ClientSession, url: str, question: str) -> str:
    """A streamed model call by hand."""
    body = {"model": "gpt-4o-mini", "stream": True, "messages": [
        {"role": "user", "content": question},
    ]}  # fmt: skip
    said = ""
    async with session.post(f"{url}/v1/chat/completions", json=body) as reply:
        async for line in reply.content:
            if not line.startswith(b"data: {"):
                continue
            choices = json.loads(line.removeprefix(b"data: "))["choices"]
            said += (choices[0]["delta"].get("content") or "") if choices else ""
    return said


def test_a_model_asked_by_hand_is_a_model_step(bench: Bench, server: OddServer) -> None:
    server.odd = lambda exchange: exchange.say("It is on its way.")

    @tracer.agent
    async def agent() -> str:
        async with aiohttp.ClientSession() as session:
            return await chat(session, server.url, "Where is it?")

    assert asyncio.run(agent()) == "It is on its way."
    step = bench.step("model")
    assert (step.name, step.status) == ("chat gpt-4o-mini", "ok")
    assert step.ttft_ms is not None and step.usage is not None


class OverAiohttp(httpx.AsyncBaseTransport):
    """httpx over aiohttp, as some gateways' clients are built."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        reply = await self._session.request(
            request.method, str(request.url), data=request.content, headers=dict(request.headers)
        )

        async def body() -> AsyncIterator[bytes]:
            async for chunk in reply.content.iter_any():
                yield chunk

        return httpx.Response(reply.status, headers=dict(reply.headers), content=body())

    async def aclose(self) -> None:
        await self._session.close()


def test_one_exchange_through_two_libraries_is_one_step(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    async def agent() -> str:
        async with httpx.AsyncClient(transport=OverAiohttp()) as client:
            return (await client.post(f"{server.url}/a", json={"n": 1})).text

    result = asyncio.run(agent())
    assert [step.kind for step in bench.steps()] == ["agent", "http"]
    reached = server.count
    assert bench.replay(agent).result == result
    assert server.count == reached


def test_tasks_keep_their_place(bench: Bench, server: OddServer) -> None:
    @tracer.tool
    async def look(session: aiohttp.ClientSession, n: int) -> str:
        async with session.get(f"{server.url}/{n}") as reply:
            return str((await reply.json())["path"])

    @tracer.agent
    async def agent() -> list[str]:
        async with aiohttp.ClientSession() as session:
            return await asyncio.gather(*(look(session, n) for n in range(5)))

    assert asyncio.run(agent()) == [f"/{n}" for n in range(5)]
    tools = [step.id for step in bench.steps("tool")]
    assert sorted(tools) == sorted(str(step.parent) for step in bench.steps("http"))


def test_traces_of_the_program_are_called_as_ever(bench: Bench, server: OddServer) -> None:
    seen: list[str] = []

    async def note(session: Any, context: Any, params: Any) -> None:
        seen.append(type(params).__name__)

    config = aiohttp.TraceConfig()
    for signal in (config.on_request_start, config.on_request_redirect, config.on_request_end):
        signal.append(note)

    @tracer.agent
    async def agent() -> None:
        async with aiohttp.ClientSession(trace_configs=[config]) as session:
            await history(session, server.url)

    asyncio.run(agent())
    before, seen[:] = list(seen), []
    bench.replay(agent)
    assert seen == before
    assert before == [
        "TraceRequestStartParams", "TraceRequestRedirectParams", "TraceRequestEndParams",
    ]  # fmt: skip


def test_a_websocket_is_noted_and_the_run_is_not_replayed_past_it(
    bench: Bench, server: OddServer
) -> None:
    @tracer.agent
    async def agent() -> str:
        async with aiohttp.ClientSession() as session:
            await get("/a")(session, server.url)
            try:
                await session.ws_connect(f"{server.url}/live")
            except aiohttp.WSServerHandshakeError:
                return "refused"
        return "open"

    assert asyncio.run(agent()) == "refused"
    assert bench.run().warnings == (f"{NOT_CAPTURED}a WebSocket to 127.0.0.1, after step 2",)
    with pytest.raises(tracer.errors.CannotReplayError, match="past step 2: a WebSocket"):
        bench.replay(agent)
