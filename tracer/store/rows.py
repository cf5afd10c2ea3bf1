"""Database rows as records. Pure but for the look whether a running run's process still lives."""

import json
from typing import Any

from tracer.core.records import ErrorInfo, Run, RunStatus, Slot, Step, StepStatus, Usage
from tracer.store import blobs
from tracer.store.liveness import still_running

Row = tuple[Any, ...]

RUN_COLUMNS = (
    "run.key, run.id, name, status, started_ns, ended_ns, error, input_tokens, output_tokens,"
    " cached_input_tokens, reasoning_tokens, cache_write_tokens, cost_usd, model_calls,"
    " tool_calls, steps, parent_run, fork, origin, pid, input_text, output_text, last_step_ns,"
    " divergences, warnings, unpriced, process,"
    " exists (select 1 from question where question.run = run.key and state = 'open'),"
    " entry, environment"
)
STEP_COLUMNS = (
    "n, id, parent, kind, name, status, source, started_ns, ended_ns, start_seq, end_seq, path,"
    " ordinal, fingerprint, summary, effect, model, provider, api, input_tokens, output_tokens,"
    " cached_input_tokens, reasoning_tokens, cache_write_tokens, cost_usd, ttft_ms, error,"
    " fidelity, diverged, matched_step, callsite, detail"
)


def run_status(status: RunStatus, origin: str, process: str | None, last_ns: int) -> RunStatus:
    """What the stored status means now: a run whose process died is interrupted."""
    if status != "running":
        return status
    mark = None if process is None else json.loads(process)
    return "running" if still_running(origin, mark, last_ns) else "interrupted"


def run_from(row: Row, documents: dict[int, bytes]) -> Run:
    """A run from `RUN_COLUMNS`; `documents` holds the blobs of its entry and environment."""
    (
        _key, id_, name, status, started_ns, ended_ns, error, *counts, cost_usd, model_calls,
        tool_calls, steps, parent_run, fork, origin, pid, input_text, output_text, last_step_ns,
        divergences, warnings, unpriced, process, waits, entry, environment,
    ) = row  # fmt: skip
    around = json.loads(documents[environment])
    if process is not None:
        around["process"] = json.loads(process)
    return Run(
        id=id_,
        name=name,
        status=run_status(status, origin, process, last_step_ns or started_ns),
        started_ns=started_ns,
        ended_ns=ended_ns,
        error=error_from(error),
        usage=Usage(*counts),
        cost_usd=cost_usd,
        model_calls=model_calls,
        tool_calls=tool_calls,
        steps=steps,
        parent_run=parent_run,
        fork=None if fork is None else json.loads(fork),
        entry=json.loads(documents[entry]),
        origin=origin,
        pid=pid,
        input_text=input_text,
        output_text=output_text,
        last_step_ns=last_step_ns,
        divergences=tuple(json.loads(divergences)),
        warnings=tuple(json.loads(warnings)),
        environment=around,
        waiting=bool(waits) and ended_ns is None,
        cost_incomplete=unpriced > 0,
    )


def step_from(row: Row, run_id: str, open_means: StepStatus) -> Step:
    """A step from `STEP_COLUMNS`; `open_means` is what a step without an end counts as."""
    (
        n, id_, parent, kind, name, status, source, started_ns, ended_ns, start_seq, end_seq,
        path, ordinal, fingerprint, summary, effect, model, provider, api, *counts, cost_usd,
        ttft_ms, error, fidelity, diverged, matched_step, callsite, detail,
    ) = row  # fmt: skip
    return Step(
        run_id=run_id,
        n=n,
        id=id_,
        parent=parent,
        kind=kind,
        name=name,
        status=open_means if status == "running" else status,
        source=source,
        started_ns=started_ns,
        ended_ns=ended_ns,
        start_seq=start_seq,
        end_seq=end_seq,
        slot=Slot(path, kind, ordinal),
        fingerprint=fingerprint,
        summary=summary,
        effect=effect,
        model=model,
        provider=provider,
        api=api,
        usage=None if all(count is None for count in counts) else Usage(*counts),
        cost_usd=cost_usd,
        ttft_ms=ttft_ms,
        error=error_from(error),
        fidelity=fidelity,
        diverged=bool(diverged),
        matched_step=matched_step,
        callsite=callsite,
        detail={} if detail == "{}" else json.loads(detail),
    )


def error_from(text: str | None) -> ErrorInfo | None:
    """An error column as a record; None for null."""
    if text is None:
        return None
    error = blobs.load(text)
    return ErrorInfo(error["type"], error["message"], error["traceback"])
