"""Planning and starting a re-execution: checks first, then a child process.

`plan` looks at everything that can be known before anything runs; `start` runs the program again
in a child process of its own process group, which gets its instructions by a private file.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tracer.capture import hashseed
from tracer.capture.boundary import new_run_id
from tracer.capture.environment import proper_timezone, timezone
from tracer.capture.runtime import JOINING
from tracer.core.messages import Message
from tracer.core.records import JSON, Run, Step
from tracer.core.variation import Ignore
from tracer.errors import EXIT_CANNOT, CannotReplayError, NotFoundError, UsageError
from tracer.reexecution.breaks import parse_break
from tracer.reexecution.checks import (
    changed_source,
    check_answers,
    check_captured,
    check_entry,
    check_substitute,
    fork_step,
    served_warnings,
)
from tracer.reexecution.heldstate import held_warnings
from tracer.reexecution.policy import Policies
from tracer.reexecution.process_checks import check_processes, process_warnings
from tracer.reexecution.redacted import redacted_warnings
from tracer.reexecution.rules import After
from tracer.reexecution.scratch import check_workspace
from tracer.reexecution.spec import WAIT_MINUTES, ReplaySpec, command_line
from tracer.reexecution.substitute import Substitute
from tracer.store.reading import Store

Output = Literal["inherit", "stderr", "discard"]
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A re-execution that can start: `step` is the fork step, `said` what the model says there.

    `child_run_id` is the new run's id, `served` how many steps come from the recording first,
    `command` the same as a command line.
    """

    spec: ReplaySpec
    database: Path
    run: Run
    step: Step | None
    child_run_id: str
    warnings: list[str]
    served: int
    said: Message | None
    entry: dict[str, JSON]
    command: str

    def instructions(self, folder: Path | None) -> dict[str, JSON]:
        """What the re-executing process is told; the outcome goes into `folder`."""
        spec = self.spec
        return {
            "database": str(self.database),
            "parent": self.run.id,
            "run_id": self.child_run_id,
            "entry": self.entry,
            "step": self.step.id if self.step is not None else None,
            "substitute": spec.substitute.as_json() if spec.substitute is not None else None,
            "after": spec.after,
            "tools": dict(spec.tools),
            "ceilings": spec.ceilings.as_json(),
            "reason": spec.reason,
            "keep_writes": spec.keep_writes,
            "allow_writes": list(spec.allow_writes),
            "ignore": list(spec.ignore),
            "serve_anyway": spec.serve_anyway,
            "break_at": spec.break_at,
            "breaks": list(spec.breaks),
            "patience": spec.patience,
            "outcome": None if folder is None else str(folder / "outcome.json"),
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a re-execution ended. `message` is one sentence for a person, None when all is well."""

    run_id: str
    exit_code: int
    message: str | None
    divergences: list[dict[str, JSON]]
    held_writes: tuple[str, ...] = ()  # paths whose changes were kept from the world


def plan(store: Store, spec: ReplaySpec) -> Plan:
    """Check everything that can be known before running; nothing is run.

    Raises NotFoundError (no such run or step), UsageError (options that make no sense together)
    or CannotReplayError (with what would make it possible).
    """
    return plan_with_entry(store, spec, None)


def plan_with_entry(store: Store, spec: ReplaySpec, entry: dict[str, JSON] | None) -> Plan:
    """`plan`, with an entry that is known already (None: look it up)."""
    run = store.find_run(spec.run_id)
    steps = store.steps(run.id)
    step = fork_step(store, run, steps, spec.step, spec.model_call)
    if (step is None) != (spec.substitute is None):
        raise UsageError("a fork needs both a step and what to give there instead")
    if spec.substitute is not None and spec.substitute.kind == "again" and spec.after == "recorded":
        raise UsageError("asking again is a call for real: use --after live or --after ask")
    if spec.break_at is not None:
        store.step(run.id, spec.break_at)
    Policies(spec.tools)
    if spec.breaks and step is None:
        raise UsageError(
            "breakpoints stop behind a fork: name a step and what to give there instead"
        )
    for text in spec.breaks:
        parse_break(text)
    for rule in spec.ignore:
        Ignore.parse(rule)
    entry = check_entry(run, spec.script, spec.function) if entry is None else entry
    check_captured(run, steps, step)
    check_answers(steps, step)
    check_processes(steps, step)
    check_workspace(store.path, run, steps, step)
    warnings: list[str] = []
    said = None
    if step is not None and spec.substitute is not None:
        said = check_substitute(store, steps, step, spec.substitute, warnings)
    if step is not None:
        warnings += held_warnings(store, steps, step)
    warnings += _policy_warnings(spec, steps)
    warnings += served_warnings(steps, step)
    warnings += redacted_warnings(store, run, steps, step)
    warnings += process_warnings(steps, step, live=spec.after != "recorded")
    warnings += changed_source(entry)
    served = len(steps) if step is None else sum(s.start_seq < step.start_seq for s in steps)
    return Plan(
        spec,
        store.path,
        run,
        step,
        new_run_id(),
        warnings,
        served,
        said,
        entry,
        command_line(run, step, spec),
    )


def _policy_warnings(spec: ReplaySpec, steps: list[Step]) -> list[str]:
    tools = {step.name for step in steps if step.kind == "tool"}
    tools |= {name.split(" ", 1)[0] for name in tools if name.startswith("subprocess ")}
    unknown = [name for name in Policies(spec.tools).names if name not in tools and name != "http"]
    return [f"no tool named {name} ran in the recording" for name in unknown]


class Child:
    """A re-execution under way, in its own process group."""

    def __init__(self, process: subprocess.Popen[bytes], run_id: str, folder: Path) -> None:
        self.run_id = run_id
        self.process = process
        self._folder = folder
        self._outcome: Outcome | None = None

    def poll(self) -> Outcome | None:
        """The outcome when it has ended, else None."""
        if self._outcome is None and self.process.poll() is not None:
            self._outcome = self._read()
        return self._outcome

    def wait(self, timeout: float | None = None) -> Outcome:
        """Wait for the end. Raises subprocess.TimeoutExpired."""
        self.process.wait(timeout)
        outcome = self.poll()
        assert outcome is not None
        return outcome

    def stop(self) -> None:
        """End the whole process group: Ctrl-C first, then for good."""
        for sent in (signal.SIGINT, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sent)
            except ProcessLookupError:
                return
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return

    def _read(self) -> Outcome:
        result = self._folder / "outcome.json"
        try:
            data = json.loads(result.read_text("utf-8"))
            outcome = Outcome(
                self.run_id,
                data["exit_code"],
                data["message"],
                data["divergences"],
                tuple(data.get("held_writes") or ()),
            )
        except (OSError, ValueError, KeyError):
            outcome = self._without_result()
        shutil.rmtree(self._folder, ignore_errors=True)
        return outcome

    def _without_result(self) -> Outcome:
        code = self.process.returncode
        if code == -signal.SIGINT:
            return Outcome(self.run_id, 1, "the re-execution was stopped", [])
        how = f"was killed by signal {-code}" if code < 0 else f"left with status {code}"
        message = f"the re-executed program {how} before it could report"
        return Outcome(self.run_id, 1 if code else 0, message, [])


def start(plan: Plan, *, output: Output = "inherit") -> Child:
    """Run the program again in a child process. Raises CannotReplayError when it can't start."""
    folder = Path(tempfile.mkdtemp(prefix="tracer-"))
    instructions = folder / "plan.json"
    with open(os.open(instructions, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        json.dump(plan.instructions(folder), file)
    executable = _interpreter(plan)
    # -P: a file tracer.py in the working directory must not be taken for this package.
    command = [executable, "-P", "-m", "tracer.reexecution.child", str(instructions)]
    targets: dict[Output, Any] = {
        "inherit": None,
        "stderr": sys.stderr.fileno() if output == "stderr" else None,
        "discard": subprocess.DEVNULL,
    }
    try:
        process = subprocess.Popen(
            command,
            cwd=_folder_of(plan),
            env=_environment(plan),
            # Who can't see the program's output can't answer its questions either.
            stdin=None if output == "inherit" else subprocess.DEVNULL,
            stdout=targets[output],
            stderr=subprocess.DEVNULL if output == "discard" else None,
            start_new_session=True,
        )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise CannotReplayError(
            f"the program can't be started with {executable}: {error.strerror}"
        ) from None
    return Child(process, plan.child_run_id, folder)


def _interpreter(plan: Plan) -> str:
    """The interpreter that recorded a local run, while it is there: it has what the agent needs."""
    recorded = plan.entry.get("executable")
    usable = isinstance(recorded, str) and os.access(recorded, os.X_OK)
    return str(recorded) if usable and plan.run.origin == "local" else sys.executable


def _folder_of(plan: Plan) -> str | None:
    folder = plan.entry.get("cwd")
    return folder if isinstance(folder, str) and os.path.isdir(folder) else None


def _environment(plan: Plan) -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if key not in JOINING}
    wished = plan.run.environment.get("redact")
    if plan.run.origin == "local" and isinstance(wished, str):  # a file's word imports nothing
        environment.setdefault("TRACER_REDACT", wished)
    zone = proper_timezone(plan.run.environment.get("timezone"))
    if zone is not None and zone != timezone():
        environment["TZ"] = zone  # local times are those of the recording
    return environment | hashseed.variables(plan.run.entry, environment)


def find_original(store: Store, run: Run) -> Run:
    """The run at the root of a line of forks."""
    while run.parent_run is not None:
        try:
            run = store.find_run(run.parent_run)
        except NotFoundError:
            break
    return run


def wait_interruptible(child: Child, meanwhile: Callable[[], None] = lambda: None) -> Outcome:
    """Wait for a child; Ctrl-C here ends the child's process group."""
    try:
        while (outcome := child.poll()) is None:
            meanwhile()
            time.sleep(0.02)
    except KeyboardInterrupt:
        child.stop()
        return child.wait(STOP_SECONDS)
    return outcome


__all__ = [
    "EXIT_CANNOT",
    "WAIT_MINUTES",
    "After",
    "Child",
    "Outcome",
    "Plan",
    "ReplaySpec",
    "Substitute",
    "plan",
    "start",
    "wait_interruptible",
]
