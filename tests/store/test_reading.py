"""Lists, names a person may type, and what a run whose process died reads as."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.build import (
    model_start,
    python,
    reply,
    request,
    run_end,
    run_id,
    run_start,
    step_end,
    step_start,
)
from tracer.core.chain import BodySplitter
from tracer.errors import NotFoundError
from tracer.store.failures import NoDatabase, StoreBroken
from tracer.store.reading import Store
from tracer.store.writing import StoreWriter


def numbers(store: Store, **how: object) -> list[int]:
    """Numbers of the runs listed, in that order."""
    return [int(run.id[1:], 16) for run in store.runs(**how)]  # type: ignore[arg-type]


@pytest.fixture
def three(writer: StoreWriter) -> None:
    """An original that failed, its fork that went well, and a newer original that did too."""
    writer.start_run(run_start(1))
    writer.end_run(run_end(1, status="error"))
    writer.start_run(run_start(2, parent_run=run_id(1), fork={"step": 1}))
    writer.end_run(run_end(2))
    writer.start_run(run_start(3))
    writer.end_run(run_end(3))


def test_nothing_there(path: Path) -> None:
    with pytest.raises(NoDatabase):
        Store.open(path)
    assert not path.exists()


def test_an_empty_store(store: Store) -> None:
    assert (store.runs(), store.forks_of(run_id(1))) == ([], [])
    for ref in ("last", "last-failed", "abc", ""):
        with pytest.raises(NotFoundError, match="no run is recorded yet; record one with `tracer"):
            store.find_run(ref)
    with pytest.raises(NotFoundError, match="there is no run '1000"):
        store.steps(run_id(1))


@pytest.mark.usefixtures("three")
def test_newest_first(writer: StoreWriter, store: Store) -> None:
    assert numbers(store) == [3, 2, 1]
    # An older run that arrives later (an import) stands where its time puts it; of two at the
    # same time the later written is the newer.
    writer.start_run(run_start(4, started_ns=run_start(1).started_ns, origin="imported"))
    assert numbers(store) == [3, 2, 4, 1]


@pytest.mark.usefixtures("three")
def test_pages(store: Store) -> None:
    assert numbers(store, limit=2) == [3, 2]
    assert numbers(store, limit=2, before=run_id(2)) == [1]
    assert numbers(store, before=run_id(1)) == []
    assert numbers(store, limit=0) == []
    with pytest.raises(NotFoundError, match="there is no run"):
        store.runs(before=run_id(7))


def test_pages_of_runs_that_started_at_once(writer: StoreWriter, store: Store) -> None:
    for number in range(1, 8):
        writer.start_run(run_start(number, started_ns=5))
    seen: list[int] = []
    before = None
    while page := store.runs(limit=3, before=before):
        seen += [int(run.id[1:], 16) for run in page]
        before = page[-1].id
    assert seen == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.usefixtures("three")
def test_failed_runs(writer: StoreWriter, store: Store) -> None:
    for number, status in enumerate(("interrupted", "stopped", "ok"), start=4):
        writer.start_run(run_start(number))
        writer.end_run(run_end(number, status=status))
    writer.start_run(run_start(7, pid=_dead_pid()))
    writer.start_run(run_start(8, pid=os.getpid()))
    assert numbers(store, failed=True) == [7, 4, 1]
    assert numbers(store, failed=True, limit=2) == [7, 4]
    assert numbers(store, failed=True, before=run_id(4)) == [1]


@pytest.mark.usefixtures("three")
def test_forks(store: Store) -> None:
    assert [run.id for run in store.forks_of(run_id(1))] == [run_id(2)]
    assert store.forks_of(run_id(3)) == []


@pytest.mark.usefixtures("three")
def test_names_of_runs(writer: StoreWriter, store: Store) -> None:
    assert store.find_run(run_id(2)).id == run_id(2)
    assert store.find_run(run_id(2)[:5]).id == run_id(2)
    assert store.find_run(" 2 ").id == run_id(2)
    assert store.find_run("last").id == run_id(3)
    assert store.find_run("last-failed").id == run_id(1)
    writer.start_run(run_start(10))
    assert store.find_run("A00").id == run_id(10)
    writer.start_run(run_start(11, parent_run=run_id(3)))  # a replay
    writer.end_run(run_end(11, status="error"))
    assert store.find_run("last").id == run_id(10)
    assert store.find_run("last-failed").id == run_id(10)  # it never ended


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("ref", ["abc", "", run_id(3) + "0", "%", "1*", "last-", "é", "\0"])
def test_runs_that_are_not_there(store: Store, ref: str) -> None:
    with pytest.raises(NotFoundError, match=r"there is no run .*; `tracer ls` lists the runs"):
        store.find_run(ref)


def test_no_failed_run(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    writer.end_run(run_end())
    with pytest.raises(NotFoundError, match="no run has failed; `tracer ls`"):
        store.find_run("last-failed")


def test_an_ambiguous_prefix_lists_the_candidates(writer: StoreWriter, store: Store) -> None:
    for number, digit in enumerate("abcdefg", start=1):
        writer.start_run(run_start(number, run_id="00" + digit * 30, name=f"run {digit}"))
    with pytest.raises(NotFoundError) as caught:
        store.find_run("00")
    assert str(caught.value) == (
        "'00' fits 7 runs (00gggggggggg run g, 00ffffffffff run f, 00eeeeeeeeee run e,"
        " 00dddddddddd run d, 00cccccccccc run c, …); give more of the id"
    )
    assert store.find_run("00a").name == "run a"


def steps_of(writer: StoreWriter, count: int) -> str:
    writer.start_run(run_start())
    for n in range(1, count + 1):
        writer.start_step(step_start(n))
        writer.end_step(step_end(n))
    return run_id(1)


def test_ranges_of_steps(writer: StoreWriter, store: Store) -> None:
    run = steps_of(writer, 5)
    assert [step.n for step in store.steps(run)] == [1, 2, 3, 4, 5]
    assert [step.n for step in store.steps(run, first=2, last=3)] == [2, 3]
    assert [step.n for step in store.steps(run, first=5, last=99)] == [5]
    assert store.steps(run, first=6) == []


def test_names_of_steps(writer: StoreWriter, store: Store) -> None:
    run = steps_of(writer, 17)
    for ref in (3, "3", " 3 ", step_start(3).id, step_start(3).id[:4], step_start(3).id.upper()):
        assert store.step(run, ref).n == 3
    assert store.step(run, "0a").n == 10
    assert store.step(run, "1000").n == 16  # four digits: no such number, so an id
    writer.start_step(step_start(1000))
    assert store.step(run, "1000").n == 1000


def test_steps_that_are_not_there(writer: StoreWriter, store: Store) -> None:
    run = steps_of(writer, 1)
    for ref, shown in ((57, "57"), ("57", "57"), ("zz", "zz"), ("", ""), (-1, "-1")):
        with pytest.raises(NotFoundError) as caught:
            store.step(run, ref)
        assert str(caught.value) == f"run 10000000 has 1 step, there is no step {shown}"
    writer.start_step(step_start(2))
    with pytest.raises(NotFoundError, match="run 10000000 has 2 steps, there is no step 3"):
        store.step(run, 3)
    for n in (3, 4):
        writer.start_step(step_start(n, id=f"abc{n}"))
    with pytest.raises(
        NotFoundError, match=r"'ab' fits 2 steps \(abc3 step 3, abc4 step 4\); give"
    ):
        store.step(run, "ab")
    with pytest.raises(NotFoundError, match="there is no run"):
        store.step(run_id(2), 1)


def _dead_pid() -> int:
    child = python("")
    child.communicate()
    return child.pid


def test_a_run_of_a_live_process_is_running(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start(pid=os.getpid()))
    writer.start_step(step_start())
    assert store.find_run(run_id(1)).status == "running"
    assert store.step(run_id(1), 1).status == "running"
    assert store.find_run(run_id(1)).environment["process"]["pid"] == os.getpid()


def test_a_run_whose_process_was_killed_is_interrupted(writer: StoreWriter, store: Store) -> None:
    child = python("import sys; sys.stdin.read()")
    writer.start_run(run_start(pid=child.pid))
    writer.start_step(step_start(1))
    writer.end_step(step_end(1))
    writer.start_step(step_start(2))
    assert store.find_run("last").status == "running"
    child.kill()
    child.communicate()
    assert store.find_run("last").status == "interrupted"
    assert store.find_run("last-failed").id == run_id(1)
    assert [step.status for step in store.steps(run_id(1))] == ["ok", "interrupted"]
    assert store.find_run("last").ended_ns is None


def test_open_steps_of_a_run_that_ended_are_interrupted(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start(pid=os.getpid()))
    writer.start_step(step_start())
    writer.end_run(run_end())
    assert store.step(run_id(1), 1).status == "interrupted"
    writer.end_step(step_end())  # it ends after its run: a thread that outlives it
    assert store.step(run_id(1), 1).status == "ok"


@pytest.mark.parametrize("origin", ["imported", "otlp"])
def test_what_came_from_elsewhere_does_not_run(
    writer: StoreWriter, store: Store, origin: str
) -> None:
    writer.start_run(run_start(pid=os.getpid(), origin=origin))
    run = store.find_run("last")
    assert (run.status, "process" in run.environment) == ("interrupted", False)


def test_reading_while_another_process_writes(path: Path) -> None:
    child = python(
        "import sys, pathlib\n"
        "from tests.store.build import *\n"
        "from tracer.store.writing import StoreWriter\n"
        "writer = StoreWriter(pathlib.Path(sys.argv[1]))\n"
        "writer.start_run(run_start())\n"
        "print('ready', flush=True)\n"
        "for n in range(1, 301):\n"
        "    writer.begin(); writer.start_step(step_start(n)); writer.end_step(step_end(n))\n"
        "    writer.commit()\n",
        path,
    )
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    seen: list[int] = []
    with Store.open(path) as store:
        while not seen or seen[-1] < 300:
            steps = store.steps(run_id(1))
            # Whole transactions only, in order, and the run's own count is of the same moment
            # or a later one.
            assert [step.n for step in steps] == list(range(1, len(steps) + 1))
            assert {step.status for step in steps} <= {"ok"}
            assert store.find_run("last").steps >= len(steps)
            seen.append(len(steps))
            if child.poll() is not None and seen[-1] < 300:
                seen.append(len(store.steps(run_id(1))))
                break
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert seen[-1] == 300
    assert seen == sorted(seen)


def test_a_store_is_used_by_many_threads(writer: StoreWriter, store: Store) -> None:
    from concurrent.futures import ThreadPoolExecutor

    run = steps_of(writer, 50)
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: len(store.steps(run)), range(64)))
    assert counts == [50] * 64


def test_size(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    files = [writer.path, writer.path.with_name("traces.db-wal")]
    assert store.size_bytes() == sum(file.stat().st_size for file in files) > 0


@pytest.mark.parametrize(
    "harm",
    [
        "update blob set codec = 'zlib', data = x'00' where size = 1",
        "update step set chunks = x'05'",
        "update step set detail = 'not json'",
        "update step set error = '{}'",
        "update run set warnings = '['",
    ],
)
def test_rows_that_make_no_sense(writer: StoreWriter, store: Store, harm: str) -> None:
    """Someone else's hands in the file end in a sentence, not in a traceback."""
    writer.start_run(run_start())
    writer.start_step(step_start())
    writer.end_step(step_end(output=reply(b"2")))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as conn:
        conn.execute(harm)
    with pytest.raises(StoreBroken, match=r"traces.db is damaged \(.*recover"):
        for step in store.steps(store.find_run("last").id):
            store.value(step, "input")
            store.reply(step)


def test_links_in_a_circle_end(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    for n in (1, 2):
        given = request(BodySplitter(), ["a", f"b{n}"])[0]
        writer.start_step(model_start(n, input=given))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as conn:
        conn.execute("update link set parent = id")
    one, other = store.steps(run_id(1))
    assert len(store.message_links(one)) <= 2
    assert store.shared_messages(one, other) == 0
    assert len(list(store.links(run_id(1)))) <= 3


def test_a_symbolic_link_to_the_database(writer: StoreWriter, tmp_path: Path) -> None:
    writer.start_run(run_start())
    other = tmp_path / "elsewhere" / "linked.db"
    other.parent.mkdir()
    other.symlink_to(writer.path)
    with Store.open(other) as store, Store.open(writer.path) as direct:
        assert len(store.runs()) == 1
        assert store.size_bytes() == direct.size_bytes()
