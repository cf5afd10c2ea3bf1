import os
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.store.build import (
    model_start,
    reply,
    request,
    run_end,
    run_id,
    run_start,
    step_end,
)
from tracer.core.chain import BodySplitter
from tracer.core.draws import Drawn
from tracer.core.questions import Question
from tracer.store.failures import NoDatabase
from tracer.store.pruning import prune
from tracer.store.reading import Store
from tracer.store.writes import Noted, Value
from tracer.store.writing import StoreWriter


def write(path: Path, number: int, *, steps: int = 5, **start: object) -> None:
    """A run with a history of its own behind a message that all share, about 50 kB."""
    random, splitter = Random(number), BodySplitter()
    writer = StoreWriter(path)
    writer.start_run(run_start(number, input=Value(b'"common input"'), **start))
    history = ["shared"]
    for n in range(1, steps + 1):
        history.append(f"own{number} " + random.randbytes(2500).hex())
        writer.start_step(
            model_start(n, number, input=request(splitter, history)[0], search_text=history[-1])
        )
        writer.add_noted(Noted(run_id(number), n, "printed", random.randbytes(99).hex().encode()))
        writer.add_noted(Noted(run_id(number), 0, "printed", b'[["out","shared"]]'))
        writer.end_step(
            step_end(n, number, output=reply(random.randbytes(3000)), search_text="common")
        )
    writer.add_draws(run_id(number), [Drawn("", "clock", (number,), (1,))])
    writer.add_question(Question(run_id(number), f"{number:016x}", "tool", "t", 1, {"n": number}))
    if "pid" not in start:
        writer.end_run(run_end(number))
    writer.close()


def remaining(path: Path) -> list[int]:
    with Store.open(path) as store:
        return [int(run.id[1:], 16) for run in store.runs()]


def counts(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as conn:
        return {
            table: conn.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("run", "step", "blob", "link", "passage", "around", "draw", "question")
        }


def assert_sound(path: Path) -> None:
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert conn.execute("pragma foreign_key_check").fetchall() == []
        conn.execute("insert into search (search) values ('integrity-check')")


def test_what_is_left_is_as_if_the_rest_had_never_been(path: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.db"
    for number in (1, 2, 3):
        write(path, number)
    write(alone, 2)
    result = prune(path, [run_id(1), run_id(3), run_id(9)])
    assert set(result.runs) == {run_id(1), run_id(3)}
    assert remaining(path) == [2]
    assert counts(path) == counts(alone)
    assert_sound(path)
    with Store.open(path) as store, Store.open(alone) as other:
        assert list(store.writes(run_id(2))) == list(other.writes(run_id(2)))
        assert store.search(run_id(2), "own2 common") == [1, 2, 3, 4, 5]
        assert [run.id for run in store.runs(search="common input")] == [run_id(2)]


def test_the_space_is_given_back(path: Path, tmp_path: Path) -> None:
    for number in range(1, 6):
        write(path, number)
    before = path.stat().st_size
    result = prune(path, keep=1)
    after = path.stat().st_size
    assert remaining(path) == [5]
    write(tmp_path / "alone.db", 5)
    assert after <= (tmp_path / "alone.db").stat().st_size < before / 2
    assert (result.bytes_before, result.bytes_after) == (before, after)
    wal = path.with_name("traces.db-wal")
    assert not wal.exists() or wal.stat().st_size == 0


def test_words_of_deleted_runs_are_forgotten(path: Path) -> None:
    write(path, 1)
    write(path, 2)
    prune(path, [run_id(1)])
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("create virtual table temp.words using fts5vocab(main, search, row)")
        found = {term for (term,) in conn.execute("select term from words where term like 'own%'")}
    assert found == {"own2"}


def test_by_age(path: Path) -> None:
    for number in (1, 2, 3):
        write(path, number, steps=1)
    assert prune(path, before_ns=3 * 10**9).runs == (run_id(2), run_id(1))
    assert remaining(path) == [3]


def test_by_size(path: Path) -> None:
    for number in range(1, 9):
        write(path, number)
    used = prune(path).bytes_after
    result = prune(path, max_bytes=used // 2)
    assert result.bytes_after <= used // 2
    kept = remaining(path)
    assert kept == list(range(8, 8 - len(kept), -1))  # the newest
    assert 2 <= len(kept) <= 4
    assert_sound(path)


def test_a_running_run_is_kept(path: Path) -> None:
    write(path, 1, steps=1, pid=os.getpid())
    write(path, 2, steps=1)
    assert prune(path, [run_id(1)], keep=0, max_bytes=0, before_ns=1 << 60).runs == (run_id(2),)
    assert remaining(path) == [1]


def test_nothing_to_do(path: Path) -> None:
    write(path, 1)
    before = path.read_bytes()
    assert prune(path, keep=5, before_ns=0, max_bytes=1 << 40).runs == ()
    assert path.read_bytes() == before


def test_nothing_there(path: Path) -> None:
    with pytest.raises(NoDatabase):
        prune(path, keep=1)
    assert not path.exists()


def test_a_reader_in_the_middle_keeps_its_view(path: Path) -> None:
    """Space can't be given back while someone reads; the runs are gone all the same."""
    write(path, 1)
    write(path, 2)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("begin")
        assert reader.execute("select count(*) from run").fetchone() == (2,)
        prune(path, [run_id(1)])
        assert reader.execute("select count(*) from run").fetchone() == (2,)
    assert remaining(path) == [2]


def test_a_writer_goes_on_after_pruning(path: Path) -> None:
    write(path, 1)
    writer = StoreWriter(path)
    splitter = BodySplitter()
    writer.start_run(run_start(2))
    writer.start_step(model_start(1, 2, input=request(splitter, ["a"])[0]))
    prune(path, [run_id(1)])
    writer.start_step(model_start(2, 2, input=request(splitter, ["a", "b"])[0]))
    writer.end_step(step_end(2, 2))
    writer.end_run(run_end(2))
    writer.close()
    assert_sound(path)
