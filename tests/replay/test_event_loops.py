"""uvloop, trio, anyio, loops inside loops, callbacks and thread pools: the same answers go to the
same places, every time."""

import _thread
import asyncio
import contextvars
import queue
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import httpx
import pytest
import trio
import uvloop

import tracer
from tests.support.agents import Bench
from tests.support.servers import Numbered
from tracer.demo.conversation import Answer, Conversation
from tracer.demo.model_server import ModelServer

NAMES = ["a", "b", "c", "d", "e"]
BASE: list[str] = [""]


@pytest.fixture(autouse=True)
def server() -> Iterator[ModelServer]:
    """Answers equal questions differently, after pauses in a new order at every execution.

    They lie apart: which of two answers in one turn of a loop goes on first, is no step's doing.
    """
    drawn = random.Random()

    def pauses() -> Iterator[float]:
        while True:
            yield from (0.025 * n for n in drawn.sample(range(6), 6))

    numbered = Numbered(pauses())

    def brain(conversation: Conversation) -> Answer:
        time.sleep(0.8 if conversation.users[-1].startswith("slow") else 0)
        return numbered(conversation)

    with ModelServer(latency=False, brain=brain) as running:
        BASE[0] = f"{running.url}/v1/chat/completions"
        yield running


def _body(text: str) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def ask(text: str) -> str:
    reply = httpx.post(BASE[0], json=_body(text), verify=False)
    return str(reply.json()["choices"][0]["message"]["content"])


async def ask_later(text: str) -> str:
    async with httpx.AsyncClient(verify=False) as client:
        reply = await client.post(BASE[0], json=_body(text))
    return str(reply.json()["choices"][0]["message"]["content"])


async def gathered() -> Any:
    async def two() -> list[str]:
        return [await ask_later("same"), *await asyncio.gather(ask_later("x"), ask_later("x"))]

    return await asyncio.gather(*(two() for _ in NAMES))


async def grouped() -> Any:
    """anyio's groups, on whatever loop; what is asked next depends on the order of arrival."""
    found: list[str] = []

    async def one(name: str) -> None:
        found.append(f"{name} {await ask_later('same')}")

    async with anyio.create_task_group() as group:
        for name in NAMES:
            group.start_soon(one, name)
    return [*found, await ask_later(" ".join(found))]


async def nested_groups() -> Any:
    found: dict[str, str] = {}

    async def inner(place: str) -> None:
        found[place] = await ask_later("same")

    async def outer(n: int) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(inner, f"{n} first")
            group.start_soon(inner, f"{n} second")

    async with anyio.create_task_group() as group:
        for n in range(4):
            group.start_soon(outer, n)
    return sorted(found.items())


async def started_tasks() -> Any:
    found: list[str] = []

    async def service(name: str, *, task_status: Any) -> None:
        found.append(await ask_later(f"start {name}"))
        task_status.started()
        found.append(await ask_later("same"))

    async with anyio.create_task_group() as group:
        for name in NAMES[:3]:
            await group.start(service, name)
    return found


async def given_up() -> Any:
    with anyio.move_on_after(0.25):
        async with anyio.create_task_group() as group:
            group.start_soon(ask_later, "slow one")
            group.start_soon(ask_later, "slow two")
    return await ask_later("after")


async def first_wins() -> Any:
    winner: list[str] = []

    async def race(name: str, scope: anyio.CancelScope) -> None:
        winner.append(f"{name} {await ask_later('same')}")
        scope.cancel()

    async with anyio.create_task_group() as group:
        for name in NAMES:
            group.start_soon(race, name, group.cancel_scope)
    return [len(winner) > 0, await ask_later(" ".join(winner))]


async def worker_threads() -> Any:
    found: dict[str, list[str]] = {}

    async def one(name: str) -> None:
        found[name] = [await anyio.to_thread.run_sync(ask, "same") for _ in range(2)]
        found[name].append(await anyio.to_thread.run_sync(back, "same"))

    def back(text: str) -> str:
        return anyio.from_thread.run(ask_later, text)

    async with anyio.create_task_group() as group:
        for name in NAMES:
            group.start_soon(one, name)
    return [found[name] for name in NAMES]


async def processes() -> Any:
    done = await anyio.run_process(
        ["sh", "-c", "cat; echo err >&2; exit 3"], input=b"in", check=False
    )
    async with await anyio.open_process(["cat"]) as process:
        assert process.stdin is not None and process.stdout is not None
        heard = []
        for n in range(3):
            await process.stdin.send(b"%d\n" % n)
            heard.append(await process.stdout.receive())
        await process.stdin.aclose()
        return [done.stdout, done.stderr, done.returncode, heard, await process.wait()]


async def process_killed() -> Any:
    process = await anyio.open_process(["sleep", "60"])
    with anyio.move_on_after(0.2):
        await process.wait()
    process.kill()
    return await process.wait()


async def nurseries() -> Any:
    found: list[str] = []

    async def one(name: str) -> None:
        found.append(f"{name} {await ask_later('same')}")

    async with trio.open_nursery() as nursery:
        for name in NAMES:
            nursery.start_soon(one, name)
    more = await trio.to_thread.run_sync(ask, "same")
    done = await trio.run_process(["echo", "trio"], capture_stdout=True)
    return [*found, more, done.stdout, await ask_later(" ".join(found))]


async def callbacks() -> Any:
    """They go off in an order of their own at every execution, and start tasks that ask the same;
    and one that asks by itself."""
    loop = asyncio.get_running_loop()
    made = [loop.create_future() for _ in range(5)]

    def call(n: int) -> None:
        made[n].set_result(loop.create_task(ask_later("same")))

    for n, pause in enumerate(random.sample(range(4), 4)):
        loop.call_later(0.005 * pause, call, n)
    loop.call_at(loop.time() + 0.3, lambda: made[4].set_result(ask("same")))
    return [await (await future) if n < 4 else await future for n, future in enumerate(made)]


async def executors() -> Any:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(3) as pool:
        own = await asyncio.gather(*(loop.run_in_executor(pool, ask, "same") for _ in NAMES))
    return [own, await asyncio.gather(*(loop.run_in_executor(None, ask, "same") for _ in NAMES))]


async def asyncio_processes() -> Any:
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", "read x; echo $x; exit 4", stdin=-1, stdout=-1
    )
    said = await process.communicate(b"hello\n")
    shell = await asyncio.create_subprocess_shell(
        "echo a; sleep 60", stdout=-1, start_new_session=True
    )
    assert shell.stdout is not None
    line = await shell.stdout.readline()
    shell.kill()
    with pytest.raises(FileNotFoundError):
        await asyncio.create_subprocess_exec("no-such-command")
    return [said, process.returncode, line, shell.returncode]


def with_nest_asyncio() -> Any:
    import nest_asyncio

    def sync(text: str) -> str:
        return asyncio.get_event_loop().run_until_complete(ask_later(text))

    async def main() -> Any:
        async def one() -> list[str]:
            return [sync("same"), await ask_later("same")]

        return [sync("same"), *await asyncio.gather(*(one() for _ in NAMES[:3]))]

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    nest_asyncio.apply(loop)
    try:
        return loop.run_until_complete(main())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def pool_of_threads() -> Any:
    with ThreadPool(3) as pool:
        return [
            pool.map(ask, ["same"] * 6),
            pool.starmap(ask, [("same",)] * 3),
            list(pool.imap(ask, ["same"] * 3)),
            pool.apply(ask, ("same",)),
            [job.get() for job in [pool.apply_async(ask, ("same",)) for _ in NAMES]],
        ]


def timers() -> Any:
    found: dict[int, str] = {}

    def one(n: int) -> None:
        found[n] = ask("same")

    made = [threading.Timer(random.uniform(0.0, 0.05), one, (n,)) for n in range(4)]
    for timer in made:
        timer.start()
    for timer in made:
        timer.join()
    return [found[n] for n in range(4)]


def bare_threads() -> Any:
    box: queue.Queue[tuple[int, str]] = queue.Queue()
    for n in range(4):
        _thread.start_new_thread(lambda n: box.put((n, ask("same"))), (n,))
    return sorted(box.get(timeout=10) for _ in range(4))


def without_a_context() -> Any:
    """A thread that starts in an empty context, as callbacks of C libraries do."""
    found: list[str] = []
    thread = threading.Thread(
        target=lambda: found.append(contextvars.Context().run(ask, "lost")), name="lost"
    )
    thread.start()
    thread.join()
    return [*found, ask("main")]


def processes_in_a_pool() -> Any:
    def one(_: int) -> bytes:
        return subprocess.check_output(["cat", "/proc/sys/kernel/random/uuid"])

    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(one, range(6)))


def on_uvloop(program: Any) -> Any:
    return uvloop.run(program())


def on_anyio(program: Any) -> Any:
    return anyio.run(program)


def on_anyio_with_uvloop(program: Any) -> Any:
    return anyio.run(program, backend_options={"use_uvloop": True})


def on_anyio_with_trio(program: Any) -> Any:
    return anyio.run(program, backend="trio")


def on_trio(program: Any) -> Any:
    return trio.run(program)


def on_asyncio(program: Any) -> Any:
    return asyncio.run(program())


def on_eager_tasks(program: Any) -> Any:
    """Tasks that run at once, up to their first wait."""

    async def main() -> Any:
        asyncio.get_running_loop().set_task_factory(EAGER)
        return await program()

    return asyncio.run(main())


def directly(program: Any) -> Any:
    return program()


EAGER: Any = getattr(asyncio, "eager_task_factory", None)  # from Python 3.12 on
GROUPS = [grouped, nested_groups, started_tasks, given_up, first_wins, worker_threads, processes,
          process_killed]  # fmt: skip
CASES = [
    *((on_uvloop, p) for p in (gathered, callbacks, executors, asyncio_processes)),
    *((on_asyncio, p) for p in (callbacks, executors)),
    *((on_anyio, p) for p in GROUPS),
    *((on_anyio_with_trio, p) for p in GROUPS),
    *((on_anyio_with_uvloop, p) for p in (grouped, worker_threads, processes, process_killed)),
    (on_trio, nurseries),
    *((on_eager_tasks, p) for p in (gathered, grouped, nested_groups, executors) if EAGER),
    *((directly, p) for p in (with_nest_asyncio, pool_of_threads, timers, bare_threads,
                              without_a_context, processes_in_a_pool)),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # nest_asyncio's own
@pytest.mark.parametrize(
    ("run", "program"), CASES, ids=[f"{p.__name__}-{r.__name__}" for r, p in CASES]
)
def test_a_replay_gives_the_same_and_asks_nobody(
    bench: Bench, server: ModelServer, run: Callable[[Any], Any], program: Any
) -> None:
    @tracer.agent
    def agent() -> Any:
        return run(program)

    result = agent()
    asked = server.request_count
    agents = bench.steps("agent")
    assert {step.parent for step in bench.steps() if step.kind != "agent"} == {agents[0].id}
    for _ in range(3):
        replayed = bench.replay(agent)
        assert (replayed.verdict(), replayed.result) == ((0, None), result)
        assert replayed.run.warnings == ()
        assert set(replayed.sources("model", "tool")) == {"recorded"}
    assert server.request_count == asked
