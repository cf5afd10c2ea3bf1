"""Whole programs as runs (`tracer run`): start, end, and the one line said at the end."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from tracer.capture import agents, discovery, runtime
from tracer.capture import scope as scopes
from tracer.capture.around.variables import of_exception
from tracer.capture.boundary import ActiveRun
from tracer.capture.exceptions import error_info
from tracer.capture.values import encode
from tracer.core.records import JSON


class ProgramRun:
    """A program that is one run: its code runs in the run's root scope."""

    def __init__(self, run: ActiveRun, entry: dict[str, JSON]) -> None:
        self.run = run
        self._from_terminal = bool(entry.get("terminal"))
        self._input: Any = None

    def enter(self) -> Any:
        if self.run.draws is not None:
            from tracer.capture.ambient import stdin  # loads ctypes, as have the draws

            self._input = stdin.put_in_place(self.run.draws, terminal=self._from_terminal)
        return scopes.set_current(self.run.root)

    def leave(self, before: Any) -> None:
        scopes.set_current(before)
        if self._input is not None:
            from tracer.capture.ambient import stdin  # as above

            stdin.take_back(self._input)


def open_program(
    name: str,
    args: list[str],
    entry: dict[str, JSON],
    *,
    discover: bool = True,
    tools: Sequence[str] = (),
    workspace: str | None = None,
) -> ProgramRun:
    """Start the run of a program; `discover` and `tools` as `discovery.wish` has them,
    `workspace` as `runtime.open_run`."""
    given, _ = encode({"argv": args})
    entry = entry | discovery.wish(discover=discover, tools=tools)
    run = runtime.open_run(name, given, entry, workspace)
    discovery.start(run, entry)
    run.is_program = True
    return ProgramRun(run, entry)


def close_program(program: ProgramRun, status: int, error: BaseException | None) -> None:
    """End it: `ok` for exit status 0, `stopped` for Ctrl-C, `error` for anything else.

    The output is what its agent returned when there was just one, else the exit status.
    """
    agents_run = program.run.outermost
    made = agents_run[0].made if len(agents_run) == 1 else None
    output = encode({"exit_status": status})[0] if made is None else made.data
    info = None
    state: Any = "ok"
    if error is not None:
        state = agents.run_status(error)
        info = error_info(error)
        if program.run.is_watched and not isinstance(error, SystemExit):
            program.run.gathered.raised(of_exception(error))
    elif status:
        state = "error"
    runtime.close_run(program.run, state, output, info)


def say_result(program: ProgramRun) -> None:
    """One line on standard error that says what was recorded; TRACER_QUIET=1 silences it."""
    runtime.flush()
    run = program.run
    if not _quiet() and not run.in_child:
        _say(run.recorder, run.id, run.status, run.steps_begun)


def say_results() -> None:
    """The same for each run of a program whose agents are runs of their own."""
    runtime.flush()
    if not _quiet():
        for run in runtime.ended_runs():
            _say(run.recorder, run.id, run.status, run.steps_begun)


def _quiet() -> bool:
    return os.environ.get("TRACER_QUIET", "") not in ("", "0")


def _say(recorder: Any, run_id: str, state: str, steps: int) -> None:
    if recorder.queue.failure is not None:
        return  # the writer has said so already
    tally = recorder.tallies.get(run_id)
    if tally is None:
        return
    if state == "error" and tally.error_step is not None:
        state += f" at step {tally.error_step}"
    steps = max(steps, tally.steps)
    parts = [f"run {run_id[:8]}", state, f"{steps} step{'s' if steps != 1 else ''}"]
    if tally.cost_usd is not None:
        parts.append(f"${tally.cost_usd:.2g}" if tally.cost_usd < 1 else f"${tally.cost_usd:.2f}")
    elif tally.unpriced:
        parts.append("cost unknown")
    parts.append("tracer ui")
    print(" · ".join(parts), file=sys.stderr)
