import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import pytest
from sqlite_utils import hookimpl
from sqlite_utils.plugins import pm

from tests.databases.build import ABOUT, ERROR, FOLDER, LABEL, PRINTED, current
from tests.store.build import ROOT, python, run_id, run_start
from tracer.store import migrations
from tracer.store.connection import _use_wal, connect
from tracer.store.failures import StoreBroken
from tracer.store.migrations import MIGRATIONS, schema_sql
from tracer.store.reading import Store
from tracer.store.writing import StoreWriter

SHIPPED = sorted(FOLDER.glob("m*.db"))


@pytest.fixture(params=SHIPPED, ids=lambda path: path.stem)
def shipped(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a shipped database."""
    return Path(shutil.copyfile(request.param, tmp_path / "traces.db"))


def test_the_present_schema_has_a_fixture() -> None:
    assert current() in SHIPPED


def test_names_and_order() -> None:
    numbers = [name.split("_")[0] for name in MIGRATIONS]
    assert numbers == sorted(set(numbers))
    assert all(re.fullmatch(r"m\d{3}", number) for number in numbers)


@pytest.mark.parametrize("readonly", [True, False])
def test_a_shipped_database_is_read(shipped: Path, readonly: bool) -> None:
    with Store.open(shipped, readonly=readonly) as store:
        replay, run = store.runs()
        assert (run.id, run.status, run.error) == (run_id(1), "error", ERROR)
        assert (run.steps, run.model_calls, run.tool_calls, run.cost_usd) == (3, 2, 1, 0.5)
        assert (run.input_text, run.warnings) == ("Where is my lamp?", ("watch out",))
        assert (replay.parent_run, replay.status) == (run.id, "interrupted")
        first, second, tool = store.steps(run.id)
        asked = store.request(second)
        assert asked is not None and asked.body.startswith(b'{"model": "m", "messages": ["system",')
        assert store.shared_messages(first, second) == 2
        answered = store.reply(second)
        assert answered is not None and answered.chunks == (b"data: 1\n\n", b"data: 2\n\n")
        assert tool.error == ERROR
        assert store.search(run.id, "lamp") == [3]


def test_a_shipped_database_is_written(shipped: Path) -> None:
    writer = StoreWriter(shipped)
    writer.start_run(run_start(3))
    writer.close()
    with Store.open(shipped) as store:
        assert [run.id for run in store.runs()] == [run_id(3), run_id(2), run_id(1)]


def test_migrating_gives_the_schema_of_a_new_file(shipped: Path, tmp_path: Path) -> None:
    old, new = connect(shipped), connect(tmp_path / "new.db")
    assert schema_sql(old) == schema_sql(new)
    assert migrations.applied(old) == list(MIGRATIONS)
    old.close()
    new.close()


def test_the_schema_explains_itself(path: Path) -> None:
    conn = connect(path)
    text = schema_sql(conn)
    conn.close()
    tables = ("blob", "link", "passage", "run", "step", "around", "draw", "question")
    for table in (*tables, "facet", "label", "saved_filter"):
        assert f"CREATE TABLE {table} (\n  -- " in text
    assert len(re.findall(r"^\) strict(, without rowid)?;$", text, re.MULTILINE)) == 11
    assert "sqlite_migrations" not in text
    assert sqlite3.complete_statement(text)
    sqlite3.connect(":memory:").executescript(text)


def older(path: Path) -> None:
    """A database from before the last migration."""
    conn = connect(path)
    for name in ("run_not_ok", "run_numbers", "run_forked", "run_diverged"):
        conn.execute(f"drop index {name}")
    for name in ("duration", "cost", "tokens", "steps"):
        conn.execute(f"drop index run_by_{name}")
    for name in ("facet", "label", "saved_filter"):
        conn.execute(f"drop table {name}")
    conn.execute("delete from _sqlite_migrations where name = 'm007_list'")
    conn.close()


def test_what_happened_around_steps_is_read(tmp_path: Path) -> None:
    """From the schema that has it on; in older files nothing did."""
    for path in SHIPPED:
        with Store.open(Path(shutil.copyfile(path, tmp_path / path.name))) as store:
            pieces = [("printed", PRINTED)] if path.stem >= "m004" else []
            assert store.around(run_id(1), 3) == pieces


def test_old_runs_are_found_by_what_is_in_them(shipped: Path) -> None:
    """A migration looks through the runs that are there."""
    with Store.open(shipped) as store:
        for query in ("name:agent", "tool:look_up", "has:error status:failed", "tokens:>21"):
            assert run_id(1) in [run.id for run in store.runs(query=query)], query


def test_what_a_person_kept_is_read(tmp_path: Path) -> None:
    """From the schema that has it on."""
    for path in SHIPPED:
        with Store.open(Path(shutil.copyfile(path, tmp_path / path.name))) as store:
            later = path.stem >= "m007"
            assert store.labels([run_id(1)]) == ({run_id(1): LABEL} if later else {})
            assert [kept.name for kept in store.saved_filters()] == ["dear"] * later


def test_what_was_asked_is_read(tmp_path: Path) -> None:
    for path in SHIPPED:
        with Store.open(Path(shutil.copyfile(path, tmp_path / path.name))) as store:
            asked = store.questions(run_id(1))
            assert [one.about for one in asked] == ([ABOUT] if path.stem >= "m006" else [])
            assert all(one.answer == {"do": "continue", "by": "page"} for one in asked)


@pytest.mark.parametrize("readonly", [True, False])
def test_what_is_pending_is_applied(path: Path, readonly: bool) -> None:
    older(path)
    connect(path, readonly=readonly).close()
    conn = connect(path, readonly=True)
    assert migrations.applied(conn) == list(MIGRATIONS)
    assert "CREATE TABLE facet" in schema_sql(conn)
    conn.close()


def test_an_older_database_that_cannot_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older(path)

    def fails(conn: sqlite3.Connection) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(migrations, "apply", fails)
    with pytest.raises(StoreBroken, match=r"older tracer .* \(.*denied\); copy it to a place"):
        connect(path, readonly=True)


def test_a_failed_migration_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(path).close()
    broken = ("create table half (a)", "create table half (a)")
    monkeypatch.setitem(MIGRATIONS, "m900_broken", broken)
    with pytest.raises(StoreBroken, match="half already exists"):
        connect(path)
    monkeypatch.undo()
    conn = connect(path)
    assert "half" not in schema_sql(conn)
    conn.close()


def test_an_up_to_date_file_is_opened_without_sqlite_utils(path: Path) -> None:
    StoreWriter(path).close()
    code = (
        "import sys, pathlib\n"
        "from tracer.store.writing import StoreWriter\n"
        "from tracer.store.writer import WriteQueue\n"
        "from tracer.store.reading import Store\n"
        "from tests.store.build import run_start\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "writer = StoreWriter(path); writer.start_run(run_start()); writer.close()\n"
        "assert len(Store.open(path).runs()) == 1\n"
        "assert 'sqlite_utils' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_many_processes_create_one_database(path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from tests.store.build import run_start\n"
        "from tracer.store.writing import StoreWriter\n"
        "sys.stdin.readline()\n"
        "writer = StoreWriter(pathlib.Path(sys.argv[1]), busy_ms=30000)\n"
        "writer.start_run(run_start(int(sys.argv[2]))); writer.close()\n"
    )
    children = [python(code, path, number) for number in range(1, 6)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, err = child.communicate(timeout=90)
        assert child.returncode == 0, err
    with Store.open(path) as store:
        assert len(store.runs()) == 5


def test_what_another_process_migrated_meanwhile_is_done(path: Path) -> None:
    """Two find the file empty; the second waits for the first and has nothing left to do."""
    path.touch()
    first = sqlite3.connect(path, isolation_level=None)
    first.execute("pragma journal_mode = wal").fetchone()
    first.execute("begin immediate")
    errors: list[BaseException] = []

    def second() -> None:
        try:
            connect(path).close()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=second)
    thread.start()
    time.sleep(0.5)  # by then it stands before the lock
    for statement in _finished(path.with_name("model.db")):
        first.execute(statement)
    first.execute("commit")
    thread.join(30)
    first.close()
    assert errors == []


def _finished(model: Path) -> list[str]:
    """Statements that make the migrated schema."""
    conn = connect(model)
    names = migrations.applied(conn)
    tables = conn.execute(
        "select sql from sqlite_master where name like '%migrations%' and sql > ''"
    )
    statements = [*(sql for (sql,) in tables), *schema_sql(conn).split(";\n\n")]
    conn.close()
    return statements + [
        "insert into _sqlite_migrations (migration_set, name, applied_at)"
        f" values ('tracer', '{name}', '')"
        for name in names or ()
    ]


def test_plugins_of_sqlite_utils_have_no_business_here(path: Path) -> None:
    class Plugin:
        @hookimpl
        def prepare_connection(self, conn: sqlite3.Connection) -> None:
            raise AssertionError("a plugin ran")

    plugin = Plugin()
    pm.register(plugin)
    try:
        connect(path).close()
    finally:
        pm.unregister(plugin)


def test_a_switch_to_the_log_that_meets_a_lock_is_tried_again() -> None:
    """SQLite answers "locked" at once when two switch in the same moment."""
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    conn = Mock()
    conn.execute.return_value.fetchone.side_effect = [busy, busy, ("wal",)]
    _use_wal(conn, 5000)
    conn.execute.return_value.fetchone.side_effect = busy
    with pytest.raises(sqlite3.OperationalError):
        _use_wal(conn, 50)
