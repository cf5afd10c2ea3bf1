"""Message chains: stored as a linked list, read back as bodies, compared by ancestry."""

import sqlite3

from tracer.core.chain import ROOT, Link, SplitBody
from tracer.core.fingerprint import canonical_document, digest
from tracer.store import blobs

_FIND = "select id, depth, size from link where hash = ?"
_PUT = "insert into link (hash, canonical, parent, depth, size, blob) values (?, ?, ?, ?, ?, ?)"
_CHAIN = (
    "with recursive chain (id, parent, depth, hash, canonical, blob) as ("
    " select id, parent, depth, hash, canonical, blob from link where id = ?"
    " union all select link.id, link.parent, link.depth, link.hash, link.canonical, link.blob"
    # The depth ends the walk in a file whose links were made to run in a circle.
    " from chain join link on link.id = chain.parent and link.depth = chain.depth - 1)"
)


class MissingBase(Exception):
    """The chain a split body builds on is not in this database; split the whole body and retry.

    Nothing of the refused record was written.
    """


def put_chain(conn: sqlite3.Connection, body: SplitBody) -> tuple[int | None, int]:
    """`(row id of the last link or None, bytes of all elements)`; only new links are written."""
    last: int | None = None
    depth = size = 0
    if body.base != ROOT:
        row = conn.execute(_FIND, (body.base,)).fetchone()
        if row is None:
            raise MissingBase(body.base.hex())
        last, depth, size = row
    for link in body.new:
        row = conn.execute(_FIND, (link.exact,)).fetchone()
        if row is None:
            depth += 1
            size += len(link.data)
            blob = blobs.put(conn, link.data)
            values = (link.exact, link.canonical, last, depth, size, blob)
            last = conn.execute(_PUT, values).lastrowid
        else:
            last, depth, size = row
    return last, size


def add_link(conn: sqlite3.Connection, parent: bytes, data: bytes) -> bytes:
    """Store one element after `parent` (`ROOT` for the first) and return its exact hash.

    For importers: both hashes are computed here, so a file can't plant a message under the
    hash of another. Raises ValueError for an element that isn't JSON.
    """
    canonical = ROOT
    if parent != ROOT:
        row = conn.execute("select canonical from link where hash = ?", (parent,)).fetchone()
        if row is None:
            raise MissingBase(parent.hex())
        canonical = row[0]
    exact = digest((parent, data))
    canonical = digest((canonical, canonical_document(data.lstrip(b" \t\n\r,"))))
    body = SplitBody(b"", parent, 0, (Link(exact, canonical, data),), b"", exact, canonical, None)
    put_chain(conn, body)
    return exact


def elements(conn: sqlite3.Connection, last: int | None) -> bytes:
    """The bytes of a chain, from its first message to `last`."""
    rows = conn.execute(
        f"{_CHAIN} select depth, codec, size, data from chain join blob on blob.id = chain.blob",
        (last,),
    ).fetchall()
    rows.sort(key=lambda row: row[0])
    return b"".join(blobs.unpack(*row[1:]) for row in rows)


def hashes(conn: sqlite3.Connection, last: int | None) -> list[tuple[bytes, bytes]]:
    """`(exact, canonical)` of each message of a chain, first to last; reads no payload."""
    rows = conn.execute(f"{_CHAIN} select depth, hash, canonical from chain", (last,)).fetchall()
    return [(exact, canonical) for _, exact, canonical in sorted(rows)]


def hash_of(conn: sqlite3.Connection, link: int | None) -> tuple[bytes, bytes, int]:
    """`(exact, canonical, depth)` of a link; those of the empty chain for None."""
    row = conn.execute("select hash, canonical, depth from link where id = ?", (link,)).fetchone()
    return (ROOT, ROOT, 0) if row is None else row


def size_of(conn: sqlite3.Connection, link: int | None) -> int:
    """Bytes of all elements of a chain."""
    row = conn.execute("select size from link where id = ?", (link,)).fetchone()
    return 0 if row is None else int(row[0])


def shared(conn: sqlite3.Connection, a: int | None, b: int | None) -> int:
    """How many leading elements two chains have in common.

    Walks up from the longer one, then from both: a few rows for neighbours in a conversation.
    """
    depth_a, depth_b = _depth(conn, a), _depth(conn, b)
    # Counted here and not read from the rows, so that links in a circle end too.
    while a != b and depth_a > 0 and depth_b > 0:
        at_a, at_b = depth_a, depth_b
        if at_a >= at_b:
            a, depth_a = _parent(conn, a), at_a - 1
        if at_b >= at_a:
            b, depth_b = _parent(conn, b), at_b - 1
    return depth_a if a == b and a is not None else 0


def _depth(conn: sqlite3.Connection, link: int | None) -> int:
    row = conn.execute("select depth from link where id = ?", (link,)).fetchone()
    return 0 if row is None else int(row[0])


def _parent(conn: sqlite3.Connection, link: int | None) -> int | None:
    row = conn.execute("select parent from link where id = ?", (link,)).fetchone()
    return None if row is None else row[0]


def of_run(conn: sqlite3.Connection, run_id: str) -> list[tuple[bytes, bytes, int]]:
    """`(exact, parent's exact or ROOT, blob)` of each link a run uses, once, parents first."""
    rows = conn.execute(
        "with recursive used (id) as ("
        " select link from step join run on run.key = step.run"
        " where run.id = ? and link is not null"
        " union select link.parent from used join link on link.id = used.id"
        " where link.parent is not null)"
        " select link.hash, up.hash, link.blob from used"
        " join link on link.id = used.id left join link as up on up.id = link.parent"
        " order by link.depth",
        (run_id,),
    )
    return [(exact, ROOT if parent is None else parent, blob) for exact, parent, blob in rows]
