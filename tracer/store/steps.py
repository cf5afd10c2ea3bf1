"""Writing rows of `step`: start, end, a price that arrives later."""

import sqlite3
from typing import assert_never

from tracer.core.records import JSON, Slot, Usage
from tracer.errors import NotFoundError
from tracer.store import blobs, facets, links, packing, runs, totals
from tracer.store.runs import Pending
from tracer.store.search import clean, passage_of
from tracer.store.writes import Conversation, Reply, Request, StepEnd, StepStart, Value

_START = (
    "insert into step (run, n, id, parent, kind, name, status, source, started_ns, start_seq,"
    " path, ordinal, fingerprint, summary, effect, model, provider, api, matched_step, callsite,"
    " detail, start_passage, input_kind, method, url, request_headers, input, link, tail)"
    " values (?, ?, ?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
    " ?, ?, ?, ?, ?, ?, ?)"
)
_END = (
    "update step set status = ?, ended_ns = ?, end_seq = ?, error = ?, input_tokens = ?,"
    " output_tokens = ?, cached_input_tokens = ?, reasoning_tokens = ?, cache_write_tokens = ?,"
    " cost_usd = ?, ttft_ms = ?, model = coalesce(?, model), fidelity = ?, diverged = ?,"
    " summary = coalesce(?, summary), detail = coalesce(?, detail), end_passage = ?,"
    " messages = ?, output_kind = ?, output = ?, reply_status = ?, reply_headers = ?,"
    " complete = ?, failure = ?, chunks = ? where key = ?"
)
_OPEN = (
    "select step.key, run.key, step.kind, path, ordinal, detail, step.status"
    " from run join step on step.run = run.key where run.id = ? and n = ?"
)
Given = Value | Request | Conversation | None

# Beyond any real count; keeps sums inside SQLite's integers whatever a reply claims.
_MOST_TOKENS = 1 << 48


def start(conn: sqlite3.Connection, step: StepStart, pending: Pending) -> None:
    """Insert a step that starts now. Raises MissingBase for a body on an unknown chain."""
    run = runs.key_of(conn, step.run_id)
    given = _put_input(conn, step.input)  # first, because it can refuse
    conn.execute(
        _START,
        (
            run,
            step.n,
            step.id,
            step.parent,
            step.kind,
            clean(step.name),
            step.source,
            step.started_ns,
            step.start_seq,
            clean(step.slot.path),
            step.slot.ordinal,
            step.fingerprint,
            clean(step.summary),
            step.effect,
            _clean(step.model),
            _clean(step.provider),
            step.api,
            step.matched_step,
            _clean(step.callsite),
            blobs.dump(step.detail) if step.detail else "{}",
            pending.put(conn, passage_of(step.name, step.search_text)),
            *given,
        ),
    )
    facets.of_step(
        conn, run, step.kind, clean(step.name), _clean(step.model), _clean(step.provider)
    )
    totals.started(conn, run, step.kind, step.slot.path, step.started_ns)


def end(conn: sqlite3.Connection, step: StepEnd, pending: Pending) -> None:
    """Fill in how a step ended and add it to its run's totals."""
    row = conn.execute(_OPEN, (step.run_id, step.n)).fetchone()
    if row is None:
        raise _no_step(step.run_id, step.n)
    key, run, kind, path, ordinal, detail, status = row
    if status != "running":
        raise ValueError(f"step {step.n} of run {step.run_id} has ended before")
    usage = bounded(step.usage)
    conn.execute(
        _END,
        (
            step.status,
            step.ended_ns,
            step.end_seq,
            runs.dump_error(step.error),
            *totals.columns(usage),
            step.cost_usd,
            step.ttft_ms,
            _clean(step.model),
            step.fidelity,
            step.diverged,
            _clean(step.summary),
            blobs.dump(blobs.load(detail) | step.detail) if step.detail else None,
            pending.put(conn, passage_of(step.search_text)),
            None if step.output_messages is None else blobs.put(conn, step.output_messages),
            *_put_output(conn, step.output),
            key,
        ),
    )
    if kind == "model" and (usage is not None or step.cost_usd is not None):
        totals.count_call(conn, run, key, path, Slot(path, kind, ordinal).child_path())
    if kind == "model":
        facets.add(conn, run, "model", _clean(step.model))
    if step.status == "error":
        facets.add(conn, run, "has", "error")
    totals.ended(conn, run, step.ended_ns)


def set_cost(conn: sqlite3.Connection, run_id: str, n: int, cost_usd: float) -> None:
    """Set or replace what one model call cost, and correct the run's total."""
    row = conn.execute(
        "select step.key, run.key, kind, path, ordinal, counted"
        " from run join step on step.run = run.key where run.id = ? and n = ?",
        (run_id, n),
    ).fetchone()
    if row is None:
        raise _no_step(run_id, n)
    key, run, kind, path, ordinal, counted = row
    if counted:
        totals.set_cost(conn, key, cost_usd)
        return
    conn.execute("update step set cost_usd = ? where key = ?", (cost_usd, key))
    if kind == "model":
        totals.count_call(conn, run, key, path, Slot(path, kind, ordinal).child_path())


def bounded(usage: Usage | None) -> Usage | None:
    """The usage with counts a database can add up; None when nothing is known."""
    if usage is None:
        return None
    counts = [None if n is None else max(0, min(int(n), _MOST_TOKENS)) for n in totals.of(usage)]
    return Usage(*counts) if any(count is not None for count in counts) else None


def _put_input(conn: sqlite3.Connection, given: Given) -> tuple[object, ...]:
    """Columns from `input_kind` to `tail`."""
    match given:
        case None:
            return (None,) * 7
        case Value(data):
            return ("value", None, None, None, blobs.put(conn, data), None, None)
        case Conversation(body):
            link, _ = links.put_chain(conn, body)
            tail = blobs.put(conn, body.tail) if body.tail else None
            return ("conversation", None, None, None, blobs.put(conn, body.head), link, tail)
        case Request(method, url, headers, body):
            link, size = links.put_chain(conn, body)
            length = len(body.head) + size + len(body.tail)
            return (
                "request",
                clean(method),
                clean(url),
                blobs.put_json(conn, packing.pack_headers(headers, length)),
                blobs.put(conn, body.head),
                link,
                blobs.put(conn, body.tail) if body.tail else None,
            )
        case _:
            assert_never(given)


def _put_output(conn: sqlite3.Connection, given: Value | Reply | None) -> tuple[object, ...]:
    """Columns from `output_kind` to `chunks`."""
    match given:
        case None:
            return (None,) * 7
        case Value(data):
            return ("value", blobs.put(conn, data), None, None, None, None, None)
        case Reply():
            body = b"".join(given.chunks)
            failure: JSON = given.failure
            return (
                "reply",
                blobs.put(conn, body),
                given.status,
                blobs.put_json(conn, packing.pack_headers(given.headers, len(body))),
                given.complete,
                None if failure is None else blobs.dump(failure),
                packing.pack_chunks(given.chunks, given.times_us),
            )
        case _:
            assert_never(given)


def _clean(text: str | None) -> str | None:
    return None if text is None else clean(text)


def _no_step(run_id: str, n: int) -> NotFoundError:
    return NotFoundError(f"run {run_id} has no step {n}; its start was not recorded")
