"""Agents that do several things at once: the same answers go to the same places, every time."""

import asyncio
import contextvars
import itertools
import queue
import random
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from typing import Any

import httpx
import openai
import pytest

import tracer
from tests.support.agents import Bench, Replayed
from tests.support.servers import Numbered
from tracer.capture import scope as scopes
from tracer.core.records import Slot
from tracer.demo.conversation import Answer, Conversation
from tracer.demo.model_server import ModelServer
from tracer.reexecution import tape as tapes

NAMES = ["a", "b", "c", "d", "e", "f"]
URL: list[str] = []  # of the model server of the test under way
PAUSES: list[float] = []  # what the next answers take, where a test cares
OUTSIDE = ThreadPoolExecutor(3)  # made before any run


def jitter() -> Iterator[float]:
    """Pauses that put concurrent answers out of order, the same ones at every execution."""
    drawn = random.Random(7)
    while True:
        yield PAUSES.pop(0) if PAUSES else drawn.uniform(0.0, 0.03)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """Answers equal questions differently, after uneven pauses."""
    numbered = Numbered(jitter())

    def brain(conversation: Conversation) -> Answer:
        time.sleep(0.9 if conversation.users[-1].startswith("slow") else 0)
        return numbered(conversation)

    with ModelServer(latency=False, brain=brain) as running:
        URL[:] = [f"{running.url}/v1"]
        yield running


Ask = Callable[[str], str]
AskLater = Callable[[str], Coroutine[Any, Any, str]]


def asking(server: ModelServer) -> Ask:
    url = f"{server.url}/v1/chat/completions"

    def ask(text: str) -> str:
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        # Without certificates to load a client costs nothing.
        reply = httpx.post(url, json=body, verify=False)
        return str(reply.json()["choices"][0]["message"]["content"])

    return ask


def asking_later(server: ModelServer) -> AskLater:
    url = f"{server.url}/v1/chat/completions"

    async def ask(text: str) -> str:
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        async with httpx.AsyncClient(verify=False) as client:
            reply = await client.post(url, json=body)
        return str(reply.json()["choices"][0]["message"]["content"])

    return ask


async def gathered(ask: AskLater) -> Any:
    return await asyncio.gather(*(ask("same") for _ in NAMES))


async def gathered_twice(ask: AskLater) -> Any:
    async def two(name: str) -> list[str]:
        return [await ask("same"), await ask("same"), *await asyncio.gather(ask("x"), ask("x"))]

    return await asyncio.gather(*(two(name) for name in NAMES[:4]))


async def shared_list(ask: AskLater) -> Any:
    found: list[str] = []

    async def one(name: str) -> None:
        found.append(f"{name} {await ask('same')}")

    async with asyncio.TaskGroup() as group:
        for name in NAMES:
            group.create_task(one(name))
    # What the model is told next depends on the order of arrival.
    return [*found, await ask(" ".join(found))]


async def completed_first(ask: AskLater) -> Any:
    found = [await task for task in asyncio.as_completed([ask(f"ask {n}") for n in NAMES])]
    return [*found, await ask(" ".join(found))]


async def completed_same(ask: AskLater) -> Any:
    found = [await task for task in asyncio.as_completed([ask("same") for _ in NAMES])]
    return [*found, await ask(" ".join(found))]


async def first_wins(ask: AskLater) -> Any:
    # Two that arrive in one turn of the event loop are both done; a replay tells them apart.
    PAUSES[:] = [0.0] + [0.25] * 5
    tasks = [asyncio.create_task(ask("same")) for _ in NAMES]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    winners = sorted(task.result() for task in done)
    return [len(winners) >= 1, await ask(" ".join(winners))]


async def given_up(ask: AskLater) -> Any:
    async def slow() -> str:
        await ask("first")
        await asyncio.sleep(30)
        return await ask("never")

    try:
        await asyncio.wait_for(slow(), 0.3)
    except TimeoutError:
        return await ask("after the timeout")


async def cancelled_request(ask: AskLater) -> Any:
    try:
        async with asyncio.timeout(0.3):
            await asyncio.gather(*(ask(f"slow {n}") for n in range(6)))
    except TimeoutError:
        pass
    return await ask("after")


async def few_at_a_time(ask: AskLater) -> Any:
    gate = asyncio.Semaphore(2)

    async def one(name: str) -> str:
        async with gate:
            return await ask("same")

    return await asyncio.gather(*(one(name) for name in NAMES))


async def workers(ask: AskLater) -> Any:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    found: list[str] = []
    for name in NAMES:
        jobs.put_nowait(name)

    async def work() -> None:
        while not jobs.empty():
            name = jobs.get_nowait()
            found.append(f"{name} {await ask(f'do {name}')}")

    await asyncio.gather(work(), work(), work())
    return [*found, await ask(" ".join(found))]


async def in_threads(ask: AskLater) -> Any:
    def sync(text: str) -> str:
        return asyncio.run(ask(text))

    found = await asyncio.gather(*(asyncio.to_thread(sync, "same") for _ in NAMES))
    loop = asyncio.get_running_loop()
    more = await asyncio.gather(*(loop.run_in_executor(OUTSIDE, sync, "same") for _ in NAMES))
    return [*found, *more]


async def with_the_sdk(_: AskLater) -> Any:
    async with openai.AsyncOpenAI(base_url=URL[0], api_key="k", max_retries=0) as client:

        async def one(text: str) -> str:
            reply = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": text}]
            )
            return reply.choices[0].message.content or ""

        return await asyncio.gather(*(one("same") for _ in NAMES))


async def callbacks(ask: AskLater) -> Any:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.call_later(0.01, lambda: ready.set_result(loop.create_task(ask("from a callback"))))
    return await asyncio.gather(await ready, ask("other"))


def mapped(ask: Ask) -> Any:
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(ask, ["same"] * 6))


def mapped_outside(ask: Ask) -> Any:
    return list(OUTSIDE.map(ask, ["same"] * 6))


def submitted_with_a_copied_context(ask: Ask) -> Any:
    """As LangChain's executors do: the function runs in a copy of its submitter's context."""
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(contextvars.copy_context().run, ask, "same") for _ in NAMES]
        return [job.result() for job in jobs]


def mapped_with_a_copied_context(ask: Ask) -> Any:
    contexts = [contextvars.copy_context() for _ in NAMES]
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(lambda c: c.run(ask, "same"), contexts))


def plain_threads(ask: Ask) -> Any:
    found: dict[int, str] = {}

    def one(n: int) -> None:
        found[n] = ask("same") + ask("same")

    threads = [threading.Thread(target=one, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[n] for n in range(5)]


def thread_order_matters(ask: Ask) -> Any:
    # Apart, because what a thread does after its answer is no step: its order is not recorded.
    PAUSES[:] = [0.1, 0.3, 0.0, 0.2]
    found: list[str] = []
    lock = threading.Lock()

    def one(n: int) -> None:
        text = ask(f"ask {n}")
        with lock:
            found.append(text)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [*found, ask(" ".join(found))]


def first_of_the_pool(ask: Ask) -> Any:
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(ask, f"ask {n}") for n in range(4)]
        order = [job.result() for job in as_completed(jobs)]
        wait(jobs)
    return sorted(order)


def inner_pools(ask: Ask) -> Any:
    def several(n: int) -> list[str]:
        with ThreadPoolExecutor(2) as inner:
            return list(inner.map(ask, ["same", "same"]))

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(several, range(3)))


def timers_and_a_queue(ask: Ask) -> Any:
    box: queue.Queue[str] = queue.Queue()
    timer = threading.Timer(0.01, lambda: box.put(ask("from a timer")))
    timer.start()
    first = ask("main")
    timer.join()
    return [first, box.get(timeout=5)]


ASYNC = [
    gathered, gathered_twice, shared_list, completed_first, completed_same, first_wins, given_up,
    cancelled_request, few_at_a_time, workers, in_threads, with_the_sdk, callbacks,
]  # fmt: skip
THREADED = [
    mapped, mapped_outside, submitted_with_a_copied_context, mapped_with_a_copied_context,
    plain_threads, thread_order_matters, first_of_the_pool, inner_pools, timers_and_a_queue,
]  # fmt: skip


def make(program: Callable[..., Any], server: ModelServer) -> Callable[[], Any]:
    """A program as an agent; calling it runs it to its end."""
    if asyncio.iscoroutinefunction(program):

        @tracer.agent
        async def agent() -> Any:
            return await program(asking_later(server))

        return lambda: asyncio.run(agent())
    ask = asking(server)

    @tracer.agent
    def sync_agent() -> Any:
        return program(ask)

    return sync_agent


@pytest.mark.parametrize("program", [*ASYNC, *THREADED], ids=lambda p: p.__name__)
def test_a_replay_gives_the_same_and_asks_nobody(
    bench: Bench, server: ModelServer, program: Callable[..., Any]
) -> None:
    agent = make(program, server)
    result = agent()
    asked = server.request_count
    for _ in range(4):
        replayed = bench.replay(agent)
        assert (replayed.verdict(), replayed.result) == ((0, None), result)
        assert replayed.run.warnings == ()
        assert set(replayed.sources("model")) == {"recorded"}
    assert server.request_count == asked


@pytest.mark.parametrize("program", [gathered, shared_list, submitted_with_a_copied_context])
def test_twenty_times_over(bench: Bench, server: ModelServer, program: Callable[..., Any]) -> None:
    agent = make(program, server)
    result = agent()
    asked = server.request_count
    started = time.monotonic()
    for _ in range(20):
        replayed = bench.replay(agent)
        assert (replayed.verdict(), replayed.result) == ((0, None), result)
    assert server.request_count == asked
    assert time.monotonic() - started < 30


def test_without_the_place_the_answers_are_permuted(
    bench: Bench, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with a matcher that knows questions only, the test above must fail."""
    agent = make(gathered, server)
    results = [agent()]

    def by_question(self: tapes.Tape, slot: Slot, fingerprint: str, **_: Any) -> tapes.Match:
        with self._lock:
            free = [s for s in self._by_fingerprint[fingerprint] if s.id not in self._used]
            # In the order the answers came, as matchers by hash and occurrence have them.
            step = min(free, key=lambda s: s.end_seq or 0)
            return self._use("exact", step)

    monkeypatch.setattr(tapes.Tape, "match", by_question)
    results += [bench.replay(agent, bench.run().id).result for _ in range(3)]
    assert sorted(results[0]) == sorted(results[1])
    assert any(result != results[0] for result in results[1:])


def test_what_was_cancelled_late_hangs_until_it_is_cancelled_again(bench: Bench) -> None:
    def brain(conversation: Conversation) -> Answer:
        time.sleep(0.0 if conversation.users[-1] == "fast" else 0.6)
        return Answer(conversation.users[-1])

    cancel = [True]

    async def program(ask: AskLater) -> Any:
        tasks = [asyncio.create_task(ask(name)) for name in ("fast", "slow", "slower")]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.15)
        for task in pending:
            if cancel[0]:
                task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return [task.result() for task in done]

    with ModelServer(latency=False, brain=brain) as server:
        agent = make(program, server)
        assert agent() == ["fast"]
        assert [step.status for step in bench.steps("model")] == ["ok", "cancelled", "cancelled"]
        replayed = bench.replay(agent)
        assert (replayed.verdict(), replayed.result) == ((0, None), ["fast"])
        assert replayed.run.warnings == ()
        cancel[0] = False
        started = time.monotonic()
        code, message = bench.replay(agent).verdict()
        assert code == 3 and message is not None
        assert "was cancelled in the recording, the code now waits for its answer" in message
        assert time.monotonic() - started < 15
        assert server.request_count == 3


def test_two_runs_at_once_in_threads_are_two_runs(bench: Bench, server: ModelServer) -> None:
    """Threads made outside any run, as a web server's are: each request is a run of its own."""
    ask = asking(server)
    inside = {name: threading.Event() for name in NAMES}
    all_inside = threading.Barrier(3)

    @tracer.tool
    def look(name: str) -> str:
        return ask(name)

    @tracer.agent
    def agent(name: str) -> list[str]:
        inside[name].set()
        first = look(name)
        all_inside.wait(5)
        return [first, look(name)]

    with ThreadPoolExecutor(3) as pool:
        jobs = []
        for name in NAMES[:3]:  # the next begins while those before it are under way
            jobs.append(pool.submit(agent, name))
            inside[name].wait(5)
        results = [job.result() for job in jobs]
    runs = bench.runs()
    assert len(runs) == 3 and {run.steps for run in runs} == {5}
    for result, name in zip(results, NAMES, strict=False):
        assert [text[0] for text in result] == [name] * 2
    assert scopes._active == []


def test_agents_in_tasks_are_runs_of_their_own(bench: Bench, server: ModelServer) -> None:
    ask = asking_later(server)

    @tracer.agent
    async def agent(name: str) -> list[str]:
        return [*await asyncio.gather(ask(name), ask(name))]

    async def main() -> list[list[str]]:
        return await asyncio.gather(*(agent(name) for name in NAMES[:3]))

    results = asyncio.run(main())
    runs = bench.runs()
    assert [run.steps for run in runs] == [3, 3, 3]
    for run in runs:
        replayed = bench.replay(agent, run.id)
        assert replayed.verdict() == (0, None) and replayed.result in results


def test_a_thread_that_knows_no_run_is_given_the_only_one(
    bench: Bench, server: ModelServer
) -> None:
    """A library's own thread, started before the run, that is handed work through a queue."""
    ask = asking(server)
    jobs: queue.Queue[str | None] = queue.Queue()
    answers: queue.Queue[str] = queue.Queue()

    def serve() -> None:
        while (job := jobs.get()) is not None:
            answers.put(ask(job))

    background = threading.Thread(target=serve, name="library worker #1")
    background.start()

    @tracer.agent
    def agent() -> list[str]:
        found = []
        for name in NAMES[:3]:
            jobs.put(name)
            found.append(answers.get(timeout=5))
        return found

    result = agent()
    steps = bench.steps("model")
    assert [step.slot.path for step in steps] == ["?library-worker--1"] * 3
    asked = server.request_count
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), result)
    assert server.request_count == asked
    jobs.put(None)
    background.join()


def test_uneven_replays_keep_the_recorded_order_of_arrival(
    bench: Bench, server: ModelServer
) -> None:
    """The code's own work takes another time in each replay; what comes first stays first."""
    pauses = itertools.cycle([0.02, 0.0, 0.01])

    async def program(ask: AskLater) -> Any:
        found: list[str] = []

        async def one(name: str) -> None:
            await asyncio.sleep(next(pauses))
            text = await ask(f"ask {name}")
            await asyncio.sleep(0)
            found.append(text)

        await asyncio.gather(*(one(name) for name in NAMES[:4]))
        return [*found, await ask(" ".join(found))]

    agent = make(program, server)
    result = agent()

    def check(replayed: Replayed) -> None:
        assert (replayed.verdict(), replayed.result) == ((0, None), result)

    for _ in range(5):
        next(pauses)
        check(bench.replay(agent))
