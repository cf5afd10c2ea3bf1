"""Decorated functions keep what they were, return and raise what they did, and are recorded."""

import asyncio
import functools
import inspect
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

import tracer
from tests.support.agents import Bench
from tracer import model
from tracer.errors import UsageError

DECORATORS: list[Callable[..., Any]] = [tracer.agent, tracer.tool, tracer.step, model]


def plain(city: str, /, days: int = 3, *, unit: str = "C") -> dict[str, int]:
    """The weather."""
    return {city + unit: days}


async def awaited(city: str) -> str:
    """The weather, later."""
    return city


def pieces(count: int) -> Iterator[int]:
    """Some numbers."""
    yield from range(count)


async def async_pieces(count: int) -> AsyncIterator[int]:
    """Some numbers, later."""
    for number in range(count):
        yield number


@pytest.mark.parametrize("decorator", DECORATORS, ids=lambda d: d.__name__)
@pytest.mark.parametrize("function", [plain, awaited, pieces, async_pieces])
def test_what_frameworks_look_at_stays(
    decorator: Callable[..., Any], function: Callable[..., Any]
) -> None:
    wrapped = decorator(function)
    assert inspect.signature(wrapped) == inspect.signature(function)
    assert wrapped.__annotations__ == function.__annotations__
    assert (wrapped.__doc__, wrapped.__name__, wrapped.__qualname__, wrapped.__module__) == (
        function.__doc__,
        function.__name__,
        function.__qualname__,
        function.__module__,
    )
    for asks in (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        asyncio.iscoroutinefunction,
    ):
        assert asks(wrapped) == asks(function)


def test_outside_a_run_a_tool_is_a_plain_call(bench: Bench) -> None:
    assert tracer.tool(plain)("Oslo", 2, unit="K") == {"OsloK": 2}
    assert asyncio.run(tracer.tool(awaited)("Oslo")) == "Oslo"
    assert list(tracer.step(pieces)(3)) == [0, 1, 2]
    assert asyncio.run(_collect(tracer.tool(async_pieces)(3))) == [0, 1, 2]
    tracer.note("nothing to see")
    assert not bench.database.exists()


async def _collect(items: AsyncIterator[int]) -> list[int]:
    return [item async for item in items]


class Shop:
    """Methods of every kind."""

    name = "lamps"

    @tracer.tool(effect="read")
    def price(self, item: str) -> str:
        return f"{self.name} {item}"

    @tracer.tool
    @classmethod
    def of(cls, item: str) -> str:
        return f"{cls.__name__} {item}"

    @classmethod
    @tracer.tool
    def of_inside(cls, item: str) -> str:
        return f"{cls.__name__} {item}"

    @tracer.tool
    @staticmethod
    def tax(amount: float) -> float:
        return amount / 4

    @staticmethod
    @tracer.tool
    def tax_inside(amount: float) -> float:
        return amount / 4

    @tracer.tool
    async def later(self, item: str) -> str:
        return f"{self.name} {item}"

    @tracer.agent
    def work(self, item: str) -> list[Any]:
        return [
            self.price(item),
            self.of(item),
            Shop.of_inside(item),
            self.tax(4.0),
            Shop.tax_inside(8.0),
            asyncio.run(self.later(item=item)),
        ]


def test_methods_of_every_kind_are_recorded_without_their_self(bench: Bench) -> None:
    expected = ["lamps x", "Shop x", "Shop x", 1.0, 2.0, "lamps x"]
    assert Shop().work("x") == expected
    tools = bench.steps("tool")
    assert [step.name for step in tools] == [
        "price", "of", "of_inside", "tax", "tax_inside", "later",
    ]  # fmt: skip
    assert [bench.value(step) for step in tools] == expected
    inputs = [bench.value(step, "input") for step in tools]
    assert inputs == [{"item": "x"}] * 3 + [{"amount": 4.0}, {"amount": 8.0}, {"item": "x"}]
    assert [step.effect for step in tools] == ["read"] + [None] * 5
    assert bench.replay(Shop().work).verdict() == (0, None)


class Boom(Exception):
    """An exception of the agent's."""


def test_an_exception_passes_as_the_same_object_with_its_traceback(bench: Bench) -> None:
    boom = Boom("no such order")

    @tracer.tool
    def fails() -> None:
        raise boom

    @tracer.agent
    def agent() -> None:
        fails()

    with pytest.raises(Boom) as caught:
        agent()
    assert caught.value is boom
    frames = traceback.extract_tb(boom.__traceback__)
    names = [frame.name for frame in frames if frame.filename == __file__]
    assert names == [
        "test_an_exception_passes_as_the_same_object_with_its_traceback",
        "agent",
        "fails",
    ]
    assert boom.__context__ is None and boom.__cause__ is None
    tool, run = bench.step("tool"), bench.run()
    assert tool.status == "error" and tool.error is not None
    assert tool.error.type == f"{__name__}.Boom" and tool.error.message == "no such order"
    assert "raise boom" in (tool.error.traceback or "")
    assert run.status == "error" and run.error == bench.step("agent").error


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit(3), GeneratorExit])
def test_what_ends_programs_passes_too(bench: Bench, signal: Any) -> None:
    @tracer.agent
    def agent() -> None:
        raise signal

    with pytest.raises((KeyboardInterrupt, SystemExit, GeneratorExit)) as caught:
        agent()
    assert caught.value is signal or isinstance(caught.value, signal)
    assert bench.run().status == ("stopped" if signal is KeyboardInterrupt else "error")


def test_returns_are_the_same_objects(bench: Bench) -> None:
    marker = object()

    @tracer.tool
    def give() -> object:
        return marker

    @tracer.agent
    def agent() -> object:
        return give()

    assert agent() is marker
    assert bench.step("tool").fidelity == "opaque"


def test_calls_are_recorded_as_they_were_made(bench: Bench) -> None:
    @tracer.tool
    def mixed(a: int, /, b: int = 2, *rest: int, key: str = "k", **more: int) -> list[Any]:
        return [a, b, rest, key, more]

    @tracer.tool
    def appends(items: list[int]) -> list[int]:
        items.append(4)
        return items

    @tracer.agent
    def agent() -> None:
        assert mixed(1) == [1, 2, (), "k", {}]
        assert mixed(1, 5, 6, 7, key="x", z=8) == [1, 5, (6, 7), "x", {"z": 8}]
        appends([1]).append(5)
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            mixed()  # type: ignore[call-arg]

    agent()
    first, second, third, fourth = bench.steps("tool")
    assert bench.value(first, "input") == {"a": 1}
    assert bench.value(second, "input") == {
        "a": 1, "b": 5, "rest": [6, 7], "key": "x", "more": {"z": 8},
    }  # fmt: skip
    # A snapshot of the call, and one of the return: later changes don't reach back.
    assert bench.value(third, "input") == {"items": [1]}
    assert bench.value(third) == [1, 4]
    assert fourth.status == "error"


def test_nested_agents_and_steps_have_parents(bench: Bench) -> None:
    @tracer.tool
    def look(word: str) -> str:
        tracer.note("looking", word=word)
        return word.upper()

    @tracer.step
    def choose(word: str) -> str:
        return look(word)

    @tracer.agent(name="helper")
    def inner(word: str) -> str:
        return choose(word)

    @tracer.agent
    def outer() -> str:
        return inner("a") + look("b")

    assert outer() == "AB"
    steps = bench.steps()
    by_id = {step.id: step for step in steps}
    chains = []
    for step in steps:
        names, here = [step.name], step
        while here.parent is not None:
            here = by_id[here.parent]
            names.append(here.name)
        chains.append(names)
    assert chains == [
        ["outer"],
        ["helper", "outer"],
        ["choose", "helper", "outer"],
        ["look", "choose", "helper", "outer"],
        ["looking", "look", "choose", "helper", "outer"],
        ["look", "outer"],
        ["looking", "look", "outer"],
    ]
    assert [step.n for step in steps] == list(range(1, 8))
    assert [step.kind for step in steps].count("note") == 2
    assert bench.value(steps[4], "input") == {"word": "a"}
    run = bench.run()
    assert (run.name, run.status, run.tool_calls) == ("outer", "ok", 2)


def test_a_with_block_is_a_run_and_nested_a_sub_agent(bench: Bench) -> None:
    @tracer.tool
    def double(x: int) -> int:
        return 2 * x

    with tracer.run("nightly", input={"batch": 7}):
        assert double(2) == 4
        with tracer.run("inner"):
            double(3)
    assert double(4) == 8
    with pytest.raises(Boom), tracer.run("broken"):
        raise Boom("x")
    broken, nightly = bench.runs()
    assert (nightly.name, nightly.status, nightly.steps) == ("nightly", "ok", 4)
    assert "7" in nightly.input_text
    assert (broken.status, broken.error and broken.error.message) == ("error", "x")
    with pytest.raises(tracer.errors.CannotReplayError, match="with block"):
        _plan(bench, nightly.id)


def _plan(bench: Bench, run: str) -> None:
    with bench.store as store:
        tracer.plan(store, tracer.ReplaySpec(run))


def test_partials_and_functions_that_hand_back_a_coroutine(bench: Bench) -> None:
    async def fetch(base: str, key: str) -> str:
        await asyncio.sleep(0)
        return base + key

    def hidden(key: str) -> Coroutine[Any, Any, str]:
        return fetch("hidden-", key)

    tools: list[Any] = [
        tracer.tool(name="partial")(functools.partial(fetch, "p-")),
        tracer.tool(hidden),
    ]

    @tracer.agent
    async def agent() -> list[str]:
        return [await tool("k") for tool in tools]

    assert asyncio.run(agent()) == ["p-k", "hidden-k"]
    steps = bench.steps("tool")
    assert [(step.name, bench.value(step)) for step in steps] == [
        ("partial", "p-k"),
        ("hidden", "hidden-k"),
    ]
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), ["p-k", "hidden-k"])


def test_contexts_do_not_leak(bench: Bench) -> None:
    @tracer.tool
    def inside() -> int:
        return 1

    @tracer.agent
    def agent(fail: bool) -> int:
        if fail:
            raise Boom("x")
        return inside()

    agent(False)
    with pytest.raises(Boom):
        agent(True)
    inside()

    async def both() -> None:
        task = asyncio.create_task(asyncio.sleep(0, agent(False)))
        inside()
        await task

    asyncio.run(both())
    inside()
    runs = bench.runs()
    assert [run.steps for run in runs] == [2, 1, 2]


def test_wrong_use_is_refused_with_a_sentence() -> None:
    with pytest.raises(UsageError, match="effect='writes': use one of external, read, local"):
        tracer.tool(effect="writes")  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="decorate the method"):
        tracer.tool(Shop)
    with pytest.raises(TypeError, match="max_step"):
        tracer.agent(max_step=3)  # type: ignore[call-overload]


def test_bounds_stop_an_agent_at_the_step_that_exceeds_them(bench: Bench) -> None:
    @tracer.tool
    def again() -> int:
        return 1

    @tracer.agent(max_steps=4)
    def agent() -> int:
        return sum(again() for _ in range(10))

    with pytest.raises(tracer.LimitReached, match="max_steps=4"):
        agent()
    assert len(bench.steps("tool")) == 4
    assert bench.run().status == "stopped"


def test_switched_off_tracer_is_not_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACER_DISABLED", "1")
    assert tracer.agent(plain) is plain
    assert tracer.tool(effect="read")(awaited) is awaited
