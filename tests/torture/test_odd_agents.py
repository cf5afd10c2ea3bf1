"""Agents that do what agents shouldn't, or what few do: tracer must not make it worse."""

import asyncio
import contextvars
import gc
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import openai
import pytest

import tracer
from tests.support.agents import Bench, said
from tests.support.servers import Exchange, Numbered, OddServer
from tracer import Substitute
from tracer.demo.model_server import ModelServer

ASKED: Any = [{"role": "user", "content": "x"}]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False, brain=Numbered()) as running:
        yield running


def test_a_task_factory_of_the_old_signature_still_works(bench: Bench) -> None:
    made: list[str] = []

    def factory(loop: Any, coro: Any) -> asyncio.Task[Any]:
        made.append(coro.__qualname__)
        return asyncio.Task(coro, loop=loop)

    @tracer.tool
    async def look(n: int) -> int:
        return n

    @tracer.agent
    async def agent() -> list[int]:
        loop: Any = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        return [*await asyncio.gather(look(1), look(2))]

    assert asyncio.run(agent()) == [1, 2]
    assert [name.endswith("look") for name in made[:2]] == [True, True]
    assert [step.slot.path for step in bench.steps("tool")] == ["agent1/t1", "agent1/t2"]


def test_contexts_given_by_hand_are_respected(bench: Bench) -> None:
    variable = contextvars.ContextVar("variable", default="outside")
    seen: list[str] = []

    @tracer.tool
    async def look() -> None:
        seen.append(variable.get())
        variable.set("changed")

    @tracer.agent
    async def agent() -> str:
        context = contextvars.copy_context()
        context.run(variable.set, "given")
        loop = asyncio.get_running_loop()
        await asyncio.create_task(look(), context=context)
        await asyncio.create_task(look())
        await loop.create_task(look(), name="named")
        return context[variable]

    assert asyncio.run(agent()) == "changed"
    assert seen == ["given", "outside", "outside"]


def test_a_limit_is_the_exception_the_agent_sees_through_an_sdk(
    bench: Bench, server: ModelServer
) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k")

    @tracer.agent(max_steps=2)
    def agent() -> None:
        for _ in range(5):
            client.chat.completions.create(model="m", messages=ASKED)

    started = time.monotonic()
    with pytest.raises(tracer.LimitReached):
        agent()
    assert time.monotonic() - started < 2, "the SDK repeated it"
    assert server.request_count == 2
    client.close()


def test_a_failure_in_place_of_a_plain_request(bench: Bench) -> None:
    with OddServer(lambda exchange: exchange.reply({"n": 1})) as server:

        @tracer.agent
        def agent() -> Any:
            try:
                reply = httpx.get(f"{server.url}/orders")
                return reply.status_code, reply.text
            except httpx.TransportError as error:
                return type(error).__name__

        assert agent() == (200, '{"n": 1}')
        step = bench.step("http")
        for kind, result in [
            ("500", 500), ("429", 429), ("timeout", "ReadTimeout"), ("reset", "ReadError"),
        ]:  # fmt: skip
            came = bench.fork(agent, Substitute("error", error=kind), step=step.n)
            assert came.came.exit_code == 0, (kind, came.came.message)
            assert result in (came.result, came.result[0])
        came = bench.fork(agent, Substitute("result", result={"n": 2}), step=step.n)
        assert came.result == (200, '{"n": 2}')
        assert server.count == 1


def test_deep_and_circular_arguments_cost_no_step(bench: Bench) -> None:
    loop: dict[str, Any] = {"role": "user", "content": "x"}
    loop["self"] = loop
    deep: Any = {"role": "user"}
    for _ in range(2000):
        deep = {"role": "user", "content": deep}

    @tracer.model
    def ask(messages: list[Any]) -> str:
        return "answer"

    @tracer.tool
    def look(given: Any) -> str:
        return "looked"

    @tracer.agent
    def agent() -> list[str]:
        return [ask([loop]), ask([deep]), ask([loop, deep]), look(loop), look(deep)]

    assert agent() == ["answer"] * 3 + ["looked"] * 2
    assert [step.kind for step in bench.steps()[1:]] == ["model"] * 3 + ["tool"] * 2
    # Unstorable arguments don't keep the results from being given again.
    assert bench.replay(agent).verdict()[0] in (0, 3)


def test_messages_changed_after_the_call_were_recorded_as_they_were(
    bench: Bench, server: ModelServer
) -> None:
    @tracer.model
    def ask(messages: list[dict[str, str]]) -> str:
        text = f"answer {len(messages)}"
        messages.append({"role": "assistant", "content": text})
        return text

    @tracer.agent
    def agent() -> list[str]:
        history = [{"role": "user", "content": "a"}]
        first = ask(history)
        history[0]["content"] = "edited"
        second = ask(history)
        history.clear()
        return [first, second]

    result = agent()
    with bench.store as store:
        documents = [store.conversation(step) for step in bench.steps("model")]
    assert documents == [
        b'{"messages":[{"role":"user","content":"a"}]}',
        (
            b'{"messages":[{"role":"user","content":"edited"},'
            b'{"role":"assistant","content":"answer 1"}]}'
        ),
    ]
    code, message = bench.replay(agent).verdict()
    # The tool's own append is missing in a replay: found, not hidden.
    assert code == 3 and message is not None and "messages" in message
    assert result == ["answer 1", "answer 2"]


def test_an_agent_that_calls_itself(bench: Bench, server: ModelServer) -> None:
    url = f"{server.url}/v1/chat/completions"

    @tracer.agent
    def agent(depth: int) -> str:
        body = {"model": "m", "messages": [{"role": "user", "content": f"at {depth}"}]}
        text = str(httpx.post(url, json=body, verify=False).json()["choices"][0]["message"])
        return text if depth == 0 else text + agent(depth - 1)

    result = agent(30)
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), result)
    assert len(bench.steps()) == 62
    assert server.request_count == 31


def test_a_recursion_error_is_the_agents_own(bench: Bench) -> None:
    @tracer.tool
    def down(n: int) -> int:
        return down(n + 1)

    @tracer.agent
    def agent() -> str:
        try:
            down(0)
        except RecursionError:
            return "caught"
        return "?"

    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(400)
        assert agent() == "caught"
    finally:
        sys.setrecursionlimit(limit)
    assert bench.run().status == "ok"


def test_two_hundred_tasks_at_once(bench: Bench, server: ModelServer) -> None:
    url = f"{server.url}/v1/chat/completions"

    @tracer.agent
    async def agent() -> list[str]:
        limits = httpx.Limits(max_connections=4)  # the test's server has a short queue
        async with httpx.AsyncClient(verify=False, timeout=30, limits=limits) as client:

            async def one(n: int) -> str:
                body = {"model": "m", "messages": ASKED}
                reply = await client.post(url, json=body)
                return str(reply.json()["choices"][0]["message"]["content"])

            return await asyncio.gather(*(one(n) for n in range(200)))

    result = asyncio.run(agent())
    assert len(set(result)) == 200
    started = time.monotonic()
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), result)
    assert time.monotonic() - started < 20
    assert replayed.run.warnings == ()


def test_a_run_leaves_nothing_alive(bench: Bench) -> None:
    class Big:
        """Watched by weak reference."""

    watched: list[weakref.ref[Big]] = []

    @tracer.tool
    def make() -> Big:
        big = Big()
        watched.append(weakref.ref(big))
        return big

    @tracer.agent
    def agent(given: Big) -> int:
        watched.append(weakref.ref(given))
        return len([make() for _ in range(3)])

    assert agent(Big()) == 3
    with bench.store as store:
        store.runs()
    gc.collect()
    assert [reference() for reference in watched] == [None] * 4


def test_threads_started_in_a_run_can_be_looked_at_as_ever(bench: Bench) -> None:
    class Own(threading.Thread):
        """A subclass with a run of its own."""

        def run(self) -> None:
            done.append(look(self.name))

    done: list[str] = []

    @tracer.tool
    def look(name: str) -> str:
        return f"looked {name}"

    @tracer.agent
    def agent() -> list[str]:
        threads = [Own(name=f"n{n}") for n in range(3)]
        for thread in threads:
            thread.start()
            thread.join()
        assert not any(thread.is_alive() for thread in threads)
        return done[-3:]

    assert agent() == ["looked n0", "looked n1", "looked n2"]
    assert bench.replay(agent).result == ["looked n0", "looked n1", "looked n2"]


def test_a_client_whose_hooks_and_auth_ask_the_network_too(bench: Bench) -> None:
    def odd(exchange: Exchange) -> None:
        if exchange.asked.path == "/token":
            exchange.reply({"token": "t0ken-value-123456"})
        elif "authorization" not in exchange.asked.headers:
            exchange.reply({}, 401)
        else:
            exchange.reply({"ok": exchange.asked.path})

    class Auth(httpx2.Auth):
        requires_response_body = True

        def auth_flow(self, request: Any) -> Any:
            reply = yield request
            if reply.status_code == 401:
                token = yield httpx2.Request("GET", url + "/token")
                request.headers["authorization"] = "Bearer " + token.json()["token"]
                yield request

    hooked: list[str] = []
    with OddServer(odd) as server:
        url = server.url

        @tracer.agent
        def agent() -> Any:
            hooks: Any = {"response": [lambda reply: hooked.append(str(reply.status_code))]}
            with httpx2.Client(auth=Auth(), event_hooks=hooks) as client:
                return client.get(f"{url}/data").json()

        assert agent() == {"ok": "/data"}
        before = [*hooked]
        assert len(bench.steps("http")) == 3
        replayed = bench.replay(agent)
        assert (replayed.verdict(), replayed.result) == ((0, None), {"ok": "/data"})
        assert hooked == before * 2
        assert server.count == 3


def test_loops_of_the_agents_own(bench: Bench, server: ModelServer) -> None:
    url = f"{server.url}/v1/chat/completions"

    async def ask(text: str) -> str:
        async with httpx.AsyncClient(verify=False) as client:
            body = {"model": "m", "messages": [{"role": "user", "content": text}]}
            reply = await client.post(url, json=body)
            return str(reply.json()["choices"][0]["message"]["content"])

    @tracer.agent
    def agent() -> list[str]:
        loop = asyncio.new_event_loop()
        try:
            first = loop.run_until_complete(ask("a"))
            future = asyncio.run_coroutine_threadsafe
            thread = threading.Thread(target=loop.run_forever)
            thread.start()
            second = future(ask("b"), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            return [first, second]
        finally:
            loop.close()

    result = agent()
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), result)
    forked = bench.fork(agent, said("instead"), model_call=1, after="recorded")
    assert forked.result == ["instead", result[1]]
    assert server.request_count == 2
