"""Records as a recorder writes them, with ids and times that follow from small numbers."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from tracer.core.chain import BodySplitter, SplitBody
from tracer.core.records import Slot, Usage
from tracer.store.batches import Job
from tracer.store.reading import Store
from tracer.store.writes import Reply, Request, RunEnd, RunStart, StepEnd, StepStart, Value

ROOT = Path(__file__).parents[2]
SECOND = 10**9
HEADERS = (("content-type", "application/json"), ("Accept", "*/*"))

# A loaded machine is no failure.
patient = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def run_id(number: int) -> str:
    """Distinct from its first digit on, for numbers below 16."""
    return f"{number:x}" + f"{number:031x}"


def run_start(number: int = 1, **more: Any) -> RunStart:
    """A local run without a process, started at second `number`."""
    start = RunStart(
        run_id=run_id(number),
        name="agent",
        started_ns=number * SECOND,
        input=None,
        entry={"kind": "script", "argv": ["agent.py"]},
        pid=None,
        environment={"python": "3.11"},
    )
    return replace(start, **more)


def run_end(number: int = 1, **more: Any) -> RunEnd:
    end = RunEnd(run_id(number), "ok", (number + 1) * SECOND, None, None)
    return replace(end, **more)


def step_start(n: int = 1, run: int = 1, **more: Any) -> StepStart:
    """A tool step in the run's own scope."""
    kind = more.get("kind", "tool")
    start = StepStart(
        run_id=run_id(run),
        n=n,
        id=f"{n:02x}" + f"{n:014x}",
        parent=None,
        kind=kind,
        name="look_up",
        source="live",
        started_ns=run * SECOND + n,
        start_seq=2 * n,
        slot=Slot("", kind, n),
        input=Value(b'{"order":1}'),
        fingerprint=None,
        summary="look_up(1)",
    )
    return replace(start, **more)


def step_end(n: int = 1, run: int = 1, **more: Any) -> StepEnd:
    end = StepEnd(run_id(run), n, "ok", run * SECOND + n + 1, 2 * n + 1, Value(b"2"))
    return replace(end, **more)


def model_start(
    n: int = 1, run: int = 1, path: str = "", ordinal: int = 0, **more: Any
) -> StepStart:
    """A model call, at a slot of its own."""
    slot = Slot(path, "model", ordinal or n)
    return step_start(n, run, kind="model", name="chat", slot=slot, **more)


def used(tokens: int) -> Usage:
    return Usage(input_tokens=tokens, output_tokens=1)


def request(
    splitter: BodySplitter, messages: Sequence[Any], headers: tuple[tuple[str, str], ...] = HEADERS
) -> tuple[Request, bytes]:
    """A request that carries these messages, and its body."""
    body = json.dumps({"model": "m", "messages": list(messages), "stream": True}).encode()
    length = (("content-length", str(len(body))),)
    split = splitter.split(body, ("messages",))
    return Request("POST", "https://api.example/v1/chat", headers + length, split), body


def split(body: bytes) -> SplitBody:
    return BodySplitter().split(body, ("messages",))


def reply(*chunks: bytes, **more: Any) -> Reply:
    times = tuple(1000 * at for at in range(len(chunks)))
    return replace(Reply(200, HEADERS, chunks, times, True), **more)


def python(code: str, *arguments: object, **more: Any) -> subprocess.Popen[str]:
    """Another Python process that has tracer on its path; its output is text."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **more,
    )


def start_run(number: int = 1) -> Job:
    """The job that writes `run_start`."""
    return lambda writer: writer.start_run(run_start(number))


def start_step(n: int) -> Job:
    """The job that writes `step_start`."""
    return lambda writer: writer.start_step(step_start(n))


def recorded(path: Path) -> list[int]:
    """Numbers of the steps of the first run, as another connection sees them."""
    with Store.open(path) as store:
        return [step.n for step in store.steps(run_id(1))]
