"""`tracer replay --all`: every stored run, or every bundle of a folder, against today's code.

Runs are replayed one after the other, each in a process of its own. Replays that come to the same
are not kept; of a run that diverged the replay stays, so that it can be looked at.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import click

from tracer.cli.options import database
from tracer.cli.output import BOLD, FAINT, GREEN, RED, YELLOW, Cell, Style, say, table, write_json
from tracer.cli.text import count, duration
from tracer.core.records import JSON, Run
from tracer.errors import (
    EXIT_AGENT_FAILED,
    EXIT_CANNOT,
    EXIT_DIVERGED,
    EXIT_DONE,
    EXIT_POLICY,
    BadFileError,
    TracerError,
    UsageError,
)
from tracer.interchange.bundle import read_bundle
from tracer.reexecution.session import Outcome, ReplaySpec, plan, start, wait_interruptible
from tracer.store.pruning import prune
from tracer.store.reading import Store

Verdict = Literal["same", "diverged", "failed", "stopped", "cannot"]
BUNDLES = "*.tracer"
_VERDICTS: dict[int, Verdict] = {
    EXIT_DONE: "same",
    EXIT_AGENT_FAILED: "failed",
    EXIT_DIVERGED: "diverged",
    EXIT_POLICY: "stopped",
}
# What weighs most is the exit code of all.
_WEIGHT = (EXIT_DIVERGED, EXIT_AGENT_FAILED, EXIT_POLICY, EXIT_CANNOT)
_STYLES: dict[Verdict, Style] = {
    "same": GREEN,
    "diverged": RED,
    "failed": RED,
    "stopped": YELLOW,
    "cannot": YELLOW,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One run and what its replay came to; `run` None: the file could not be read."""

    file: str | None
    run: Run | None
    exit_code: int
    message: str | None
    step: int | None = None  # where it diverged
    replay: str | None = None
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        return _VERDICTS.get(self.exit_code, "cannot")

    def as_json(self) -> dict[str, JSON]:
        """The row for programs."""
        return {
            "file": self.file,
            "run": None if self.run is None else self.run.id,
            "name": None if self.run is None else self.run.name,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "step": self.step,
            "message": self.message,
            "replay": self.replay,
            "seconds": round(self.seconds, 3),
        }


def replay_all(place: str | None, spec: ReplaySpec, as_json: bool) -> int:
    """Replay what the database (`place` None) or a folder of bundles holds; the exit code.

    `spec` says how; its run id is put in. Raises UsageError where nothing is found.
    """
    began = time.monotonic()
    rows = _of_database(spec) if place is None else _of_folder(Path(place), spec)
    if as_json:
        write_json({"runs": [row.as_json() for row in rows], **_counts(rows)})
    else:
        table([_cells(row) for row in rows], right=frozenset({3}))
    found = ", ".join(f"{number} {verdict}" for verdict, number in _counts(rows).items() if number)
    say(f"{count(len(rows), 'run')}: {found} · {duration((time.monotonic() - began) * 1000)}")
    codes = {row.exit_code for row in rows}
    return next((code for code in _WEIGHT if code in codes), EXIT_DONE)


def _counts(rows: list[Row]) -> dict[Verdict, int]:
    return {verdict: sum(row.verdict == verdict for row in rows) for verdict in _STYLES}


def _of_database(spec: ReplaySpec) -> list[Row]:
    path = database()
    with Store.open(path) as store:
        runs = [run for run in reversed(store.runs()) if _is_of_interest(run)]
    if not runs:
        raise UsageError("no run is recorded here: record one with `tracer run SCRIPT`")
    with _progress(len(runs)) as bar:
        rows = [_replayed(path, run, spec, bar) for run in runs]
    same = [row.replay for row in rows if row.verdict == "same" and row.replay is not None]
    if same:
        prune(path, same)
    return [replace(row, replay=None if row.verdict == "same" else row.replay) for row in rows]


def _is_of_interest(run: Run) -> bool:
    """Whether it says something that no other run says: a replay only repeats its parent."""
    return run.status != "running" and (run.parent_run is None or run.fork is not None)


def _of_folder(folder: Path, spec: ReplaySpec) -> list[Row]:
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder: name one that holds bundles ({BUNDLES})")
    files = sorted(folder.rglob(BUNDLES))
    if not files:
        raise UsageError(f"{folder} holds no bundle ({BUNDLES}): `tracer export RUN -o FILE`")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="tracer-") as scratch, _progress(len(files)) as bar:
        for number, file in enumerate(files):
            rows += _of_file(file, Path(scratch) / f"{number}.db", spec, bar)
    return rows


def _of_file(file: Path, scratch: Path, spec: ReplaySpec, bar: "Bar") -> Iterator[Row]:
    try:
        found = read_bundle(file, scratch)
    except TracerError as error:
        bar.step(str(file))
        yield Row(str(file), None, EXIT_CANNOT, _sentence(error, file))
        return
    bar.more(len(found) - 1)
    for one in found:
        with Store.open(scratch) as store:
            run = store.find_run(one.run_id)
        if _is_of_interest(run):
            # The scratch database is thrown away, and the replay with it.
            yield replace(_replayed(scratch, run, spec, bar), file=str(file), replay=None)
        else:
            bar.step(run.name)


def _sentence(error: TracerError, file: Path) -> str:
    text = str(error)
    return text if isinstance(error, BadFileError) else f"{file}: {text}"


def _replayed(path: Path, run: Run, spec: ReplaySpec, bar: "Bar") -> Row:
    bar.step(f"{run.id[:8]} {run.name}")
    began = time.monotonic()
    try:
        with Store.open(path) as store:
            planned = plan(store, replace(spec, run_id=run.id))
        child = start(planned, output="discard")
        outcome = wait_interruptible(child)
    except TracerError as error:
        return Row(None, run, error.exit_code, str(error), seconds=time.monotonic() - began)
    return Row(
        None,
        run,
        outcome.exit_code,
        outcome.message,
        _step_of(outcome),
        outcome.run_id,
        time.monotonic() - began,
    )


def _step_of(outcome: Outcome) -> int | None:
    """The number of the recorded step at which it first diverged."""
    numbers = (item.get("n") for item in outcome.divergences)
    return next((n for n in numbers if isinstance(n, int)), None)


def _cells(row: Row) -> list[Cell]:
    run = row.run
    shown: str = row.verdict
    if shown == "diverged" and row.step is not None:
        shown = f"diverged at step {row.step}"
    return [
        Cell("-" if run is None else run.id[:8], BOLD),
        Cell("" if run is None else run.name[:24]),
        Cell(shown, _STYLES[row.verdict]),
        Cell(duration(row.seconds * 1000), FAINT),
        Cell(": ".join(filter(None, (Path(row.file or "").name, row.message)))),
    ]


class Bar:
    """Progress on standard error, where a person looks at it."""

    def __init__(self, shown: Any) -> None:  # click's own class is not public
        self._shown = shown
        self._begun = False

    def step(self, name: str) -> None:
        """Say what is under way; what was before is done."""
        if self._shown is None:
            return
        if self._begun:
            self._shown.update(1)
        self._begun = True
        self._shown.label = name[:32]
        self._shown.render_progress()

    def more(self, number: int) -> None:
        """There is more to do than was known."""
        if self._shown is not None and self._shown.length is not None:
            self._shown.length += number


@contextmanager
def _progress(length: int) -> Iterator[Bar]:
    if not sys.stderr.isatty():
        yield Bar(None)
        return
    with click.progressbar(length=length, file=sys.stderr, show_pos=True) as shown:
        yield Bar(shown)
        shown.update(1)
