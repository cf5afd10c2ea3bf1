"""Write records of the store as JSON for a bundle: what `record_reading` reads back.

Payloads become references (`sha256`) through a `PutBlob`; message chains become numbers of links
through a `LinkNumbers`. Not written: the process id and what tells this machine from others.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tracer.core.chain import ROOT, SplitBody
from tracer.core.records import JSON, ErrorInfo, Usage
from tracer.store.writes import (
    Conversation,
    Reply,
    Request,
    RunEnd,
    RunStart,
    StepEnd,
    StepStart,
    Value,
)

PutBlob = Callable[[bytes], str]  # keeps a payload, returns its reference
PutChunks = Callable[[tuple[bytes, ...]], tuple[str, list[int]]]  # and the length of each chunk
LinkNumbers = Mapping[bytes, int]  # exact hash -> number of the link in the bundle's list


def run_start_json(start: RunStart, put: PutBlob) -> dict[str, JSON]:
    """The start of a run; `origin` is not said, because it is the reader's."""
    return {
        "id": start.run_id,
        "name": start.name,
        "started_ns": start.started_ns,
        "input": None if start.input is None else put(start.input.data),
        "entry": start.entry,
        "environment": {k: v for k, v in start.environment.items() if k != "process"},
        "parent_run": start.parent_run,
        "fork": start.fork,
        "listed": start.listed,
    }


def run_end_json(end: RunEnd, put: PutBlob) -> dict[str, JSON]:
    """The end of a run."""
    return {
        "status": end.status,
        "ended_ns": end.ended_ns,
        "output": None if end.output is None else put(end.output.data),
        "error": _error(end.error),
        "divergences": list(end.divergences),
        "warnings": list(end.warnings),
    }


def step_start_json(start: StepStart, put: PutBlob, links: LinkNumbers) -> dict[str, JSON]:
    """The start of a step."""
    return {
        "n": start.n,
        "id": start.id,
        "parent": start.parent,
        "kind": start.kind,
        "name": start.name,
        "source": start.source,
        "started_ns": start.started_ns,
        "start_seq": start.start_seq,
        "slot": [start.slot.path, start.slot.ordinal],
        "input": _given(start.input, put, links),
        "fingerprint": start.fingerprint,
        "summary": start.summary,
        "effect": start.effect,
        "api": start.api,
        "model": start.model,
        "provider": start.provider,
        "matched_step": start.matched_step,
        "callsite": start.callsite,
        "search_text": start.search_text,
        "detail": start.detail,
    }


def step_end_json(end: StepEnd, put: PutBlob, put_chunks: PutChunks) -> dict[str, JSON]:
    """The end of a step."""
    return {
        "n": end.n,
        "status": end.status,
        "ended_ns": end.ended_ns,
        "end_seq": end.end_seq,
        "output": _came(end.output, put, put_chunks),
        "messages": None if end.output_messages is None else put(end.output_messages),
        "error": _error(end.error),
        "usage": _usage(end.usage),
        "cost_usd": end.cost_usd,
        "ttft_ms": end.ttft_ms,
        "model": end.model,
        "fidelity": end.fidelity,
        "diverged": end.diverged,
        "summary": end.summary,
        "search_text": end.search_text,
        "detail": end.detail,
    }


def _given(given: Value | Request | Conversation | None, put: PutBlob, links: LinkNumbers) -> Any:
    match given:
        case None:
            return None
        case Value(data):
            return {"kind": "value", "data": put(data)}
        case Conversation(body):
            return {"kind": "conversation", "body": _body(body, put, links)}
        case Request():
            return {
                "kind": "request",
                "method": given.method,
                "url": given.url,
                "headers": [list(pair) for pair in given.headers],
                "body": _body(given.body, put, links),
            }


def _body(body: SplitBody, put: PutBlob, links: LinkNumbers) -> dict[str, JSON]:
    """A body whose messages are all in the chain that ends at `body.base`."""
    return {
        "head": put(body.head),
        "link": None if body.base == ROOT else links[body.base],
        "tail": put(body.tail),
    }


def _came(came: Value | Reply | None, put: PutBlob, put_chunks: PutChunks) -> Any:
    if came is None:
        return None
    if isinstance(came, Value):
        return {"kind": "value", "data": put(came.data)}
    data, lengths = put_chunks(came.chunks)
    return {
        "kind": "reply",
        "status": came.status,
        "headers": [list(pair) for pair in came.headers],
        "data": data,
        "chunks": lengths,
        "times_us": list(came.times_us),
        "complete": came.complete,
        "failure": came.failure,
    }


def _error(error: ErrorInfo | None) -> JSON:
    return None if error is None else error.as_json()


def _usage(usage: Usage | None) -> JSON:
    if usage is None:
        return None
    return {**usage.as_json(), "cache_write_tokens": usage.cache_write_tokens}
