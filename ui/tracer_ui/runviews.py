"""A run as its page's head shows it: verdict, numbers, where it came from, what came of it."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tracer_ui import stepviews
from tracer_ui.api import Outcome, Run, Store
from tracer_ui.blocks import Room
from tracer_ui.detail import ErrorView, error_view
from tracer_ui.formats import iso, moment, number
from tracer_ui.jsonlines import clip
from tracer_ui.outline import Outline
from tracer_ui.site import Children

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class DivergenceView:
    """Where a re-execution left its recording."""

    step: int | None
    message: str


@dataclass(frozen=True, slots=True)
class ForkLink:
    """A fork or replay made of this run."""

    id: str
    words: str
    status: str


@dataclass(frozen=True, slots=True)
class RunHead:
    """Everything above the two panes."""

    run_id: str
    name: str
    status: str
    words: str
    started: str
    started_at: str
    origin: str
    steps: int
    model_calls: int
    tool_calls: int
    notes: int
    first_note: int | None
    error: ErrorView | None
    first_error: int | None
    error_count: int
    warnings: tuple[str, ...]
    divergences: tuple[DivergenceView, ...]
    parent_run: str | None
    lineage: str
    fork_step: int | None
    reason: str
    sources: str
    forks: tuple[ForkLink, ...]
    can_stop: bool
    verdict: str
    outcome: str
    environment: str


def run_head(store: Store, run: Run, outline: Outline, children: Children) -> RunHead:
    """The head of a run's page."""
    outcome = children.outcome(run.id)
    errors = outline.errors()
    notes = outline.of_kind("note")
    return RunHead(
        run_id=run.id,
        name=clip(run.name, 200),
        status=run.status,
        words=stepviews.run_words(run),
        started=iso(run.started_ns),
        started_at=moment(run.started_ns),
        origin=run.origin,
        steps=max(run.steps, outline.last),
        model_calls=run.model_calls,
        tool_calls=run.tool_calls,
        notes=len(notes),
        first_note=notes[0] if notes else None,
        error=None if run.error is None else error_view(run.error, Room()),
        first_error=errors[0] if errors else None,
        error_count=len(errors),
        warnings=tuple(clip(text, 600) for text in run.warnings[:_SHOWN]),
        divergences=tuple(map(_divergence, run.divergences[:_SHOWN])),
        parent_run=run.parent_run,
        lineage=stepviews.fork_words(run).capitalize(),
        fork_step=stepviews.fork_step(run),
        reason=clip(str((run.fork or {}).get("reason") or ""), 300),
        sources=_sources(outline) if run.parent_run is not None else "",
        forks=tuple(
            ForkLink(fork.id, stepviews.fork_words(fork), fork.status)
            for fork in store.forks_of(run.id)[:_SHOWN]
        ),
        can_stop=run.status == "running" and children.is_running(run.id),
        verdict="" if run.error is None else clip(_folded(run.error.message), 400),
        outcome=_outcome(run, outcome),
        environment="Environment and output" if run.environment.get("around") is True else "",
    )


def _divergence(record: dict[str, Any]) -> DivergenceView:
    n = record.get("n")
    return DivergenceView(
        n if isinstance(n, int) else None,
        clip(str(record.get("message") or record.get("kind") or "?"), 600),
    )


def _outcome(run: Run, outcome: Outcome | None) -> str:
    """How the process ended, where the run's own error doesn't say it already."""
    message = (outcome.message or "") if outcome is not None else ""
    if run.error is not None and run.error.message in message:
        return ""
    return clip(message, 600)


def _folded(text: str) -> str:
    return " ".join(text[:2000].split())


def _sources(outline: Outline) -> str:
    """`8 recorded · 1 edited · 3 live`, containers left out: they are always run."""
    counts = Counter(step.source for step in outline if step.kind in ("model", "tool", "http"))
    order = ("recorded", "substituted", "live", "stubbed")
    return " · ".join(
        f"{number(counts[source])} {stepviews.SOURCE_WORDS[source]}"
        for source in order
        if counts[source]
    )
