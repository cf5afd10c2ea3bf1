import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.build import python, run_start
from tracer.errors import StoreError
from tracer.store.connection import connect
from tracer.store.failures import NoDatabase, StoreBroken, StoreLocked
from tracer.store.reading import Store
from tracer.store.writing import StoreWriter

NOBODY = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_new_database_is_private_and_stays_out_of_git(tmp_path: Path) -> None:
    path = tmp_path / "project" / ".tracer" / "traces.db"
    connect(path).close()
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert (path.parent / ".gitignore").read_text() == "*\n"


def test_an_existing_folder_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / ".tracer"
    folder.mkdir(mode=0o755)
    connect(folder / "traces.db").close()
    assert mode(folder) == 0o755
    assert not (folder / ".gitignore").exists()


def test_another_folder_gets_no_gitignore(tmp_path: Path) -> None:
    connect(tmp_path / "data" / "traces.db").close()
    assert names_in(tmp_path / "data") == ["traces.db"]


def test_odd_names_are_names(tmp_path: Path) -> None:
    path = tmp_path / "a b?mode=memory#%41" / "tra ces?.db"
    connect(path).close()
    assert path.exists()
    connect(path, readonly=True).close()


def test_pragmas(path: Path) -> None:
    conn = connect(path)
    values = {
        name: conn.execute(f"pragma {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema")
    }
    conn.close()
    assert values == {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "trusted_schema": 0,
    }


@pytest.mark.parametrize("readonly", [True, False])
def test_nothing_recorded_yet(path: Path, readonly: bool) -> None:
    with pytest.raises(NoDatabase, match=r"nothing is recorded in .*tracer run SCRIPT"):
        connect(path, readonly=readonly, create=False)
    path.touch()
    with pytest.raises(NoDatabase):
        connect(path, readonly=readonly, create=False)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("readonly", [True, False])
def test_not_a_database(path: Path, readonly: bool) -> None:
    path.write_text("a diary, not a database\n" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreBroken, match=r"is not a SQLite database; .* --db or TRACER_DB$"):
        connect(path, readonly=readonly)
    assert path.read_bytes() == before


@pytest.mark.parametrize("readonly", [True, False])
def test_a_damaged_database(path: Path, readonly: bool) -> None:
    connect(path).close()
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xff" * 3996  # the page that lists the tables
    path.write_bytes(data)
    with pytest.raises(StoreBroken, match=r"is damaged .*recover"):
        connect(path, readonly=readonly)


@pytest.mark.parametrize("readonly", [True, False])
@pytest.mark.parametrize(
    "tables",
    [
        "create table diary (day text)",
        """create table _sqlite_migrations (id integer primary key, migration_set, name);
        insert into _sqlite_migrations (migration_set, name) values ('llm', 'm001_initial')""",
    ],
)
def test_a_database_of_another_program(path: Path, tables: str, readonly: bool) -> None:
    other = sqlite3.connect(path)
    other.executescript(tables)
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreBroken, match="database of another program and tracer leaves it alone"):
        connect(path, readonly=readonly)
    assert path.read_bytes() == before
    assert names_in(path.parent) == [path.name]


@pytest.mark.parametrize("readonly", [True, False])
def test_a_database_of_a_newer_tracer(path: Path, readonly: bool) -> None:
    conn = connect(path)
    conn.execute(
        "insert into _sqlite_migrations (migration_set, name, applied_at)"
        " values ('tracer', 'm901_future', 'now'), ('someone', 'm999_else', 'now')"
    )
    conn.close()
    with pytest.raises(
        StoreBroken, match=r"newer tracer \(migration m901_future\); upgrade tracer or choose"
    ):
        connect(path, readonly=readonly)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreBroken, match="can't be opened or created"):
        connect(tmp_path / "file" / "traces.db")
    with pytest.raises(StoreBroken, match="can't be opened or created"):
        connect(Path("/proc/nowhere/traces.db"))


def test_a_folder_where_the_file_should_be(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match="can't be opened"):
        connect(path)


def test_a_lock_held_by_another_process(path: Path) -> None:
    StoreWriter(path).close()
    holder = python(
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('begin exclusive'); print('held', flush=True); sys.stdin.read()",
        path,
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        writer = StoreWriter(path, busy_ms=50)  # opening needs no lock
        with pytest.raises(StoreLocked, match="locked by another process; end that process"):
            writer.begin()
        with Store.open(path) as store:  # nor does reading
            assert store.runs() == []
    finally:
        holder.communicate("")
    writer.start_run(run_start())
    writer.close()


def as_nobody(code: str, *arguments: object) -> tuple[int, str, str]:
    """Run as someone without any rights; root may write everywhere."""
    child = python(
        "import os, sys\n"
        "sys.path.insert(0, os.getcwd())\n"
        "import tracer.store.reading, tracer.store.writing, pathlib, shutil, tempfile\n"
        "from tracer.store.reading import Store\n"
        "path = pathlib.Path(sys.argv[1])\n"
        f"if os.getuid() == 0: os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n" + code,
        *arguments,
    )
    out, err = child.communicate(timeout=60)
    return child.returncode, out, err


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder anyone can reach; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def frozen(public: Path) -> Path:
    """A database in a folder that can't be written, readable by all."""
    path = public / "frozen" / "traces.db"
    writer = StoreWriter(path)
    writer.start_run(run_start())
    writer.close()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    return path


def test_reading_needs_no_right_to_write(frozen: Path) -> None:
    status, out, err = as_nobody("print(len(Store.open(path).runs()))", frozen)
    assert (status, out) == (0, "1\n"), err
    assert names_in(frozen.parent) == ["traces.db"]


def test_writing_needs_it(frozen: Path) -> None:
    status, _, err = as_nobody("tracer.store.writing.StoreWriter(path)", frozen)
    assert status == 1
    assert "StoreBroken" in err.splitlines()[-1]
    assert "permissions" in err or "read-only" in err


def test_reading_what_a_crash_left_in_the_log(path: Path, public: Path) -> None:
    """The rows stand in the write-ahead log alone, and no index of it can be made there."""
    writer = StoreWriter(path)
    writer.start_run(run_start())
    folder = public / "crashed"
    folder.mkdir()
    for name in ("traces.db", "traces.db-wal"):
        shutil.copyfile(path.with_name(name), folder / name)
        (folder / name).chmod(0o444)
    writer.close()
    folder.chmod(0o555)
    status, out, err = as_nobody("print(len(Store.open(path).runs()))", folder / "traces.db")
    assert (status, out) == (0, "1\n"), err


def test_the_log_of_a_killed_writer_is_read(path: Path) -> None:
    child = python(
        "import sys, os, signal, pathlib\n"
        "from tests.store.build import run_start\n"
        "from tracer.store.writing import StoreWriter\n"
        "StoreWriter(pathlib.Path(sys.argv[1])).start_run(run_start())\n"
        "os.kill(os.getpid(), signal.SIGKILL)",
        path,
    )
    child.communicate(timeout=60)
    assert path.with_name("traces.db-wal").stat().st_size
    with Store.open(path) as store:
        assert len(store.runs()) == 1
