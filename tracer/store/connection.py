"""Opening the database: pragmas, permissions, and refusing what isn't ours. Owns no SQL of runs."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

from tracer.store import migrations
from tracer.store.failures import foreign, newer, no_database, older, store_error

BUSY_MS = 5000
_WAL_LIMIT = 16 << 20


def connect(
    path: Path,
    *,
    readonly: bool = False,
    create: bool = True,
    busy_ms: int = BUSY_MS,
    any_thread: bool = False,
) -> sqlite3.Connection:
    """A connection to an up-to-date database of ours, in autocommit mode.

    `readonly` never writes and works in a folder that can't be written; `create` makes the file
    and its folder. `busy_ms` is how long a statement waits for another process's lock. Raises
    StoreError (`NoDatabase`, `StoreLocked`, `StoreBroken`) with one sentence.
    """
    try:
        if readonly:
            return _open_to_read(path, busy_ms, any_thread)
        if create:
            _make_file(path)
        elif not path.exists():
            raise no_database(path)
        return _open_to_write(path, busy_ms, any_thread, create=create)
    except (sqlite3.Error, OSError) as error:
        sentence = store_error(error, path)
        if sentence is None:
            raise
        raise sentence from error


def close_quietly(conn: sqlite3.Connection) -> None:
    """Close without a word: at that point nobody can do anything about a failure."""
    with contextlib.suppress(sqlite3.Error):
        conn.close()


def _make_file(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.name == ".tracer":
            # What agents say stays out of the project's history.
            (folder / ".gitignore").write_text("*\n")
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _raw(path: Path, mode: str, busy_ms: int, any_thread: bool) -> sqlite3.Connection:
    conn = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{mode}",
        uri=True,
        timeout=busy_ms / 1000,
        isolation_level=None,
        cached_statements=256,
        check_same_thread=not any_thread,
    )
    try:
        # A file made by someone else can't make its views and triggers call functions.
        conn.execute("pragma trusted_schema = off")
        conn.execute("pragma foreign_keys = on")
    except sqlite3.Error:
        close_quietly(conn)
        raise
    return conn


def _open_to_write(
    path: Path, busy_ms: int, any_thread: bool, *, create: bool
) -> sqlite3.Connection:
    conn = _raw(path, "mode=rw", busy_ms, any_thread)
    try:
        names = _ours(conn, path)
        if names is None and not create:
            raise no_database(path)
        # Only from here on is anything written: the file is ours or empty.
        _use_wal(conn, busy_ms)
        conn.execute("pragma synchronous = normal")
        conn.execute(f"pragma journal_size_limit = {_WAL_LIMIT}")
        if _pending(names):
            migrations.apply(conn)
    except BaseException:
        close_quietly(conn)
        raise
    return conn


def _ours(conn: sqlite3.Connection, path: Path) -> list[str] | None:
    names = migrations.applied(conn)
    if names is None:
        return None
    if not names:
        raise foreign(path)
    strange = migrations.unknown(names)
    if strange:
        raise newer(path, strange)
    return names


def _pending(names: list[str] | None) -> bool:
    return names is None or len(names) < len(migrations.MIGRATIONS)


def _use_wal(conn: sqlite3.Connection, busy_ms: int) -> None:
    # SQLite does not wait by itself when two processes switch the mode at once.
    give_up = time.monotonic() + busy_ms / 1000
    while True:
        try:
            (mode,) = conn.execute("pragma journal_mode").fetchone()
            if mode != "wal":
                conn.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def _open_to_read(path: Path, busy_ms: int, any_thread: bool) -> sqlite3.Connection:
    if not path.exists():
        raise no_database(path)
    try:
        conn = _raw(path, "mode=ro", busy_ms, any_thread)
        names = _checked(conn, path)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_READONLY,
        ):
            raise
        conn = _open_frozen(path, busy_ms, any_thread)
        names = _checked(conn, path)
    if names is None:
        close_quietly(conn)
        raise no_database(path)
    if _pending(names):
        close_quietly(conn)
        _bring_up_to_date(path, busy_ms)
        return _raw(path, "mode=ro", busy_ms, any_thread)
    return conn


def _checked(conn: sqlite3.Connection, path: Path) -> list[str] | None:
    try:
        return _ours(conn, path)
    except BaseException:
        close_quietly(conn)
        raise


def _open_frozen(path: Path, busy_ms: int, any_thread: bool) -> sqlite3.Connection:
    """Open where SQLite can't create its `-shm` file: nobody can be writing there either."""
    path = path.resolve()
    wal = path.with_name(path.name + "-wal")
    if not (wal.exists() and wal.stat().st_size):
        return _raw(path, "immutable=1", busy_ms, any_thread)
    # A crash left committed rows in the log; only a copy can be recovered.
    import shutil  # with what it loads, 5 ms that no agent's process needs
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="tracer-read-"))
    try:
        shutil.copyfile(path, folder / path.name)
        shutil.copyfile(wal, folder / wal.name)
        conn = _raw(folder / path.name, "mode=rw", busy_ms, any_thread)
        conn.execute("select count(*) from sqlite_master").fetchone()
    finally:
        # Unix keeps open files alive; the copy needs no name any more.
        shutil.rmtree(folder, ignore_errors=True)
    return conn


def _bring_up_to_date(path: Path, busy_ms: int) -> None:
    try:
        close_quietly(_open_to_write(path, busy_ms, False, create=False))
    except (sqlite3.Error, OSError) as error:
        raise older(path, str(error)) from error
