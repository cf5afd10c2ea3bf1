"""Concurrent agents replay exactly: recorded with random latencies, every answer different even
to equal questions, then re-executed with the server gone.

Each scenario prints what it computed from the answers and their order. Switching the mechanism off
(slots without paths, no gate) makes the negative controls at the end fail, as they must.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.agents import Bench
from tests.support.processes import Desk
from tests.support.servers import Exchange, OddServer
from tracer.capture import runtime

REPLAYS = int(os.environ.get("TRACER_TEST_REPLAYS", "3"))  # 50 says more, and takes minutes

SCENARIOS = """
import functools, contextvars, queue
from concurrent.futures import ThreadPoolExecutor, wait, FIRST_COMPLETED

client = None
async def aask(text):
    reply = await client.post(BASE + "/chat/completions", json=body(text), headers=KEY)
    return reply.json()["choices"][0]["message"]["content"]

@tracer.tool(effect="external")
def pay(who):
    ledger("pay", who)
    return {"paid": who}

async def gather():
    return await asyncio.gather(*(aask("same") for _ in range(6)))

async def shared_list():
    found = []
    async def work(n):
        found.append(await aask("same"))
        found.append(await aask(f"then {len(found)}"))
    async with asyncio.TaskGroup() as group:
        for n in range(4):
            group.create_task(work(n))
    return found + [await aask(" ".join(found))]

async def nested():
    async def inner(n):
        return await asyncio.gather(aask("x"), aask("x"), asyncio.to_thread(pay, n))
    return await asyncio.gather(*(inner(n) for n in range(3)))

async def as_completed():
    found = []
    for next_one in asyncio.as_completed([aask("same"), aask("same"), aask("other")]):
        found.append(await next_one)
    return found

async def first_completed():
    tasks = [asyncio.create_task(aask(f"race {n}")) for n in range(3)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return [task.result() for task in done] + [await aask("after")]

async def timed_out():
    try:
        await asyncio.wait_for(aask("sleep"), 0.3)
    except TimeoutError:
        return ["gave up", await aask("after")]

async def workers():
    jobs, found = asyncio.Queue(), []
    for n in range(9):
        jobs.put_nowait(n)
    async def worker(name):
        while not jobs.empty():
            n = jobs.get_nowait()
            found.append((name, n, await aask(f"job {n}")))
    await asyncio.gather(*(worker(w) for w in "abc"))
    return found

async def semaphore():
    limit = asyncio.Semaphore(2)
    async def one():
        async with limit:
            return await aask("same")
    return await asyncio.gather(*(one() for _ in range(5)))

def pool_map():
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(lambda n: ask("same"), range(6)))

def raw_threads():
    found, lock = [], threading.Lock()
    def work(n):
        text = ask("same")
        with lock:
            found.append((n, text))
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return found + [ask(str(found))]

def copied_context():
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(contextvars.copy_context().run, ask, "same") for _ in range(8)]
        return [call.result() for call in calls]

def pool_of_pools():
    def outer(n):
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda k: ask("deep"), range(2)))
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(outer, range(3)))

early = ThreadPoolExecutor(2)
early.submit(time.sleep, 0).result()   # its threads are older than any agent
def old_pool():
    return [f.result() for f in [early.submit(ask, "same") for _ in range(4)]]

def loop_in_thread():
    async def many():
        global client
        async with httpx.AsyncClient() as client:
            return await asyncio.gather(aask("same"), aask("same"))
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, many()).result()

@tracer.agent
def agent(name):
    scenario = globals()[name]
    if not asyncio.iscoroutinefunction(scenario):
        return json.dumps(scenario())
    async def main():
        global client
        async with httpx.AsyncClient() as client:
            return json.dumps(await scenario())
    return asyncio.run(main())

print(agent(sys.argv[1]))
"""
NAMES = [
    "gather",
    "shared_list",
    "nested",
    "as_completed",
    "first_completed",
    "timed_out",
    "workers",
    "semaphore",
    "pool_map",
    "raw_threads",
    "copied_context",
    "pool_of_pools",
    "old_pool",
    "loop_in_thread",
]


class Jitter:
    """Answers "<words> #<number>" after a random pause; "sleep" takes for ever.

    Pauses lie apart: what a thread does between its answer and its next step is no step, so two
    that are told at once may go on in an order that nobody recorded.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._pauses: list[float] = []
        self._lock = threading.Lock()

    def _pause(self) -> float:
        with self._lock:
            if not self._pauses:
                self._pauses = [0.025 * n for n in range(8)]
                self._random.shuffle(self._pauses)
            return self._pauses.pop()

    def __call__(self, exchange: Exchange) -> None:
        words = exchange.asked.json["messages"][-1]["content"]
        time.sleep(1.0 if words == "sleep" else self._pause())
        exchange.say(f"{words[-40:]} #{exchange.number}")


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer(Jitter(7)) as odd:
        yield odd


@pytest.mark.torture
@pytest.mark.parametrize("name", NAMES)
def test_replays_exactly(desk: Desk, server: OddServer, name: str) -> None:
    desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
    desk.load()
    script = desk.write("agent.py", SCENARIOS)
    recorded = desk.record(script, name)
    assert recorded.code == 0, recorded.err
    paid = desk.ledger()
    asked = server.count
    for _ in range(REPLAYS):
        came = desk.replay()
        assert (came.code, came.message) == (0, None), came.divergences or came.err
        assert came.out == recorded.out
        assert came.divergences == []
    assert server.count == asked, "a replay asked the server"
    assert desk.ledger() == paid, "a replay paid again"


def _six_equal_questions(base: str) -> list[str]:
    """A gather of equal questions, in this process; what each branch was told."""
    import asyncio

    import httpx2

    async def main() -> list[str]:
        async with httpx2.AsyncClient() as client:

            async def ask(branch: int) -> str:
                # Branches reach the model in another order than they were created in.
                await asyncio.sleep(0.01 * ((branch * 5) % 6))
                question = {"model": "m", "messages": [{"role": "user", "content": "same"}]}
                reply = await client.post(f"{base}/v1/chat/completions", json=question)
                return str(reply.json()["choices"][0]["message"]["content"])

            return list(await asyncio.gather(*(ask(branch) for branch in range(6))))

    return asyncio.run(main())


def test_the_path_is_what_tells_equal_questions_apart(
    bench: Bench, server: OddServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: a matcher that ignores paths gives branches each other's answers."""
    import tracer
    from tracer.core.records import Slot
    from tracer.reexecution import inprocess
    from tracer.reexecution.tape import Match, Tape

    turn = iter([0, 0])

    @tracer.agent
    def agent() -> list[str]:
        next(turn, None)
        return _six_equal_questions(server.url)

    told = agent()
    runtime.flush()
    assert len(set(told)) == 6
    run = bench.run()
    assert inprocess.replay(run.id, agent=agent).result == told

    def by_content_only(self: Tape, slot: Slot, fingerprint: str, *, write_tool: bool) -> Match:
        free = [s for s in self.steps if s.fingerprint == fingerprint and s.id not in self._used]
        return self._use("exact", min(free, key=lambda s: s.n))

    monkeypatch.setattr(Tape, "match", by_content_only)
    monkeypatch.setattr("tracer.reexecution.gate.Gate.wait_async", _no_wait)
    shuffled = inprocess.replay(run.id, agent=_reversed_agent(server.url))
    assert sorted(shuffled.result) == sorted(told)
    assert shuffled.result != told


async def _no_wait(self: object, sequence: int | None) -> None:
    return None


def _reversed_agent(base: str) -> Callable[[], list[str]]:
    """The same branches, which reach the model in yet another order: timing, not code."""
    import asyncio

    import httpx2

    import tracer

    @tracer.agent(name="agent")
    def agent() -> list[str]:
        async def main() -> list[str]:
            async with httpx2.AsyncClient() as client:

                async def ask(branch: int) -> str:
                    await asyncio.sleep(0.01 * (6 - branch))
                    question = {"model": "m", "messages": [{"role": "user", "content": "same"}]}
                    reply = await client.post(f"{base}/v1/chat/completions", json=question)
                    return str(reply.json()["choices"][0]["message"]["content"])

                return list(await asyncio.gather(*(ask(branch) for branch in range(6))))

        return asyncio.run(main())

    return agent


def test_without_the_gate_completion_order_is_lost(
    desk: Desk, server: OddServer, tmp_path: Path
) -> None:
    """The negative control of the gate: answers served at once come in the order of asking."""
    desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
    script = desk.write("agent.py", SCENARIOS)
    recorded = desk.record(script, "workers")
    assert recorded.code == 0, recorded.err
    assert desk.replay().out == recorded.out
    off = desk.write(
        "sitecustomize.py",
        "import os\n"
        "if os.environ.get('NO_GATE'):\n"
        "    from tracer.reexecution import gate\n"
        "    async def nothing(self, sequence): pass\n"
        "    gate.Gate.wait_async = nothing\n",
        prelude=False,
    )
    env = {"NO_GATE": "1", "PYTHONPATH": f"{off.parent}:{Path(__file__).parents[2]}"}
    came = desk.fork(None, env=env)
    assert came.out != recorded.out
