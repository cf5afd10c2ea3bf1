"""Content-addressed bytes: put once, get by row id."""

import hashlib
import json
import sqlite3
import zlib
from typing import Final

from tracer.core.records import JSON

# Below this a deflate header eats what it saves.
_SMALLEST_PACKED: Final = 256

_FIND = "select id from blob where hash = ?"
_PUT = "insert into blob (hash, codec, size, data) values (?, ?, ?, ?)"
_GET = "select codec, size, data from blob where id = ?"


def content_hash(data: bytes) -> bytes:
    """The 16 bytes a payload is found by."""
    return hashlib.blake2b(data, digest_size=16).digest()


def pack(data: bytes) -> tuple[str, bytes]:
    """`(codec, stored bytes)`; level 1 because the writer shares the agent's processor."""
    if len(data) > _SMALLEST_PACKED:
        packed = zlib.compress(data, 1)
        if len(packed) < len(data):
            return "zlib", packed
    return "plain", data


def unpack(codec: str, size: int, data: bytes) -> bytes:
    """The plain bytes. Never inflates to more than `size`, whatever the file claims."""
    if codec == "plain":
        return data
    return zlib.decompressobj().decompress(data, max(size, 1))


def put(conn: sqlite3.Connection, data: bytes) -> int:
    """Row id of these bytes, stored now if they never were."""
    key = content_hash(data)
    row = conn.execute(_FIND, (key,)).fetchone()
    if row is not None:
        return int(row[0])
    codec, stored = pack(data)
    rowid = conn.execute(_PUT, (key, codec, len(data), stored)).lastrowid
    assert rowid is not None  # always set after an insert
    return rowid


def put_json(conn: sqlite3.Connection, value: JSON) -> int:
    """Store a JSON value as a payload; gives its row."""
    return put(conn, dump(value).encode())


def get(conn: sqlite3.Connection, rowid: int | None) -> bytes | None:
    """The bytes of a row; None for no row."""
    if rowid is None:
        return None
    row = conn.execute(_GET, (rowid,)).fetchone()
    return None if row is None else unpack(*row)


def size_of(conn: sqlite3.Connection, rowid: int | None) -> int:
    """Bytes of a row, unpacked; 0 for no row."""
    row = conn.execute("select size from blob where id = ?", (rowid,)).fetchone()
    return 0 if row is None else int(row[0])


def dump(value: JSON) -> str:
    """JSON in ASCII, so that lone surrogates survive; what isn't JSON is kept as its text."""
    return json.dumps(value, separators=(",", ":"), default=str)


def load(text: str) -> JSON:
    """A JSON column as a value."""
    return json.loads(text)
