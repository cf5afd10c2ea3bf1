"""What can be wrong with the database file, as one sentence with the remedy."""

import sqlite3
from pathlib import Path

from tracer.errors import StoreError

_ELSEWHERE = "choose another file with --db or TRACER_DB"


class NoDatabase(StoreError):
    """Nothing was recorded here yet: the file is missing or empty."""


class StoreLocked(StoreError):
    """Another process holds the database; trying again later may work."""


class StoreBroken(StoreError):
    """The file can't be read or written at all, and trying again won't help."""


class BadRecord(StoreError):
    """A record that can't be stored as it is: a word the schema doesn't know, a second start."""


def no_database(path: Path) -> NoDatabase:
    """There is no database at this path."""
    return NoDatabase(
        f"nothing is recorded in {path} yet; record a run with `tracer run SCRIPT`, or {_ELSEWHERE}"
    )


def foreign(path: Path) -> StoreBroken:
    """The file is a SQLite database of somebody else's."""
    return StoreBroken(
        f"{path} is a database of another program and tracer leaves it alone; {_ELSEWHERE}"
    )


def newer(path: Path, names: list[str]) -> StoreBroken:
    """The file has migrations (`names`) that this tracer does not know."""
    word = "migration" if len(names) == 1 else "migrations"
    return StoreBroken(
        f"{path} was written by a newer tracer ({word} {', '.join(names)}); "
        f"upgrade tracer or {_ELSEWHERE}"
    )


def older(path: Path, reason: str) -> StoreBroken:
    """The file needs a migration that can't be done now, for `reason`."""
    return StoreBroken(
        f"{path} was written by an older tracer and can't be brought up to date ({reason}); "
        "copy it to a place where it can be written and use it there"
    )


def damaged(path: Path, error: Exception) -> StoreBroken:
    """The file is broken, as SQLite's `error` says."""
    return StoreBroken(_DAMAGED.format(path=path, error=error))


def store_error(error: sqlite3.Error | OSError, path: Path) -> StoreError | None:
    """The sentence for what went wrong; None for a fault of the program (a broken constraint)."""
    if isinstance(error, OSError):
        return StoreBroken(
            f"{path} can't be opened or created ({error.strerror or error}); "
            f"check the permissions of its folder or {_ELSEWHERE}"
        )
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreLocked(
            f"{path} is locked by another process; end that process or try again later"
        )
    text = _SENTENCES.get(primary)
    return None if text is None else StoreBroken(text.format(path=path, error=error))


_DAMAGED = (
    "{path} is damaged ({error}); move it away (`sqlite3 FILE .recover` may rescue what is in it)"
    " or " + _ELSEWHERE
)
_SENTENCES = {
    sqlite3.SQLITE_NOTADB: "{path} is not a SQLite database; move it away or " + _ELSEWHERE,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_READONLY: "{path} is read-only; make it and its folder writable or "
    + _ELSEWHERE,
    sqlite3.SQLITE_PERM: "{path} may not be opened; check its permissions or " + _ELSEWHERE,
    sqlite3.SQLITE_AUTH: "{path} may not be opened; check its permissions or " + _ELSEWHERE,
    sqlite3.SQLITE_CANTOPEN: "{path} can't be opened ({error}); check the permissions of the "
    "file and its folder or " + _ELSEWHERE,
    sqlite3.SQLITE_FULL: "no space is left to write {path}; free some (`tracer prune`) or "
    + _ELSEWHERE,
    sqlite3.SQLITE_IOERR: "reading or writing {path} failed ({error}); check the disk or "
    + _ELSEWHERE,
    # A statement the schema has no table or column for: the tables were changed by hand.
    sqlite3.SQLITE_ERROR: "{path} does not hold the tables it should ({error}); move it away or "
    + _ELSEWHERE,
}
