"""Reading what a step was given and what came of it, byte for byte."""

import json
import sqlite3
from typing import Any

from tracer.core.chain import SplitBody, rest_hash
from tracer.core.records import Step
from tracer.providers.base import HttpRequest
from tracer.store import blobs, links, packing
from tracer.store.writes import Reply

Row = tuple[Any, ...]


def columns(conn: sqlite3.Connection, step: Step, names: str) -> Row:
    """Columns of a step's row; Nones when it was pruned meanwhile."""
    row: Row | None = conn.execute(
        f"select {names} from step where n = ? and run = (select key from run where id = ?)",
        (step.n, step.run_id),
    ).fetchone()
    return (None,) * (names.count(",") + 1) if row is None else row


def value(conn: sqlite3.Connection, step: Step, which: str) -> bytes | None:
    """The tagged JSON of a step's input or output; None where it has none."""
    assert which in ("input", "output")  # becomes part of the statement
    kind, rowid = columns(conn, step, f"{which}_kind, {which}")
    return blobs.get(conn, rowid) if kind == "value" else None


def request(conn: sqlite3.Connection, step: Step) -> HttpRequest | None:
    """The request of a step, its body to the byte; None for steps without one."""
    kind, method, url, headers, *_ = columns(conn, step, "input_kind, method, url, request_headers")
    if kind != "request":
        return None
    sent = _body(conn, step)
    packed = blobs.get(conn, headers) or b"[]"
    return HttpRequest(method, url, packing.unpack_headers(packed, len(sent)), sent)


def conversation(conn: sqlite3.Connection, step: Step) -> bytes | None:
    """The JSON document a model function was given; None for other steps."""
    (kind,) = columns(conn, step, "input_kind")
    return _body(conn, step) if kind == "conversation" else None


def split_body(conn: sqlite3.Connection, step: Step) -> SplitBody | None:
    """The body of a request or conversation, its messages as a base: none of them is read."""
    kind, head, link, tail = columns(conn, step, "input_kind, input, link, tail")
    if kind not in ("request", "conversation"):
        return None
    before, after = blobs.get(conn, head) or b"", blobs.get(conn, tail) or b""
    exact, canonical, depth = links.hash_of(conn, link)
    rest = rest_hash(before + after)
    return SplitBody(before, exact, depth, (), after, exact, canonical, rest)


def body_length(conn: sqlite3.Connection, step: Step) -> int:
    """Bytes of the body of a request or conversation; reads none of its messages."""
    head, last, tail = columns(conn, step, "input, link, tail")
    return blobs.size_of(conn, head) + links.size_of(conn, last) + blobs.size_of(conn, tail)


def reply(conn: sqlite3.Connection, step: Step) -> Reply | None:
    """The reply of a step, in the chunks it came in; None for steps without one."""
    kind, rowid, status, headers, complete, failure, packed = columns(
        conn, step, "output_kind, output, reply_status, reply_headers, complete, failure, chunks"
    )
    if kind != "reply":
        return None
    received = blobs.get(conn, rowid) or b""
    chunks, times = packing.unpack_chunks(packed, received)
    return Reply(
        status=status,
        headers=packing.unpack_headers(blobs.get(conn, headers) or b"[]", len(received)),
        chunks=chunks,
        times_us=times,
        complete=bool(complete),
        failure=None if failure is None else json.loads(failure),
    )


def output_messages(conn: sqlite3.Connection, step: Step) -> bytes | None:
    """What the model said, as JSON of OpenTelemetry messages; None if it said nothing."""
    (rowid,) = columns(conn, step, "messages")
    return blobs.get(conn, rowid)


def outcome_keys(conn: sqlite3.Connection, run_id: str) -> dict[int, tuple[int | None, int | None]]:
    """By step number: the blob of what came of it, and the HTTP status."""
    rows = conn.execute(
        "select n, coalesce(messages, output), reply_status from step"
        " where run = (select key from run where id = ?)",
        (run_id,),
    )
    return {n: (blob, status) for n, blob, status in rows}


def link(conn: sqlite3.Connection, step: Step) -> int | None:
    """Row of the last message of a step's body."""
    (rowid,) = columns(conn, step, "link")
    return None if rowid is None else int(rowid)


def run_value(conn: sqlite3.Connection, run_id: str, which: str) -> bytes | None:
    """The tagged JSON of a run's input or output; None where it has none."""
    assert which in ("input", "output")
    row = conn.execute(f"select {which} from run where id = ?", (run_id,)).fetchone()
    return None if row is None else blobs.get(conn, row[0])


def passage(conn: sqlite3.Connection, step: Step, which: str) -> str:
    """The searchable text stored with the start or end of a step."""
    assert which in ("start", "end")
    (rowid,) = columns(conn, step, f"{which}_passage")
    row = conn.execute("select codec, size, data from passage where id = ?", (rowid,)).fetchone()
    return "" if row is None else blobs.unpack(*row).decode()


def _body(conn: sqlite3.Connection, step: Step) -> bytes:
    head, last, tail = columns(conn, step, "input, link, tail")
    before, after = blobs.get(conn, head) or b"", blobs.get(conn, tail) or b""
    return before + links.elements(conn, last) + after
