"""What an HTTP client starts for itself, only when it really asks, moves nothing of the agent's."""

import asyncio

import httpx2

import tracer
from tests.support.agents import Bench


class Resolving(httpx2.AsyncBaseTransport):
    """Asks a thread and a task for something first, as clients do to find an address."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.to_thread(int)
        await asyncio.create_task(asyncio.sleep(0))
        return httpx2.Response(200, json={"ok": True})


def test_slots_after_an_exchange_are_the_same_when_it_is_answered(bench: Bench) -> None:
    @tracer.tool
    async def write(what: str) -> str:
        return what

    @tracer.agent
    async def agent() -> list[str]:
        async with httpx2.AsyncClient(transport=Resolving()) as client:
            await client.get("http://town.test/")
        return list(await asyncio.gather(write("a"), write("a"), write("b")))

    assert asyncio.run(agent()) == ["a", "a", "b"]
    recorded = [step.slot for step in bench.steps()]
    again = bench.replay(agent)
    assert again.verdict() == (0, None)
    assert again.came.divergences == []
    assert [step.slot for step in again.steps] == recorded
