"""A run as one line of a list."""

import time
from dataclasses import dataclass

from tracer_ui.api import Run
from tracer_ui.formats import duration, iso, when
from tracer_ui.jsonlines import clip
from tracer_ui.stepviews import fork_words, run_cost, total_tokens

PAGE = 50
MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of the list. `depth` > 0: a fork or replay, under its parent.

    `reason` is what the person who forked it gave as one. `waits`: for somebody to answer.
    """

    id: str
    depth: int
    status: str
    name: str
    origin: str
    started: str
    when: str
    asked: str
    came: str
    error: str
    lineage: str
    reason: str
    steps: int
    duration: str
    tokens: int | None
    cost: str
    waits: bool = False


def run_row(run: Run, depth: int = 0) -> RunRow:
    """A run's line."""
    error = run.error
    failure = "" if error is None else f"{error.type.rsplit('.', 1)[-1]}: {error.message}"
    return RunRow(
        id=run.id,
        depth=min(depth, MAX_DEPTH),
        status=run.status,
        name=clip(run.name, 60),
        origin=run.origin,
        started=iso(run.started_ns),
        when=when(run.started_ns, time.time_ns()),
        asked=clip(run.input_text, 120),
        came=clip(run.output_text, 120),
        error=clip(" ".join(failure[:400].split()), 120),
        lineage=fork_words(run),
        reason=clip(str((run.fork or {}).get("reason") or ""), 200),
        steps=run.steps,
        duration=duration(run.duration_ms),
        tokens=total_tokens(run),
        cost=run_cost(run),
        waits=run.waiting and run.status == "running",
    )
