"""A database that can't be used costs the recording, never the agent."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tracer
from tests.support.agents import Bench
from tests.support.processes import Desk, How
from tracer.capture import recorder as runtime_recorder
from tracer.capture import runtime

AGENT = """
@tracer.tool
def double(x):
    return 2 * x

@tracer.agent
def agent():
    tracer.note("hello")
    return [double(n) for n in range(3)]

print(agent())
sys.exit(4)
"""


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no database " * 500)


def _folder(path: Path) -> None:
    path.mkdir()


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table step (something text)")


def _damaged(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table a (b)")
        connection.executemany("insert into a values (?)", [("x" * 900,)] * 200)
    data = bytearray(path.read_bytes())
    data[4096:12288] = os.urandom(8192)
    path.write_bytes(data)


def _under_a_file(path: Path) -> None:
    path.parent.joinpath("file").write_text("x")


TROUBLES: list[tuple[Callable[[Path], None], str]] = [
    (_garbage, "traces.db"),
    (_folder, "traces.db"),
    (_foreign, "traces.db"),
    (_damaged, "traces.db"),
    (_under_a_file, "file/traces.db"),
    (lambda path: None, "/proc/nothing/traces.db"),
    (lambda path: None, "/dev/full/traces.db"),
]


@pytest.mark.parametrize(("trouble", "name"), TROUBLES, ids=range(len(TROUBLES)))
def test_the_agent_does_not_notice(desk: Desk, trouble: Callable[[Path], None], name: str) -> None:
    path = desk.folder / name
    trouble(path if name == "traces.db" else desk.folder / "x")
    before = path.read_bytes() if path.is_file() else None
    script = desk.write("agent.py", AGENT)
    modes: tuple[How, ...] = ("plain", "run")
    for how in modes:
        done = desk.record(script, how=how, env={"TRACER_DB": str(path), "TRACER_QUIET": ""})
        assert (done.code, done.out) == (4, "[0, 2, 4]\n")
        (line,) = done.err.splitlines()
        assert line.startswith("tracer: not recording: ")
        assert str(path.parent) in line
    if before is not None:
        assert path.read_bytes() == before


def test_a_locked_database_delays_an_agent_once_and_for_a_bounded_time(bench: Bench) -> None:
    @tracer.tool
    def double(x: int) -> int:
        return 2 * x

    @tracer.agent
    def agent() -> list[int]:
        return [double(n) for n in range(20)]

    agent()
    runtime._recorders.pop(bench.database).queue.close(5)
    holder = sqlite3.connect(bench.database, isolation_level=None)
    holder.execute("begin immediate")
    started = time.monotonic()
    assert agent()[-1] == 38
    assert time.monotonic() - started < runtime_recorder.OPEN_SECONDS + 2
    holder.execute("rollback")
    holder.close()
    assert [run.steps for run in bench.runs()] == [21, 21], "what waited is written in the end"


def test_a_lock_that_goes_away_costs_nothing(desk: Desk) -> None:
    script = desk.write(
        "agent.py",
        """
import sqlite3
@tracer.tool
def locks():
    other = sqlite3.connect(os.environ["TRACER_DB"], isolation_level=None)
    other.execute("begin immediate")
    return other

@tracer.tool
def double(x):
    return 2 * x

@tracer.agent
def agent():
    other = locks()
    started = time.monotonic()
    double(1), double(2), double(3)
    other.execute("rollback")
    other.close()
    print(time.monotonic() - started < 2)

agent()
""",
    )
    done = desk.record(script, how="plain")
    assert (done.code, done.out, done.err) == (0, "True\n", "")
    names = [step.name for step in desk.steps()]
    assert names == ["agent", "locks", "double", "double", "double"]
    assert all(step.status == "ok" for step in desk.steps())


def test_a_full_disk_is_said_once(desk: Desk) -> None:
    """A limit on the size of files stands for a disk that is full."""
    script = desk.write(
        "agent.py",
        """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

@tracer.tool
def big(x):
    return os.urandom(300_000).hex()

@tracer.agent
def agent():
    big(1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))
    return sum(len(big(n)) for n in range(5))

print(agent())
""",
    )
    done = desk.record(script, how="plain")
    assert (done.code, done.out) == (0, "3000000\n")
    assert len(done.err.splitlines()) == 1 and done.err.startswith("tracer: ")
