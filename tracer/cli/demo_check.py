"""The demo as a check: record, fork and compare each sample agent, and assert what must come out.

Everything happens in a temporary folder, against a model server of this process.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracer.cli.output import GREEN, RED, line
from tracer.cli.text import duration
from tracer.core.records import Run, Step
from tracer.demo import ledger
from tracer.demo.local_models import local_models
from tracer.demo.samples import SAMPLES, Sample
from tracer.interchange.compare import compare
from tracer.interchange.run_json import step_output
from tracer.reexecution.session import Outcome, ReplaySpec, plan, start
from tracer.reexecution.substitute import Substitute
from tracer.store.reading import Store

_SECONDS = 120


@dataclass(slots=True)
class Checks:
    """What was asserted of one sample, each with what was found when it does not hold."""

    sample: Sample
    lines: list[tuple[bool, str]] = field(default_factory=list)

    def that(self, holds: bool, claim: str, found: Any = None) -> None:
        """Note a claim, and what is there instead."""
        suffix = "" if holds else f": found {json.dumps(found, default=str)[:400]}"
        self.lines.append((holds, claim + suffix))

    @property
    def passed(self) -> bool:
        """Whether every claim holds."""
        return all(holds for holds, _ in self.lines)


def check_demo() -> bool:
    """Check all samples and print what was found; True when everything holds."""
    passed = True
    with local_models(force=True):
        for sample in SAMPLES:
            began = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="tracer-demo-") as folder:
                checks = check_sample(sample, Path(folder))
            _print(checks, (time.monotonic() - began) * 1000)
            passed = passed and checks.passed
    return passed


def check_sample(sample: Sample, folder: Path) -> Checks:
    """Record a sample in `folder`, fork it where it went wrong, compare; needs a model server."""
    checks = Checks(sample)
    with _variables(folder):
        status = record(sample, folder).returncode
        checks.that(status == 1, f"{sample.name} fails with exit status 1", status)
        with Store.open(folder / "traces.db") as store:
            failed = store.find_run("last")
            _check_failure(checks, failed)
            outcome, step = _fork(store, sample, failed)
            _check_fork(checks, store, failed, step, outcome)
        _check_ledger(checks, ledger.read())
    return checks


def record(sample: Sample, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a sample under `tracer run` in `folder`; its database is what TRACER_DB says."""
    # -P: a file tracer.py in the working directory must not be taken for this package.
    command = [sys.executable, "-P", "-m", "tracer", "run", "-m", sample.module]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
    )


@contextmanager
def _variables(folder: Path) -> Iterator[None]:
    wanted = {
        "TRACER_DB": str(folder / "traces.db"),
        "TRACER_DEMO_LEDGER": str(folder / "ledger.jsonl"),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _fork(store: Store, sample: Sample, failed: Run) -> tuple[Outcome, Step]:
    right = Substitute("tool_call", tool_name=sample.right.name, arguments=sample.right.arguments)
    planned = plan(
        store,
        ReplaySpec(failed.id, model_call=sample.blamed_call, substitute=right, tools={"*": "live"}),
    )
    assert planned.step is not None  # a fork has a step
    return start(planned, output="discard").wait(_SECONDS), planned.step


def _check_failure(checks: Checks, run: Run) -> None:
    sample = checks.sample
    found = (run.error.type, run.error.message) if run.error else None
    expected = (sample.error_type, sample.error_message)
    checks.that(run.status == "error", "the run is recorded as failed", run.status)
    checks.that(found == expected, f"because {sample.error_message}", found)
    calls = sample.failing_model_calls
    checks.that(run.model_calls == calls, f"after {calls} model calls", run.model_calls)


def _check_fork(checks: Checks, store: Store, failed: Run, step: Step, outcome: Outcome) -> None:
    sample = checks.sample
    claim = f"the fork at step {step.n} (model call {sample.blamed_call}) runs to its end"
    checks.that(outcome.exit_code == 0, claim, outcome.message)
    fork = store.find_run(outcome.run_id)
    steps = store.steps(fork.id)
    said = [step_output(store, s) for s in steps if s.kind == "agent" and s.parent is None]
    checks.that(sample.fixed_output in said, f"and answers: {sample.fixed_output}", said)
    calls = sample.fixed_model_calls
    checks.that(fork.model_calls == calls, f"after {calls} model calls", fork.model_calls)
    before = [s for s in steps if s.start_seq < step.start_seq and s.kind in ("model", "tool")]
    live = [s.n for s in before if s.source == "live"]
    checks.that(not live, "nothing before that step was asked or done again", live)
    compared = compare(store, failed, fork)
    first = compared.first_divergence
    checks.that(first == step.n, f"the two runs differ from step {step.n} on", first)


def _check_ledger(checks: Checks, found: list[dict[str, Any]]) -> None:
    """Each side effect once for each execution: none is repeated by the fork."""
    expected = [*checks.sample.failing_ledger, *checks.sample.fixed_ledger]
    order = [json.dumps(entry, sort_keys=True) for entry in expected]
    there = [json.dumps(entry, sort_keys=True) for entry in found]
    claim = f"the ledger holds each of the {len(order)} side effects once"
    checks.that(sorted(there) == sorted(order), claim, found)


def _print(checks: Checks, ms: float) -> None:
    sample = checks.sample
    line(f"{sample.name}: {'ok' if checks.passed else 'FAILED'} ({duration(ms)})")
    for holds, claim in checks.lines:
        line(f"  {'✓' if holds else '✗'} {claim}", GREEN if holds else RED)
