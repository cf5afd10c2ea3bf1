"""Agents recorded and re-executed in this process: `Bench`, and the fixture that gives one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tracer.capture import config, runtime
from tracer.capture.values import plain
from tracer.core.records import Run, Step, StepKind
from tracer.reexecution.inprocess import Reexecution, _reexecute
from tracer.reexecution.session import ReplaySpec
from tracer.reexecution.substitute import Substitute
from tracer.store.reading import Store


@dataclass
class Replayed:
    """A re-execution in this process, and what it recorded."""

    came: Reexecution
    run: Run
    steps: list[Step]

    @property
    def exit_code(self) -> int:
        return self.came.exit_code

    @property
    def result(self) -> Any:
        return self.came.result

    def sources(self, *kinds: StepKind) -> list[str]:
        """Where the answers of the steps of some kinds came from, in order."""
        return [step.source for step in self.steps if step.kind in kinds]

    def verdict(self) -> tuple[int, str | None]:
        """Exit code and message, to be compared at once."""
        return self.came.exit_code, self.came.message


class Bench:
    """One database: agents called in this process are recorded there and replayed from there."""

    def __init__(self, database: Path) -> None:
        self.database = database

    @property
    def store(self) -> Store:
        runtime.flush(30)
        return Store.open(self.database)

    def run(self, ref: str = "last") -> Run:
        """A run; the newest recorded one if not named."""
        with self.store as store:
            return store.find_run(ref)

    def runs(self) -> list[Run]:
        """All runs, newest first, replays too."""
        with self.store as store:
            return store.runs()

    def steps(self, kind: StepKind | None = None, ref: str = "last") -> list[Step]:
        """Its steps, in order."""
        with self.store as store:
            steps = store.steps(store.find_run(ref).id)
        return [step for step in steps if kind is None or step.kind == kind]

    def step(self, kind: StepKind, ref: str = "last") -> Step:
        """The only step of a kind."""
        (step,) = self.steps(kind, ref)
        return step

    def value(self, step: Step, which: Literal["input", "output"] = "output") -> Any:
        """What a function step was given or returned, as plain JSON."""
        with self.store as store:
            data = store.value(step, which)
        return None if data is None else plain(data)

    def replay(self, agent: Callable[..., Any], run: str | None = None) -> Replayed:
        """Call the agent again with everything answered from a run (the newest)."""
        return self.fork(agent, None, run=run)

    def fork(
        self,
        agent: Callable[..., Any],
        substitute: Substitute | None,
        *,
        run: str | None = None,
        step: int | None = None,
        model_call: int | None = None,
        after: Literal["live", "recorded", "ask"] = "live",
        tools: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Replayed:
        """Call the agent again with a substitute at a step; `more`: fields of `ReplaySpec`."""
        spec = ReplaySpec(
            run or self.run().id,
            step,
            model_call,
            substitute,
            after,
            dict(tools or {}),
            **more,
        )
        came = _reexecute(spec, agent)
        return Replayed(came, self.run(came.run_id), self.steps(ref=came.run_id))


def said(text: str) -> Substitute:
    """The model says this instead."""
    return Substitute("text", text=text)


def called(tool: str, **arguments: Any) -> Substitute:
    """The model calls this tool instead."""
    return Substitute("tool_call", tool_name=tool, arguments=arguments)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A database of this test's own; nothing of it is left in the process."""
    database = tmp_path / "traces.db"
    monkeypatch.setenv("TRACER_DB", str(database))
    monkeypatch.setattr(config, "_config", None)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    yield Bench(database)
    recorder = runtime._recorders.pop(database, None)
    if recorder is not None:
        recorder.queue.close(5)
