"""Runs and steps as the JSON other programs read: `tracer ls|show|fork|replay --json`.

Keys are a contract: they may be added to, never renamed. Times are RFC 3339 in UTC, durations
milliseconds, money US dollars.
"""

import json
from datetime import UTC, datetime
from typing import Any

from tracer.capture.values import plain
from tracer.core.records import JSON, ErrorInfo, Run, Step, Usage
from tracer.interchange.around import OUTSIDE, around
from tracer.providers import api_named
from tracer.providers.base import HttpRequest, ModelRequest
from tracer.store.reading import Store

FUNCTION_API = "openai.chat"  # model functions speak its message shape, by custom


def run_json(store: Store, run: Run, *, steps: bool) -> dict[str, JSON]:
    """One run; with all its steps and their payloads when `steps`."""
    shown: dict[str, JSON] = {
        "id": run.id,
        "name": run.name,
        "status": run.status,
        "waiting": run.waiting and run.status == "running",
        "started_at": timestamp(run.started_ns),
        "duration_ms": run.duration_ms,
        "input": run_value(store, run, "input"),
        "output": run_value(store, run, "output"),
        "error": _error(run.error),
        "usage": run.usage.as_json(),
        "cost_usd": run.cost_usd,
        "model_calls": run.model_calls,
        "tool_calls": run.tool_calls,
        "parent_run": run.parent_run,
        "fork": run.fork,
        "entry": run.entry,
        "origin": run.origin,
        "warnings": list(run.warnings),
        "environment": run.environment,
    }
    if steps:
        outside = around(store, run.id, OUTSIDE)
        shown["environment"] = run.environment | outside.environment
        shown |= outside.as_json()
        shown["steps"] = [step_json(store, step) for step in store.steps(run.id)]
    return shown


def step_json(store: Store, step: Step) -> dict[str, JSON]:
    """One step with its payloads; a model call's as OpenTelemetry messages, whatever the API."""
    return {
        "n": step.n,
        "id": step.id,
        "parent": step.parent,
        "kind": step.kind,
        "name": step.name,
        "status": step.status,
        "started_at": timestamp(step.started_ns),
        "duration_ms": step.duration_ms,
        "time_to_first_token_ms": step.ttft_ms,
        "source": step.source,
        "diverged": step.diverged,
        "model": step.model,
        "provider": step.provider,
        "input": step_input(store, step),
        "output": step_output(store, step),
        "error": _error(step.error),
        "usage": (step.usage or Usage()).as_json(),
        "cost_usd": step.cost_usd,
        "effect": step.effect,
        "summary": step.summary,
        "matched_step": step.matched_step,
        "callsite": step.callsite,
        "fidelity": step.fidelity,
        "detail": step.detail,
        **around(store, step.run_id, step.n).as_json(),
    }


def timestamp(ns: int) -> str:
    """`2026-09-21T14:13:20.250000Z` of nanoseconds since the epoch."""
    seconds, rest = divmod(ns, 10**9)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # an imported time outside the calendar
        moment = datetime.fromtimestamp(0, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def run_value(store: Store, run: Run, which: Any) -> JSON:
    """Input or output of a run as plain JSON."""
    data = store.run_value(run.id, which)
    return None if data is None else plain(data)


def asked(store: Store, step: Step) -> ModelRequest | None:
    """What a model call asked, read from its wire bytes; None for other steps."""
    if step.kind != "model":
        return None
    request = store.request(step)
    name = step.api
    if request is None:
        document = store.conversation(step)
        if document is None:
            return None
        request, name = HttpRequest("POST", "", (), document), FUNCTION_API
    try:
        api = api_named(name or FUNCTION_API)
    except (KeyError, ValueError):  # recorded by a tracer that knew more formats
        return None
    return api.read_request(request)


def step_input(store: Store, step: Step) -> JSON:
    """What a step was given: messages (model), the request (http), else its arguments."""
    request = asked(store, step)
    if request is not None:
        return request.messages
    sent = store.request(step)
    if sent is not None:
        return {"method": sent.method, "url": sent.url, "body": body_json(sent.body)}
    data = store.value(step, "input")
    return None if data is None else plain(data)


def step_output(store: Store, step: Step) -> JSON:
    """What came of a step: messages (model), the reply (http), else its result."""
    said = store.output_messages(step)
    if said is not None:
        return plain_json(said)
    reply = store.reply(step)
    if reply is not None:
        if step.kind == "model" and not reply.chunks:
            return None
        return {"status": reply.status, "body": body_json(b"".join(reply.chunks))}
    data = store.value(step, "output")
    return None if data is None else plain(data)


def body_json(body: bytes) -> JSON:
    """A body as JSON if it is that, else as text; None when empty."""
    return plain_json(body) if body else None


def plain_json(data: bytes) -> JSON:
    """Bytes as the JSON they hold, else as text."""
    text = data.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _error(error: ErrorInfo | None) -> JSON:
    return None if error is None else error.as_json()
