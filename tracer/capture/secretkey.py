"""The key that this process makes marks with: that of the database it records into."""

import os
from pathlib import Path

from tracer.capture import config
from tracer.capture.guard import report
from tracer.store import keyfile

_database: Path | None = None
_key: bytes | None = None


def use_database(database: Path) -> None:
    """Marks are made with the key of this database from now on."""
    global _database, _key
    if database != _database:
        _database, _key = database, None


def key() -> bytes:
    """The key in use; made when the first secret is found."""
    global _key
    if _key is None:
        try:
            _key = keyfile.load_or_make(_database or config.database_path())
        except OSError as error:
            report("the key for removed secrets", error)
            _key = os.urandom(32)
    return _key
