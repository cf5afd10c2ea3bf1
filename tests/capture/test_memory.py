"""Changes a tool makes in the program's memory are noted, and said before it is answered."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

import tracer
from tests.support.agents import Bench, said
from tracer.capture.memory import Watch, changed

CARTS: list[str] = []
counter = 0
SETTINGS = {"deep": {"list": [1]}}


class Shop:
    """An object with a cart."""

    def __init__(self) -> None:
        self.cart: list[str] = []
        self.total = 0.0
        self.client = object()

    @tracer.tool
    def add(self, item: str) -> int:
        self.cart.append(item)
        self.total += 1.5
        return len(self.cart)

    @tracer.tool(effect="local")
    def add_local(self, item: str) -> int:
        self.cart.append(item)
        return len(self.cart)

    @tracer.tool
    def look(self, item: str) -> str:
        return item.upper()

    @tracer.step
    async def choose(self) -> None:
        await asyncio.sleep(0)
        self.choice = "lamp"


@tracer.tool
def globally(item: str) -> None:
    global counter
    CARTS.append(item)
    counter += 1
    SETTINGS["deep"]["list"].append(2)


@tracer.tool
def argument(items: list[str], more: dict[str, Any]) -> None:
    items.append("x")


@tracer.tool
def generated(items: list[str]) -> Iterator[int]:
    yield 1
    items.append("y")


@tracer.tool
def quiet(items: list[str]) -> int:
    local = [*items, *CARTS]
    local.append("z")
    return len(local)


def _changes(bench: Bench) -> list[Any]:
    return [step.detail.get("changed") for step in bench.steps() if step.kind != "agent"]


def test_what_a_call_changed_is_named(bench: Bench) -> None:
    count = 0

    @tracer.tool
    def closure() -> int:
        nonlocal count
        count += 1
        return count

    @tracer.agent
    def agent() -> None:
        shop = Shop()
        shop.add("lamp"), shop.add_local("lamp"), shop.look("lamp")
        asyncio.run(shop.choose())
        globally("a"), argument(["b"], {}), list(generated(["c"])), quiet(["d"]), closure()

    agent()
    assert _changes(bench) == [
        ["self.cart", "self.total"], None, None, ["self.choice"],
        ["CARTS", "counter", "SETTINGS"], ["its argument items"], ["its argument items"], None,
        ["count"],
    ]  # fmt: skip


def test_it_is_said_before_a_fork_and_gone_with_effect_local(bench: Bench) -> None:
    @tracer.model
    def ask(messages: list[dict[str, str]]) -> str:
        return "yes"

    def run(local: bool) -> None:
        @tracer.agent
        def agent() -> int:
            shop = Shop()
            (shop.add_local if local else shop.add)("lamp")
            ask([{"role": "user", "content": "ok?"}])
            return len(shop.cart)

        assert agent() == 1
        with bench.store as store:
            spec = tracer.ReplaySpec(
                "last", model_call=1, substitute=said("no"), script=(__file__,)
            )
            warnings = tracer.plan(store, spec).warnings
        came = bench.fork(agent, said("no"), model_call=1, after="recorded")
        if local:
            assert (warnings, came.result) == ([], 1)
        else:
            assert came.result == 0
            (warning,) = warnings
            assert "(tool add) changed self.cart, self.total in memory" in warning
            assert "declare effect='local'" in warning

    run(local=False)
    run(local=True)


class Stubborn:
    """Raises wherever it is looked at."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError


@pytest.mark.parametrize(
    "value", [[Stubborn()], {"a": Stubborn()}, (1, [Stubborn()]), bytearray(9), {1, 2}, Stubborn()]
)
def test_looking_never_fails(value: Any) -> None:
    def function(given: Any) -> None: ...

    watch = Watch(function, None)
    assert changed(watch.look({"given": value}, None), watch.look({"given": value}, None)) == []


def test_looking_is_bounded() -> None:
    def function(given: Any) -> None: ...

    huge: list[Any] = [list(range(1000)) for _ in range(5000)]
    huge.append(huge)
    watch = Watch(function, None)
    started = time.thread_time()
    before = watch.look({"given": huge}, None)
    assert time.thread_time() - started < 0.05
    huge.append(1)
    assert changed(before, watch.look({"given": huge}, None)) == ["its argument given"]


def test_a_subclass_that_comes_back_as_its_base_is_said(bench: Bench) -> None:
    class Own(dict[str, int]):
        """A dict with more to it."""

    @tracer.tool
    def look() -> dict[str, int]:
        return Own(a=1)

    @tracer.agent
    def agent() -> int:
        return look()["a"]

    agent()
    with bench.store as store:
        warnings = tracer.plan(store, tracer.ReplaySpec("last", script=(__file__,))).warnings
    assert any("comes back as its base class" in warning for warning in warnings)
