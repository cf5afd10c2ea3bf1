"""Runs as lines of a list: what went in, what came out, numbers, and what a person put on them."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tracer_ui.api import Family, Run, RunLabel, Store
from tracer_ui.formats import duration, iso, plural, when
from tracer_ui.jsonlines import clip
from tracer_ui.stepviews import fork_words, run_cost, total_tokens

PAGE = 50
MAX_DEPTH = 6
_NOTHING = RunLabel()


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of the list. `depth` > 0: a fork or replay, under the run `family`.

    `reason` is what the person who forked it gave as one; `kin` says how many re-executions are
    folded under it, "" for none; `open` when they are not folded; `waits`: for
    somebody to answer.
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
    pinned: bool
    tags: tuple[str, ...]
    note: str
    deleted: bool
    family: str
    kin: str
    open: bool
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Kin:
    """Where a row stands among its re-executions."""

    depth: int = 0
    family: str = ""
    kin: str = ""
    open: bool = False
    waits: bool = False  # one of those that are folded under it


ALONE = Kin()


def run_rows(store: Store, runs: Iterable[tuple[Run, Kin]]) -> tuple[RunRow, ...]:
    """The lines of runs; their labels are read at once."""
    runs = list(runs)
    labels = store.labels([run.id for run, _ in runs])
    return tuple(run_row(run, kin, labels.get(run.id, _NOTHING)) for run, kin in runs)


def run_row(run: Run, kin: Kin = ALONE, label: RunLabel = _NOTHING) -> RunRow:
    """A run's line."""
    error = run.error
    failure = "" if error is None else f"{error.type.rsplit('.', 1)[-1]}: {error.message}"
    return RunRow(
        id=run.id,
        depth=min(kin.depth, MAX_DEPTH),
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
        pinned=label.pinned,
        tags=label.tags,
        note=clip(" ".join(label.note.split()), 200),
        deleted=label.deleted_ns is not None,
        family=kin.family,
        kin=kin.kin,
        open=kin.open,
        waits=kin.waits or (run.waiting and run.status == "running"),
    )


def place_in(family: Family, run: Run) -> Kin:
    """Where a run stands in its family, as long as that is folded."""
    depth = dict(family.members).get(run.id, 0)
    if depth or run.id != family.root:
        return Kin(depth, family.root)
    kin = plural(len(family.members) - 1, "re-execution") if family.members[1:] else ""
    return Kin(kin=kin, waits=family.waits)
