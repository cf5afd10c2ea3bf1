"""A watched function is called, inspected and read as before; only its calls are steps."""

import asyncio
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Generator
from types import FunctionType
from typing import Any

import pytest

import tracer
from tests.support.agents import Bench
from tracer.capture.discovery.trampoline import is_watched, watch


def plain(a: int, b: str = "x") -> str:
    """Says both."""
    return f"{a}{b}"


def positional(a: int, /, b: int = 2, *rest: int, c: int = 3, **more: int) -> list[Any]:
    return [a, b, rest, c, more]


def only_keywords(*, a: int, b: int = 5) -> int:
    return a + b


async def later(a: int) -> int:
    await asyncio.sleep(0)
    return a * 2


def items(n: int) -> Generator[int, int | None, None]:
    sent = 0
    while n:
        given = yield n + sent
        sent = given if given is not None else 0
        n -= 1


async def items_later(n: int) -> AsyncIterator[int]:
    for at in range(n):
        await asyncio.sleep(0)
        yield at


def fails(code: int) -> None:
    raise ValueError(f"code {code}")


def closure(x: list[int], y: str) -> FunctionType:
    def inner(a: int) -> str:
        x.append(a)
        return f"{y}{x}"

    assert isinstance(inner, FunctionType)
    return inner


class Base:
    def name(self, n: int) -> str:
        return f"base {n}"


class Derived(Base):
    def name(self, n: int) -> str:
        return super().name(n) + " derived"


CALLS: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
    (plain, (1,), {}),
    (plain, (1,), {"b": "y"}),
    (positional, (1,), {}),
    (positional, (1, 2, 3, 4), {"c": 9, "d": 10}),
    (only_keywords, (), {"a": 1}),
    (later, (4,), {}),
    (items, (3,), {}),
    (items_later, (3,), {}),
]


def fresh(function: Any) -> FunctionType:
    """A copy, so that no test leaves a watched function behind."""
    made = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__,
        function.__closure__,
    )  # fmt: skip
    made.__kwdefaults__ = function.__kwdefaults__
    made.__annotations__ = function.__annotations__
    made.__doc__ = function.__doc__
    return made


async def _all(stream: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in stream]


def came(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = function(*args, **kwargs)
    if inspect.iscoroutine(result):
        return asyncio.run(result)
    if inspect.isasyncgen(result):
        return asyncio.run(_all(result))
    return list(result) if inspect.isgenerator(result) else result


def looks(function: Any) -> list[Any]:
    """What introspection says of a function."""
    return [
        inspect.signature(function), typing.get_type_hints(function), function.__doc__,
        function.__name__, inspect.getsource(function), inspect.getfile(function),
        inspect.iscoroutinefunction(function), inspect.isgeneratorfunction(function),
        inspect.isasyncgenfunction(function), function.__code__.co_firstlineno,
        function.__defaults__, function.__kwdefaults__, function.__code__.co_freevars,
    ]  # fmt: skip


@pytest.mark.parametrize(("function", "args", "kwargs"), CALLS)
def test_the_same_calls_give_the_same(
    bench: Bench, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    watched = fresh(function)
    watch(watched, "the-tool")
    assert looks(watched) == looks(function)
    expected = came(function, args, kwargs)
    assert came(watched, args, kwargs) == expected  # outside any run

    @tracer.agent
    def agent() -> Any:
        return came(watched, args, kwargs)

    assert agent() == expected
    step = bench.step("tool")
    assert (step.name, step.status) == ("the-tool", "ok")
    assert f"{__file__}:" in str(step.callsite)
    assert any(name in str(step.callsite) for name in ("in came", "in _all"))
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), expected)
    assert replayed.sources("tool") == ["recorded"]


def test_a_watched_function_refuses_a_wrong_call_as_before() -> None:
    watched = fresh(positional)
    watch(watched, "positional")
    for args, kwargs in [((), {}), ((), {"a": 1})]:
        with pytest.raises(TypeError) as now:
            watched(*args, **kwargs)
        with pytest.raises(TypeError) as before:
            positional(*args, **kwargs)  # type: ignore[call-arg]
        assert str(now.value) == str(before.value)


def test_closures_and_super_work(bench: Bench) -> None:
    kept: list[int] = []
    function = closure(kept, "y")
    watch(function, "inner")
    method = Derived.__dict__["name"]
    watch(method, "name")

    @tracer.agent
    def agent() -> list[str]:
        return [function(1), function(a=2), Derived().name(3)]

    assert agent() == ["y[1]", "y[1, 2]", "base 3 derived"]
    assert kept == [1, 2]
    assert [bench.value(step, "input") for step in bench.steps("tool")] == [
        {"a": 1}, {"a": 2}, {"n": 3},
    ]  # fmt: skip


def test_sent_values_reach_the_generator(bench: Bench) -> None:
    watched = fresh(items)
    watch(watched, "items")

    @tracer.agent
    def agent() -> list[int]:
        generator = watched(3)
        return [next(generator), generator.send(10), generator.send(20)]

    assert agent() == [3, 12, 21]
    assert bench.step("tool").status == "ok"


def test_an_exception_passes_and_is_recorded(bench: Bench) -> None:
    watched = fresh(fails)
    watch(watched, "fails")
    assert is_watched(watched)

    @tracer.agent
    def agent() -> str:
        try:
            watched(7)
        except ValueError as error:
            return str(error)
        return "nothing"

    assert agent() == "code 7"
    step = bench.step("tool")
    assert step.status == "error" and step.error is not None
    assert step.error.message == "code 7"
