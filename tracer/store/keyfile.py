"""The key that marks of removed secrets are made with: a file beside the database, of its own.

Not in the database: a mark can't be undone, but who has the key could try all card numbers. A
database that was moved without it still replays; only whether a secret is the same can't be told.
"""

import os
import secrets
from pathlib import Path

_SIZE = 32


def path_of(database: Path) -> Path:
    """The file of a database's key."""
    return database.with_name(database.name + ".key")


def load(database: Path) -> bytes | None:
    """The key; None when there is none yet, or none that can be read."""
    try:
        key = path_of(database).read_bytes()
    except OSError:
        return None
    return key if len(key) == _SIZE else None


def load_or_make(database: Path) -> bytes:
    """The key, made for its owner's eyes alone if there is none. Raises OSError."""
    key = load(database)
    if key is not None:
        return key
    target = path_of(database)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Another process may be at it too: the file gets its name when it is whole, and only once.
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        made = secrets.token_bytes(_SIZE)
        with os.fdopen(handle, "wb") as file:
            file.write(made)
        _name(part, target)
    finally:
        part.unlink(missing_ok=True)
    key = load(database)
    if key is None:
        raise OSError(f"{target} is no key of tracer: remove it")
    return key


def _name(part: Path, target: Path) -> None:
    try:
        os.link(part, target)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not target.exists():
            part.replace(target)
