"""A database another process holds: nothing is lost for a while, then little, and memory stays
bounded throughout.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.build import python, recorded, run_end, start_run, start_step, step_end
from tracer.store import batches, writer
from tracer.store.writer import WriteQueue


class Holder:
    """Another process that holds the database."""

    def __init__(self, path: Path) -> None:
        self.process = python(
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
            "c.execute('begin exclusive'); print('held', flush=True); sys.stdin.read()",
            path,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    def let_go(self) -> None:
        self.process.communicate("", timeout=30)


@pytest.fixture
def held(queue: WriteQueue, path: Path) -> Iterator[Holder]:
    queue.put_and_wait(start_run(), 5)
    holder = Holder(path)
    yield holder
    if holder.process.poll() is None:
        holder.let_go()


def test_a_lock_delays_and_loses_nothing(queue: WriteQueue, path: Path, held: Holder) -> None:
    start = time.monotonic()
    assert not queue.put_and_wait(start_step(1), 0.2)
    assert 0.2 <= time.monotonic() - start < 1
    start = time.monotonic()
    for n in range(2, 100):  # having given up once, nobody waits any more
        assert not queue.put_and_wait(start_step(n), 5)
    assert time.monotonic() - start < 1
    held.let_go()
    assert queue.flush(30)
    assert recorded(path) == list(range(1, 100))
    assert queue.put_and_wait(start_step(100), 5)  # it has caught up: waiting is worth it again
    assert queue.dropped == 0


def test_a_lock_held_for_good(
    queue: WriteQueue,
    path: Path,
    held: Holder,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(batches, "PATIENCE", 0.3)
    for n in range(1, 4):
        queue.put_and_wait(start_step(n), 0.01)
        time.sleep(0.05)
    assert not queue.flush(30)
    assert queue.dropped == 3
    assert queue.failure is None
    held.let_go()
    assert queue.put_and_wait(start_step(4), 5)
    monkeypatch.setattr(batches, "PATIENCE", 20)
    again = Holder(path)  # for a while only: that one is waited for
    queue.put_and_wait(start_step(5), 0.7)
    again.let_go()
    assert queue.flush(30)
    assert recorded(path) == [4, 5]
    said = capfd.readouterr().err
    assert said.startswith("tracer: some steps were not recorded: ") and said.count("\n") == 1
    assert "locked by another process" in said


def test_closing_does_not_wait_for_a_lock(queue: WriteQueue, held: Holder) -> None:
    queue.put(start_step(1))
    start = time.monotonic()
    assert not queue.close(0.5)
    assert time.monotonic() - start < 2
    while queue.dropped == 0 and time.monotonic() - start < 5:
        time.sleep(0.05)
    assert queue.dropped == 1  # and the thread does not go on trying


def test_the_queue_is_bounded(
    queue: WriteQueue,
    path: Path,
    held: Holder,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    queue.put_and_wait(start_step(1), 0.1)  # in the thread's hands
    monkeypatch.setattr(writer, "_MOST_JOBS", 10)
    for n in range(2, 50):
        queue.put(start_step(n))
    assert queue.dropped == 38
    held.let_go()
    assert queue.flush(30)
    assert recorded(path) == list(range(1, 12))
    assert capfd.readouterr().err.count("does not keep up") == 1


def test_the_queue_is_bounded_in_bytes(
    queue: WriteQueue, path: Path, held: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_MOST_BYTES", 1000)
    for n in range(1, 50):
        queue.put(start_step(n), size=300)
    assert queue.dropped == 45  # the one that passes the bound is still taken
    held.let_go()
    assert queue.flush(30)
    queue.put(start_step(50), size=300)
    assert queue.flush(30)
    assert recorded(path) == [1, 2, 3, 4, 50]


def test_an_end_whose_start_was_lost_is_no_news(
    queue: WriteQueue,
    held: Holder,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(batches, "PATIENCE", 0.1)
    queue.put(start_step(1))
    queue.flush(30)
    held.let_go()
    queue.put(lambda writer: writer.end_step(step_end(1)))
    queue.put(lambda writer: writer.end_run(run_end()))
    assert queue.flush(30)
    assert queue.dropped == 2
    assert capfd.readouterr().err.count("\n") == 1
