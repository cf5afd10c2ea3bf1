"""The generic part of framework seams: what a watched method records, and how it is answered."""

import asyncio
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import tracer
from tests.support.agents import Bench
from tracer.capture import seams
from tracer.capture.frameworks.seam import (
    Agent,
    Tool,
    before,
    parsed,
    shown,
    watch,
    watch_context,
    watch_handle,
    watch_overrides,
    wrapped,
)
from tracer.capture.frameworks.state import State
from tracer.cli import doctor_seams


class Toolbox:
    """A framework's tool: `call` runs the user's function, `acall` the same in its async form."""

    def __init__(self, function: Any, name: str = "look") -> None:
        self.function, self.name, self.ran = function, name, 0
        self.context: dict[str, Any] = {"seen": []}

    def call(self, **given: Any) -> Any:
        self.ran += 1
        return self.function(**given)

    async def acall(self, **given: Any) -> Any:
        return self.call(**given)


def _describe(self: Toolbox, **given: Any) -> Tool:
    state = State(context=self.context)
    return Tool(self.name, given, self.function, "call_1", about=self, state=state)


@pytest.fixture
def toolbox() -> type[Toolbox]:
    """A class of this test's own, watched."""

    class Own(Toolbox):
        call = Toolbox.call
        acall = Toolbox.acall

    watch(Own, "call", _describe)
    watch(Own, "acall", _describe)
    return Own


def test_a_watched_tool_is_one_step_and_is_served(bench: Bench, toolbox: type[Toolbox]) -> None:
    box = toolbox(lambda city: f"sunny in {city}")

    @tracer.agent
    def agent() -> str:
        return str(box.call(city="Berlin"))

    assert agent() == "sunny in Berlin"
    step = bench.step("tool")
    assert (step.name, step.detail["tool_call_id"]) == ("look", "call_1")
    assert (bench.value(step, "input"), bench.value(step)) == (
        {"city": "Berlin"},
        "sunny in Berlin",
    )
    again = bench.replay(agent)
    assert (again.exit_code, again.result, box.ran) == (0, "sunny in Berlin", 1)


def test_the_async_form_that_calls_the_other_is_the_same_call(
    bench: Bench, toolbox: type[Toolbox]
) -> None:
    box = toolbox(lambda city: city)

    @tracer.agent
    async def agent() -> str:
        return str(await box.acall(city="Berlin"))

    assert asyncio.run(agent()) == "Berlin"
    assert len(bench.steps("tool")) == 1


def test_another_call_inside_is_a_step_of_its_own(bench: Bench, toolbox: type[Toolbox]) -> None:
    inner = toolbox(lambda city: city, "inner")
    outer = toolbox(lambda city: inner.call(city=city), "outer")
    deeper = toolbox(None, "deeper")
    deeper.function = lambda depth: depth and deeper.call(depth=depth - 1)

    @tracer.agent
    def agent() -> None:
        outer.call(city="Berlin")
        deeper.call(depth=2)

    agent()
    assert [s.name for s in bench.steps("tool")] == ["outer", "inner", "deeper", "deeper", "deeper"]


def test_a_decorated_function_is_recorded_once_with_its_effect(
    bench: Bench, toolbox: type[Toolbox]
) -> None:
    @tracer.tool(effect="read")
    def find(city: str) -> str:
        return city

    box = toolbox(find)

    @tracer.agent
    def agent() -> None:
        box.call(city="Berlin")
        find("Paris")

    agent()
    first, second = bench.steps("tool")
    assert (first.name, first.effect, first.detail.get("tool_call_id")) == (
        "find",
        "read",
        "call_1",
    )
    assert "tool_call_id" not in second.detail


def test_what_a_tool_writes_to_its_context_is_put_back(
    bench: Bench, toolbox: type[Toolbox]
) -> None:
    box = toolbox(None)

    def see(city: str) -> None:
        box.context["seen"].append(city)

    box.function = see

    @tracer.agent
    def agent() -> list[str]:
        seen: list[str] = []
        box.context["seen"] = seen
        box.call(city="Berlin")
        return list(seen)

    assert agent() == ["Berlin"]
    again = bench.replay(agent)
    assert (again.exit_code, again.result, box.ran) == (0, ["Berlin"], 1)


def test_what_cannot_be_put_back_is_named(bench: Bench, toolbox: type[Toolbox]) -> None:
    box = toolbox(None)
    box.function = lambda: box.context.update(lock=object())

    @tracer.agent
    def agent() -> None:
        box.call()

    agent()
    assert "context.lock" in bench.step("tool").detail["changed"]


def test_what_is_too_large_to_keep_is_named(bench: Bench, toolbox: type[Toolbox]) -> None:
    """It is looked at before and after each call, so only its beginning is."""
    box = toolbox(None)
    box.context.update(rows=list(range(1_000_000)), text="x" * 10_000_000)
    box.function = lambda: box.context["rows"].insert(0, 1)

    @tracer.agent
    def agent() -> None:
        box.call()

    agent()
    detail = bench.step("tool").detail
    assert detail["changed"] == ["context.rows"] and "state" not in detail


def test_a_function_that_is_watched_again_is_the_same() -> None:
    """Some are met at each of their calls, and must not get a layer more each time."""

    def look(city: str) -> str:
        return city

    once = wrapped(look, lambda city: Tool("look", {"city": city}))
    assert wrapped(once, lambda city: Tool("other", {"city": city})) is once


def test_tracebacks_read_as_without_tracer(bench: Bench, toolbox: type[Toolbox]) -> None:
    """Agents put them into prompts."""

    def fails(city: str) -> str:
        raise ValueError(city)

    box = toolbox(fails)
    decorated = tracer.tool(fails)
    frames = list[list[str]]()

    @tracer.agent
    async def agent() -> None:
        for call in (box.call, box.acall, decorated):
            try:
                came = call(city="Berlin")
                if asyncio.iscoroutine(came):
                    await came
            except ValueError as error:
                frames.append([frame.name for frame in traceback.extract_tb(error.__traceback__)])

    asyncio.run(agent())
    assert frames == [
        ["agent", "call", "fails"],
        ["agent", "acall", "call", "fails"],
        ["agent", "fails"],
    ]


class Runner:
    """A framework's agent, in the forms that runs have."""

    def stream(self, asked: str) -> Iterator[str]:
        yield "first"
        yield asked

    @asynccontextmanager
    async def session(self, asked: str) -> AsyncIterator[str]:
        yield asked

    def start(self, asked: str) -> "asyncio.Task[str]":
        return asyncio.create_task(asyncio.sleep(0, asked))


def test_runs_in_every_form_are_agents(bench: Bench) -> None:
    def describe(self: Runner, asked: str) -> Agent:
        return Agent("runner", {"asked": asked}, self)

    class Own(Runner):
        stream = Runner.stream
        session = Runner.session
        start = Runner.start

    watch(Own, "stream", describe)
    watch_context(Own, "session", describe)
    watch_handle(Own, "start", describe, lambda handle: handle)

    @tracer.agent
    async def agent() -> None:
        assert list(Own().stream("a")) == ["first", "a"]
        async with Own().session("b") as value:
            tracer.note("inside")
        assert value == "b"
        assert await Own().start("c") == "c"
        await asyncio.sleep(0)

    asyncio.run(agent())
    steps = {step.id: step for step in bench.steps()}
    runs = [step for step in steps.values() if step.name == "runner"]
    assert [bench.value(step) for step in runs] == ["a", "b", "c"]
    assert [bench.value(step, "input") for step in runs] == [{"asked": v} for v in "abc"]
    (note,) = bench.steps("note")
    assert steps[note.parent or ""] is runs[1]


def test_classes_to_come_are_watched_too(bench: Bench) -> None:
    class Base:
        def run(self, city: str) -> str:
            return city

    class Early(Base):
        def run(self, city: str) -> str:
            return super().run(city).upper()

    def describe(self: Base, city: str) -> Tool:
        return Tool(type(self).__name__, {"city": city}, about=self)

    watch_overrides(Base, "run", describe)

    class Late(Base):
        def run(self, city: str) -> str:
            return city[::-1]

    @tracer.agent
    def agent() -> list[str]:
        return [Early().run("a"), Late().run("bc")]

    assert agent() == ["A", "cb"]
    assert [step.name for step in bench.steps("tool")] == ["Early", "Late"]


def test_a_fault_of_a_description_disturbs_nobody(bench: Bench) -> None:
    def describe(city: str) -> Tool:
        raise KeyError(city)

    class Holder:
        def run(self, city: str) -> str:
            return city

    before(Holder, "run", lambda *args: 1 / 0)  # type: ignore[arg-type]
    look = wrapped(lambda city: city, describe)

    @tracer.agent
    def agent() -> str:
        return Holder().run(city="a") + look(city="b")  # type: ignore[no-any-return]

    assert agent() == "ab"
    assert bench.steps("tool") == []


@pytest.fixture
def framework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A framework installed in a folder of this test's, of a version that has other names."""
    site = tmp_path / "site-packages"
    (site / "oddframe").mkdir(parents=True)
    (site / "oddframe" / "__init__.py").write_text("")
    (site / "oddframe" / "tools.py").write_text("class Tool:\n    def launch(self): ...\n")
    info = site / "oddframe-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: oddframe\nVersion: 2.0\n")
    seam = seams.Seam("oddframe", "oddframe.tools", ("Tool.run",), "none:patch", "tools")
    monkeypatch.setattr(seams, "SEAMS", (*seams.SEAMS, seam))
    monkeypatch.setattr(doctor_seams, "SEAMS", (seam,))
    monkeypatch.setattr(seams, "changed", {})
    monkeypatch.setattr(seams, "_watching", False)
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[:])
    monkeypatch.syspath_prepend(str(site))
    yield site
    for name in ("oddframe", "oddframe.tools"):
        sys.modules.pop(name, None)


def test_a_framework_that_has_changed_is_said(bench: Bench, framework: Path) -> None:
    @tracer.agent
    def agent() -> None:
        __import__("oddframe.tools")

    agent()
    (warning,) = bench.run().warnings
    assert "no oddframe.tools.Tool.run" in warning
    captured, why = doctor_seams.watched("oddframe")
    assert not captured
    assert why.startswith("changed: ")


def test_arguments_and_objects_as_plain_data() -> None:
    assert parsed('{"a": 1}') == parsed({"a": 1}) == {"a": 1}
    assert parsed("not json") == {"input": "not json"}
    assert parsed("") == parsed(None) == {}
    assert shown({"a": object(), 1: (2, {3})}) == {"a": "<object>", "1": [2, [3]]}
