"""After `os.fork`, parent and child each have connections of their own and lose nothing."""

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.build import ROOT, python, run_id, run_start, step_start
from tracer.store.reading import Store
from tracer.store.writer import WriteQueue
from tracer.store.writing import StoreWriter

PREPARE = """
import os, sys, pathlib, signal, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking a process with threads
from tests.store.build import *
from tracer.store.reading import Store
from tracer.store.writer import WriteQueue
path = pathlib.Path(sys.argv[1])
queue = WriteQueue(path)
def start(n): return lambda w: w.start_step(step_start(n))
def inodes():
    return sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                  if os.path.exists(f"/proc/self/fd/{fd}"))
"""


def recorded(path: Path, code: str) -> list[int]:
    """Step numbers of the first run after a program has run `code`."""
    child = python(PREPARE + code, path)
    _, err = child.communicate(timeout=90)
    assert (child.returncode, err) == (0, "")
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("pragma integrity_check").fetchall() == [("ok",)]
    with Store.open(path) as store:
        return [step.n for step in store.steps(run_id(1))]


def test_parent_and_child_record_side_by_side(path: Path) -> None:
    steps = recorded(
        path,
        """
assert queue.put_and_wait(lambda w: w.start_run(run_start()), 10)
children = []
for k in range(3):
    pid = os.fork()
    if pid == 0:
        for n in range(100 * (k + 1), 100 * (k + 1) + 50): queue.put(start(n))
        os._exit(0 if queue.close(30) else 1)
    children.append(pid)
    for n in range(10 * k + 1, 10 * k + 11): queue.put(start(n))
for pid in children: assert os.waitpid(pid, 0)[1] == 0
assert queue.close(30)
""",
    )
    expected = [*range(1, 31), *range(100, 150), *range(200, 250), *range(300, 350)]
    assert steps == expected


def test_what_was_queued_before_belongs_to_the_parent(path: Path) -> None:
    steps = recorded(
        path,
        """
queue.put(lambda w: w.start_run(run_start()))
for n in range(1, 200): queue.put(start(n))
pid = os.fork()
if pid == 0:
    assert queue.flush(10)
    os._exit(0 if queue.close(10) else 1)
assert os.waitpid(pid, 0)[1] == 0
assert queue.close(30) and queue.dropped == 0
""",
    )
    assert steps == list(range(1, 200))


def test_the_child_does_not_hold_the_parents_files(path: Path) -> None:
    """It has none of them open: closing one would drop locks, keeping one would fake them."""
    recorded(
        path,
        """
assert queue.put_and_wait(lambda w: w.start_run(run_start()), 10)
store = Store.open(path)
assert len(store.runs()) == 1
assert any("traces.db" in name for name in inodes())
pid = os.fork()
if pid == 0:
    if any("traces.db" in name for name in inodes()): os._exit(1)
    import threading
    seen = []
    reader = threading.Thread(target=lambda: seen.append(len(store.runs())), daemon=True)
    reader.start()
    reader.join(10)
    os._exit(0 if seen == [1] else 2)
assert os.waitpid(pid, 0)[1] == 0
assert len(store.runs()) == 1
store.close()
assert queue.close(10)
""",
    )


def test_a_child_that_is_killed_or_just_ends_harms_nobody(path: Path) -> None:
    steps = recorded(
        path,
        """
assert queue.put_and_wait(lambda w: w.start_run(run_start()), 10)
for k in range(1, 6):
    pid = os.fork()
    if pid == 0:
        queue.put_and_wait(start(100 + k), 10)
        if k % 2: os.kill(os.getpid(), signal.SIGKILL)
        sys.exit(0)
    assert queue.put_and_wait(start(k), 10)
    os.waitpid(pid, 0)
    assert queue.put_and_wait(start(10 + k), 10)
assert queue.close(10)
""",
    )
    assert steps == [*range(1, 6), *range(11, 16), *range(101, 106)]


def test_the_child_is_a_process_of_its_own(path: Path) -> None:
    """Its runs live as long as it does, not as long as the parent."""
    recorded(
        path,
        """
assert queue.put_and_wait(lambda w: w.start_run(run_start(1, pid=os.getpid())), 10)
pid = os.fork()
if pid == 0:
    queue.put_and_wait(lambda w: w.start_run(run_start(2, pid=os.getpid())), 10)
    os._exit(0)
os.waitpid(pid, 0)
with Store.open(path) as store:
    assert store.find_run(run_id(1)).status == "running"
    assert store.find_run(run_id(2)).status == "interrupted"
assert queue.close(10)
""",
    )


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_waits_for_a_transaction_but_not_for_ever(path: Path) -> None:
    queue = WriteQueue(path)
    queue.put_and_wait(lambda w: w.start_run(run_start()), 5)
    inside, leave = threading.Event(), threading.Event()

    def slow(writer: StoreWriter) -> None:
        writer.start_step(step_start(1))
        inside.set()
        leave.wait(10)

    queue.put(slow)
    inside.wait(5)
    before = time.monotonic()
    pid = os.fork()
    if pid == 0:
        # The parent's connection came along in the middle of a transaction: hands off.
        waited = queue.put_and_wait(lambda w: w.start_step(step_start(2)), 5)
        os._exit(0 if queue.failure and not waited else 1)
    assert 1 < time.monotonic() - before < 10
    leave.set()
    assert os.waitpid(pid, 0)[1] == 0
    assert queue.close(10)
    with Store.open(path) as store:
        assert [step.n for step in store.steps(run_id(1))] == [1]


def test_multiprocessing(path: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import multiprocessing, pathlib
from tests.store.build import run_start, step_start
from tracer.store.writer import WriteQueue
queue = WriteQueue(pathlib.Path({str(path)!r}))
def work(n):
    assert queue.put_and_wait(lambda w: w.start_step(step_start(n)), 30)
    return n
if __name__ == "__main__":
    assert queue.put_and_wait(lambda w: w.start_run(run_start()), 10)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map(work, range(1, 31)) == list(range(1, 31))
    assert queue.close(10)
"""
    )
    steps = recorded(path, f"import runpy; runpy.run_path({str(program)!r}, run_name='__main__')")
    assert steps == list(range(1, 31))
