"""Generators keep their protocol while they are recorded, and are given again as they went."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

import tracer
from tests.support.agents import Bench

cleaned: list[str] = []


class Hint(Exception):
    """Thrown into generators."""


@tracer.tool
def talk(start: int) -> Generator[int, str | None, str]:
    """Yields numbers, is told words, returns them joined."""
    heard: list[str] = []
    try:
        for number in range(start, start + 3):
            try:
                word = yield number
            except Hint as hint:
                word = f"<{hint}>"
                heard.append(word)
                yield -1
                continue
            heard.append(word or "-")
    finally:
        cleaned.append("talk")
    return " ".join(heard)


@tracer.tool
async def talk_later(start: int) -> AsyncGenerator[int, str | None]:
    """The same, later."""
    try:
        for number in range(start, start + 3):
            await asyncio.sleep(0)
            try:
                word = yield number
            except Hint:
                yield -1
                continue
            if word == "double":
                yield 2 * number
    finally:
        cleaned.append("talk_later")


@tracer.tool
def breaks() -> Generator[int, None, None]:
    """Two items, then an error."""
    yield 1
    yield 2
    raise Hint("third")


@tracer.tool
def listed() -> Generator[list[int], None, None]:
    """Yields the same list again and again."""
    items: list[int] = []
    for number in range(3):
        items.append(number)
        yield items


def _all_of(generator: Generator[Any, Any, Any]) -> tuple[list[Any], Any]:
    items = []
    while True:
        try:
            items.append(next(generator))
        except StopIteration as stop:
            return items, stop.value


@tracer.agent
def plain_reader() -> Any:
    return _all_of(talk(1))


@tracer.agent
def sender() -> Any:
    generator = talk(1)
    return [next(generator), generator.send("a"), generator.throw(Hint("h")), next(generator)]


@tracer.agent
def delegating() -> Any:
    def middle() -> Generator[int, str | None, str]:
        return (yield from talk(5))

    return _all_of(middle())


@tracer.agent
def failing() -> Any:
    seen = []
    try:
        for item in breaks():
            seen.append(item)
    except Hint as hint:
        return seen, str(hint)


@tracer.agent
def breaking_off() -> Any:
    generator = talk(1)
    for item in generator:
        if item == 2:
            generator.close()
            return item
    return None


@tracer.agent
def changing() -> Any:
    return [list(items) for items in listed()]


@tracer.agent
async def async_reader() -> Any:
    return [item async for item in talk_later(1)]


@tracer.agent
async def async_sender() -> Any:
    generator = talk_later(1)
    seen = [await anext(generator), await generator.asend("double")]
    seen += [await anext(generator), await generator.athrow(Hint("h"))]
    await generator.aclose()
    return seen


def _run(agent: Callable[..., Any]) -> Any:
    result = agent()
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


CASES = [
    (plain_reader, ([1, 2, 3], "- - -"), [1, 2, 3]),
    (sender, [1, 2, -1, 3], [1, 2, -1, 3]),
    (delegating, ([5, 6, 7], "- - -"), [5, 6, 7]),
    (failing, ([1, 2], "third"), [1, 2]),
    (breaking_off, 2, [1, 2]),
    (changing, [[0], [0, 1], [0, 1, 2]], [[0], [0, 1], [0, 1, 2]]),
    (async_reader, [1, 2, 3], [1, 2, 3]),
    (async_sender, [1, 2, 2, -1], [1, 2, 2, -1]),
]


@pytest.mark.parametrize(
    ("agent", "result", "items"), CASES, ids=lambda c: getattr(c, "__name__", "")
)
def test_a_generator_works_is_recorded_and_given_again(
    bench: Bench, agent: Callable[..., Any], result: Any, items: list[Any]
) -> None:
    assert _run(agent) == result
    gc.collect()
    step = bench.step("tool")
    assert bench.value(step) == items
    cleaned.clear()
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), result)
    assert cleaned == [], "the tool's own code ran in a replay"
    again = bench.replay(agent, replayed.run.id)
    assert (again.verdict(), again.result) == ((0, None), result)


def test_a_generator_nobody_finishes_is_a_step_with_what_it_gave(bench: Bench) -> None:
    @tracer.agent
    def agent() -> int:
        return next(talk(1))

    cleaned.clear()
    assert agent() == 1
    gc.collect()
    assert cleaned == ["talk"]
    step = bench.step("tool")
    assert (step.status, bench.value(step), step.detail["abandoned"]) == ("ok", [1], True)
    assert bench.replay(agent).verdict() == (0, None)


@pytest.mark.parametrize(
    ("words", "stop_after", "says"),
    [
        (["a", "b"], 3, "read on past the point"),
        (["a", "c"], 2, "sent something else"),
        (["a", Hint("b")], 2, "sent something else"),
        ([None, "b"], 2, "sent something else"),
    ],
)
def test_another_conversation_with_a_generator_is_a_divergence(
    bench: Bench, words: list[Any], stop_after: int, says: str
) -> None:
    given: list[Any] = [["a", "b"], 2]

    @tracer.agent
    def agent() -> list[int]:
        generator = talk(1)
        seen = [next(generator)]
        words, count = given
        for word in words:
            seen.append(generator.throw(word) if isinstance(word, Hint) else generator.send(word))
        for _ in range(count - 2):
            next(generator, None)
        generator.close()
        return seen

    assert agent() == [1, 2, 3]
    given[:] = [words, stop_after]
    code, message = bench.replay(agent).verdict()
    assert code == 3 and message is not None and says in message


def test_scopes_follow_a_generator_not_its_consumer(bench: Bench) -> None:
    @tracer.tool
    def inner(word: str) -> str:
        return word

    @tracer.tool
    def source() -> Generator[str, None, None]:
        yield inner("a")
        yield inner("b")

    @tracer.agent
    def agent() -> list[str]:
        one, two = source(), source()
        return [next(one), inner("x"), next(two), next(one), inner("y"), next(two)]

    assert agent() == ["a", "x", "a", "b", "y", "b"]
    paths = [(step.name, step.slot.path, step.slot.ordinal) for step in bench.steps("tool")]
    assert paths == [
        ("source", "agent1", 1),
        ("inner", "agent1/tool1", 1),
        ("inner", "agent1", 2),
        ("source", "agent1", 3),
        ("inner", "agent1/tool3", 1),
        ("inner", "agent1/tool1", 2),
        ("inner", "agent1", 4),
        ("inner", "agent1/tool3", 2),
    ]
    assert bench.replay(agent).verdict() == (0, None)


def test_agents_can_be_generators(bench: Bench) -> None:
    @tracer.agent
    def sync_agent() -> Generator[int, None, str]:
        yield from talk(1)
        return "end"

    @tracer.agent
    async def async_agent() -> AsyncGenerator[int, None]:
        async for item in talk_later(1):
            yield item

    assert _all_of(sync_agent()) == ([1, 2, 3], "end")
    run = bench.run()
    assert (run.status, bench.value(bench.step("agent"))) == ("ok", [1, 2, 3])
    assert bench.replay(sync_agent).verdict() == (0, None)

    async def read() -> list[int]:
        return [item async for item in async_agent()]

    assert asyncio.run(read()) == [1, 2, 3]
    assert bench.run().name == "async_agent"
    assert bench.replay(async_agent).verdict() == (0, None)
    # Nothing of either run is left over for what comes after.
    talk(1)
    assert len(bench.runs()) == 4


def test_an_answered_generator_does_not_hold_up_what_happens_between_its_items(
    bench: Bench,
) -> None:
    @tracer.tool
    def look(item: int) -> int:
        return item * 10

    @tracer.agent
    def agent() -> list[int]:
        return [look(item) for item in talk(1)]

    assert agent() == [10, 20, 30]
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.run.warnings) == ((0, None), ())
