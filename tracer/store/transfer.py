"""A run as the records that would write it again, here or elsewhere."""

import json
import sqlite3
from collections.abc import Iterator

from tracer.core.records import Run, Step
from tracer.store import blobs, packing, payloads
from tracer.store.search import passage_of
from tracer.store.writes import (
    Conversation,
    Noted,
    Reply,
    Request,
    RunEnd,
    RunStart,
    StepEnd,
    StepStart,
    Value,
)

Write = RunStart | StepStart | StepEnd | Noted | RunEnd


def run_start(conn: sqlite3.Connection, run: Run) -> RunStart:
    """The record that writes a run's start again."""
    row = conn.execute("select environment, input from run where id = ?", (run.id,)).fetchone()
    environment, given = (blobs.get(conn, rowid) for rowid in row)
    return RunStart(
        run_id=run.id,
        name=run.name,
        started_ns=run.started_ns,
        input=None if given is None else Value(given),
        entry=run.entry,
        pid=run.pid,
        environment=json.loads(environment or b"{}"),  # without the mark of this machine's process
        parent_run=run.parent_run,
        fork=run.fork,
        origin=run.origin,
        listed=run.input_text,
    )


def run_end(conn: sqlite3.Connection, run: Run) -> RunEnd | None:
    """None for a run that never ended."""
    if run.ended_ns is None:
        return None
    came = payloads.run_value(conn, run.id, "output")
    return RunEnd(
        run_id=run.id,
        status=run.status,
        ended_ns=run.ended_ns,
        output=None if came is None else Value(came),
        error=run.error,
        divergences=run.divergences,
        warnings=run.warnings,
    )


def step_writes(conn: sqlite3.Connection, step: Step) -> Iterator[StepStart | StepEnd]:
    """The start of a step and, if it ended, its end. Its `detail` is all in the start."""
    yield StepStart(
        run_id=step.run_id,
        n=step.n,
        id=step.id,
        parent=step.parent,
        kind=step.kind,
        name=step.name,
        source=step.source,
        started_ns=step.started_ns,
        start_seq=step.start_seq,
        slot=step.slot,
        input=_input(conn, step),
        fingerprint=step.fingerprint,
        summary=step.summary,
        effect=step.effect,
        api=step.api,
        model=step.model,
        provider=step.provider,
        matched_step=step.matched_step,
        callsite=step.callsite,
        search_text=_new_text(conn, step),
        detail=step.detail,
    )
    if step.ended_ns is None or step.end_seq is None:
        return
    yield StepEnd(
        run_id=step.run_id,
        n=step.n,
        status=step.status,
        ended_ns=step.ended_ns,
        end_seq=step.end_seq,
        output=_output(conn, step),
        output_messages=payloads.output_messages(conn, step),
        error=step.error,
        usage=step.usage,
        cost_usd=step.cost_usd,
        ttft_ms=step.ttft_ms,
        fidelity=step.fidelity,
        diverged=step.diverged,
        search_text=payloads.passage(conn, step, "end"),
    )


def _input(conn: sqlite3.Connection, step: Step) -> Value | Request | Conversation | None:
    body = payloads.split_body(conn, step)
    if body is None:
        data = payloads.value(conn, step, "input")
        return None if data is None else Value(data)
    kind, method, url, headers = payloads.columns(
        conn, step, "input_kind, method, url, request_headers"
    )
    if kind == "conversation":
        return Conversation(body)
    length = payloads.body_length(conn, step)
    packed = blobs.get(conn, headers) or b"[]"
    return Request(method, url, packing.unpack_headers(packed, length), body)


def _output(conn: sqlite3.Connection, step: Step) -> Value | Reply | None:
    data = payloads.value(conn, step, "output")
    return payloads.reply(conn, step) if data is None else Value(data)


def _new_text(conn: sqlite3.Connection, step: Step) -> str:
    # The stored text starts with the step's name, which the import will put there again.
    text = payloads.passage(conn, step, "start")
    return text.removeprefix(passage_of(step.name)).removeprefix("\n")
