"""The writer thread: what is queued is committed, and nothing it meets reaches the agent."""

import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.store.build import (
    ROOT,
    model_start,
    python,
    recorded,
    request,
    run_id,
    run_start,
    start_run,
    start_step,
    step_end,
    step_start,
    used,
)
from tracer.core.chain import BodySplitter
from tracer.store.batches import Job
from tracer.store.links import MissingBase
from tracer.store.reading import Store
from tracer.store.writer import WriteQueue
from tracer.store.writing import StoreWriter

RUN = run_id(1)


def fails(_: StoreWriter) -> None:
    raise KeyError("broken job")


def test_nothing_is_touched_before_the_first_job(queue: WriteQueue, path: Path) -> None:
    before = threading.active_count()
    assert queue.flush(1)
    assert not path.exists()
    assert queue.put_and_wait(start_run(), 5)
    assert path.exists()
    assert threading.active_count() == before  # not a thread others count or wait for


def test_jobs_are_committed_in_order(queue: WriteQueue, path: Path) -> None:
    queue.put(start_run())
    for n in range(1, 1001):
        queue.put(start_step(n))
    assert queue.flush(30)
    assert recorded(path) == list(range(1, 1001))
    assert (queue.dropped, queue.failure) == (0, None)


def test_waiting_means_committed(queue: WriteQueue, path: Path) -> None:
    assert queue.put_and_wait(start_run(), 5)
    for n in range(1, 21):
        queue.put(start_step(2 * n))
        assert queue.put_and_wait(start_step(2 * n + 1), 5)
        assert recorded(path)[-1] == 2 * n + 1


def test_what_is_queued_shares_transactions(
    queue: WriteQueue, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = 0
    begin = StoreWriter.begin

    def counting(self: StoreWriter) -> None:
        nonlocal begun
        begun += 1
        begin(self)

    queue.put_and_wait(start_run(), 5)
    monkeypatch.setattr(StoreWriter, "begin", counting)
    for n in range(1, 301):
        queue.put(start_step(n))
    assert queue.flush(30)
    assert recorded(path) == list(range(1, 301))
    assert begun < 30


def test_many_threads(queue: WriteQueue, path: Path) -> None:
    queue.put(start_run())

    def work(first: int) -> None:
        for n in range(first, first + 50):
            if n % 10 == 0:
                assert queue.put_and_wait(start_step(n), 30)
            else:
                queue.put(start_step(n))

    threads = [threading.Thread(target=work, args=(1 + 50 * k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue.flush(30)
    assert recorded(path) == list(range(1, 301))


def test_a_killed_process_leaves_what_it_waited_for(path: Path) -> None:
    child = python(
        "import sys, os, signal, pathlib\n"
        "from tests.store.build import *\n"
        "from tracer.store.writer import WriteQueue\n"
        "queue = WriteQueue(pathlib.Path(sys.argv[1]))\n"
        "assert queue.put_and_wait(lambda w: w.start_run(run_start(pid=os.getpid())), 10)\n"
        "assert queue.put_and_wait(lambda w: w.start_step(step_start(1)), 10)\n"
        "os.kill(os.getpid(), signal.SIGKILL)",
        path,
    )
    _, err = child.communicate(timeout=60)
    assert child.returncode == -9, err
    with Store.open(path) as store:
        assert store.find_run("last").status == "interrupted"
        assert [step.status for step in store.steps(RUN)] == ["interrupted"]
    writer = StoreWriter(path)  # and the next process goes on with the file
    writer.start_run(run_start(2))
    writer.close()


def test_a_broken_job_costs_only_itself(
    queue: WriteQueue, path: Path, capfd: pytest.CaptureFixture[str], caplog: Any
) -> None:
    def half(writer: StoreWriter) -> None:
        writer.start_step(step_start(5))
        raise KeyError("half done")

    def leaves(_: StoreWriter) -> None:
        raise SystemExit

    with caplog.at_level(logging.WARNING, "tracer"):
        for job in (start_run(), start_step(1), half, start_step(2), leaves, start_step(3)):
            queue.put(job)
        assert not queue.put_and_wait(start_step(3), 5)  # a second start
        assert queue.put_and_wait(start_step(4), 5)
    assert recorded(path) == [1, 2, 3, 4]
    assert (queue.dropped, queue.failure) == (3, None)
    assert capfd.readouterr().err == "tracer: a step was not recorded: KeyError: 'half done'\n"
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_body_on_a_lost_chain_is_split_again(queue: WriteQueue, path: Path) -> None:
    """What a recorder does: the job falls back to the whole body."""
    splitter = BodySplitter()
    queue.put(start_run())
    request(splitter, ["a"])  # whose job fails
    queue.put(fails)
    queue.flush(5)
    given, body = request(splitter, ["a", "b"])
    assert given.body.base_count == 1

    def job(writer: StoreWriter) -> None:
        try:
            writer.start_step(model_start(1, input=given))
        except MissingBase:
            writer.start_step(model_start(1, input=request(BodySplitter(), ["a", "b"])[0]))

    assert queue.put_and_wait(job, 5)
    with Store.open(path) as store:
        sent = store.request(store.step(RUN, 1))
        assert sent is not None and sent.body == body


def test_a_job_may_queue_jobs(queue: WriteQueue, path: Path) -> None:
    waited: list[bool] = []
    queue.put(start_run())
    queue.put(lambda _: waited.append(queue.put_and_wait(start_step(1), 20)))
    assert queue.flush(10)
    assert queue.flush(5)
    assert (waited, recorded(path)) == ([False], [1])


def _made(path: Path) -> Path:
    path.write_text("not a database, " * 100)
    return path


def _foreign(path: Path) -> Path:
    conn = sqlite3.connect(path)
    conn.execute("create table diary (day)")
    conn.close()
    return path


UNUSABLE: dict[str, Callable[[Path], Path]] = {
    "no folder": lambda path: Path("/proc/nowhere/traces.db"),
    "a file as folder": lambda path: _made(path) / "traces.db",
    "not a database": _made,
    "another program's": _foreign,
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_database_is_said_once(
    make: Callable[..., WriteQueue], path: Path, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    queue = make(UNUSABLE[kind](path))
    assert not queue.put_and_wait(start_run(), 5)
    for n in range(1, 100):
        queue.put(start_step(n))
        assert not queue.put_and_wait(start_step(n), 5)
    assert not queue.flush(1)
    assert queue.failure is not None
    assert capfd.readouterr().err == f"tracer: not recording: {queue.failure}\n"
    assert not queue.close(1)


def test_after_a_failure_a_job_costs_nearly_nothing(make: Callable[..., WriteQueue]) -> None:
    queue = make(Path("/proc/nowhere/traces.db"))
    queue.put_and_wait(start_run(), 5)
    job = start_step(1)
    before = time.thread_time()
    for _ in range(10_000):
        queue.put(job)
    assert (time.thread_time() - before) / 10_000 < 5e-6


def test_a_full_disk(queue: WriteQueue, path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    queue.put_and_wait(start_run(), 5)

    def no_more_pages(writer: StoreWriter) -> None:
        (pages,) = writer._conn.execute("pragma page_count").fetchone()
        writer._conn.execute(f"pragma max_page_count = {pages}")

    queue.put_and_wait(no_more_pages, 5)
    for n in range(1, 200):
        queue.put_and_wait(start_step(n), 5)
    assert queue.failure is not None and queue.failure.startswith("no space is left to write")
    assert capfd.readouterr().err == f"tracer: not recording: {queue.failure}\n"
    steps = recorded(path)  # what was there before is there and sound
    assert steps == list(range(1, len(steps) + 1))


def test_without_standard_error(make: Callable[..., WriteQueue], monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    queue = make(Path("/proc/nowhere/traces.db"))
    assert not queue.put_and_wait(start_run(), 5)
    assert queue.failure


def test_the_idle_hook_prices_calls(make: Callable[..., WriteQueue], path: Path) -> None:
    unpriced: list[int] = []

    def price(writer: StoreWriter) -> bool:
        if unpriced:
            writer.set_cost(RUN, unpriced.pop(), 0.5)
        return bool(unpriced)

    queue = make(path, idle=price)
    queue.put(start_run())

    def end(n: int) -> Job:
        def job(writer: StoreWriter) -> None:
            writer.end_step(step_end(n, usage=used(1)))
            unpriced.append(n)

        return job

    for n in range(1, 4):
        queue.put(lambda writer, n=n: writer.start_step(model_start(n)))  # type: ignore[misc]
        queue.put(end(n))
    assert queue.close(10)  # closing lets it finish
    with Store.open(path) as store:
        run = store.find_run(RUN)
        assert (run.cost_usd, run.cost_incomplete) == (1.5, False)


def test_an_idle_hook_that_fails(
    make: Callable[..., WriteQueue], path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    calls: list[int] = []

    def broken(writer: StoreWriter) -> bool:
        calls.append(1)
        writer.begin()
        writer.start_step(step_start(9))
        raise KeyError("price list")

    queue = make(path, idle=broken)
    assert queue.put_and_wait(start_run(), 5)
    for n in range(1, 4):
        assert queue.put_and_wait(start_step(n), 5)
        time.sleep(0.05)
    assert queue.close(5)
    assert len(calls) >= 4
    assert recorded(path) == [1, 2, 3]
    assert capfd.readouterr().err.count("\n") == 1


def test_the_idle_hook_gives_way_to_jobs(make: Callable[..., WriteQueue], path: Path) -> None:
    stop = threading.Event()

    def never_done(_: StoreWriter) -> bool:
        time.sleep(0.01)
        return not stop.is_set()

    queue = make(path, idle=never_done)
    assert queue.put_and_wait(start_run(), 5)
    assert queue.put_and_wait(start_step(1), 5)
    stop.set()


def test_closing(queue: WriteQueue, path: Path) -> None:
    queue.put(start_run())
    for n in range(1, 500):
        queue.put(start_step(n))
    assert queue.close(30)
    assert not path.with_name("traces.db-wal").exists()  # nothing holds the database any more
    assert len(recorded(path)) == 499
    queue.put(start_step(500))
    assert not queue.put_and_wait(start_step(501), 5)
    assert queue.close(1)
    assert len(recorded(path)) == 499


def test_closing_what_never_started(queue: WriteQueue, path: Path) -> None:
    assert queue.close(1)
    assert not path.exists()


def test_the_end_of_a_program(path: Path) -> None:
    """With the owner's `atexit`, a program that just ends loses nothing."""
    code = (
        "import sys, atexit, pathlib\n"
        "from tests.store.build import *\n"
        "from tracer.store.writer import WriteQueue\n"
        "queue = WriteQueue(pathlib.Path(sys.argv[1]))\n"
        "atexit.register(lambda: queue.close(10))\n"
        "queue.put(lambda w: w.start_run(run_start()))\n"
        "for n in range(1, 200): queue.put(lambda w, n=n: w.start_step(step_start(n)))\n"
        "sys.exit(3)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert recorded(path) == list(range(1, 200))
