"""Answers that reach several tasks of one event loop at once: what the tasks do with them, each
after some turns of the loop of its own, happens in the order in which their steps ended."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import anyio
import httpx
import pytest

import tracer
from tests.support.agents import Bench
from tests.support.servers import Numbered
from tracer.demo.conversation import Answer, Conversation
from tracer.demo.model_server import ModelServer

TASKS = 6
# Later tasks are quicker: without an order the first one to be answered is the last to be done.
TURNS = [5, 4, 4, 2, 2, 0]

Ask = Callable[[str], Any]


@pytest.fixture(autouse=True)
def url() -> Iterator[str]:
    """A server that answers when all tasks have asked."""
    numbered = Numbered(iter(lambda: 0.0, None))
    together = threading.Barrier(TASKS)

    def brain(conversation: Conversation) -> Answer:
        together.wait(20)
        return numbered(conversation)

    with ModelServer(latency=False, brain=brain) as running:
        yield f"{running.url}/v1/chat/completions"


def _body(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "same"}], **more}


def _content(reply: Any) -> str:
    return str(reply["choices"][0]["message"]["content"])


async def whole(url: str) -> str:
    async with httpx.AsyncClient() as client:
        return _content((await client.post(url, json=_body())).json())


async def left_early(url: str) -> str:
    """As the SDKs do at `[DONE]`: the rest is not read."""
    async with httpx.AsyncClient() as client:
        async with client.stream("POST", url, json=_body(stream=True)) as reply:
            lines = reply.aiter_lines()
            text = ""
            async for line in lines:
                if "[DONE]" in line:
                    break
                text += line
        return text[text.index("content") :]


async def with_aiohttp(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.post(url, json=_body()) as reply:
        return _content(await reply.json())


async def program(ask: Ask, url: str) -> list[str]:
    found: list[str] = []

    async def one(name: int) -> None:
        answer = await ask(url)
        for _ in range(TURNS[name]):
            await anyio.lowlevel.checkpoint()
        found.append(f"{name} {answer}")

    async with anyio.create_task_group() as group:
        for name in range(TASKS):
            group.start_soon(one, name)
    return found


@pytest.mark.parametrize(
    ("ask", "loop"),
    [(whole, "asyncio"), (whole, "trio"), (left_early, "asyncio"), (left_early, "trio"),
     (with_aiohttp, "asyncio")],
    ids=lambda value: getattr(value, "__name__", value),
)  # fmt: skip
def test_tasks_go_on_in_the_order_their_steps_ended(
    bench: Bench, url: str, ask: Ask, loop: str
) -> None:
    """Fails when `LoopTurns.mine` returns at once (not whenever trio draws the right lot)."""

    @tracer.agent
    def agent() -> list[str]:
        return anyio.run(program, ask, url, backend=loop)

    result = agent()
    assert len(result) == TASKS
    for _ in range(2):
        replayed = bench.replay(agent)
        assert (replayed.verdict(), replayed.result) == ((0, None), result)


def test_a_task_that_is_cancelled_while_it_waits_for_its_turn_holds_up_nobody(
    bench: Bench, url: str
) -> None:
    found: list[str] = []

    async def give_up_soon() -> None:
        tasks = [asyncio.ensure_future(whole(url)) for _ in range(TASKS)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        found.extend(
            "cancelled" if isinstance(answer, BaseException) else "answered"
            for answer in await asyncio.gather(*tasks, return_exceptions=True)
        )

    @tracer.agent
    def agent() -> list[str]:
        asyncio.run(give_up_soon())
        return found

    result = list(agent())
    assert "answered" in result and "cancelled" in result
    assert {step.status for step in bench.steps("model")} == {"ok", "cancelled"}
    found.clear()
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), result)
