"""What can be known of a recording's processes before it is re-executed."""

import re

from tracer.core.records import Step
from tracer.errors import CannotReplayError
from tracer.reexecution.tape import is_inside

_ELSEWHERE = re.compile(r"(^|/)p\d+(-\d+)?(/|$)")  # a scope of another process (`capture/scope.py`)


def check_processes(steps: list[Step], fork: Step | None) -> None:
    """Raise CannotReplayError for what processes of the program did, where nothing can be
    answered: steps of workers, and a fork at a step of another process."""
    for step in steps:
        before = fork is None or step.start_seq <= fork.start_seq
        if before and step.kind != "note" and _in_a_worker(step, steps, fork):
            raise CannotReplayError(
                f"step {step.n} ({step.kind} {step.name}) ran in a worker process of the program, "
                "where it can't be answered from the recording: use threads, or start the workers "
                "inside a function decorated with @tracer.tool, which is answered as a whole"
            )
    if fork is None:
        return
    for step in steps:
        if step.detail.get("process") and is_inside(fork, step):
            raise CannotReplayError(
                f"step {fork.n} ({fork.kind} {fork.name}) happened in the process of step {step.n} "
                f"({step.name}), which is answered as a whole: fork at a step of the program itself"
            )


def _in_a_worker(step: Step, steps: list[Step], fork: Step | None) -> bool:
    """Whether a step has to be answered in a forked or spawned worker."""
    found = _ELSEWHERE.search(step.slot.path)
    if found is None:
        return False
    place = step.slot.path[: found.start()]
    around = (s for s in steps if s.kind in ("tool", "step", "model") and s.effect != "local")
    return not any(
        f"{place}/".startswith(f"{other.slot.child_path()}/")
        and not (fork is not None and is_inside(fork, other))
        for other in around
    )


def process_warnings(steps: list[Step], fork: Step | None, *, live: bool) -> list[str]:
    """What is missing where a stand-in takes the place of a process."""
    found: list[str] = []
    for step in steps:
        if not step.detail.get("process") or (fork and step.start_seq >= fork.start_seq):
            continue
        if step.detail.get("inherited") and step.effect != "local":
            found.append(
                f"step {step.n} ({step.name}) wrote to the program's own output, which is not "
                "recorded: that output is missing in the re-execution"
            )
        if fork and live and (step.end_seq is None or step.end_seq > fork.start_seq):
            found.append(
                f"step {step.n} ({step.name}) was still running at the fork: behind it a stand-in "
                "goes on, which does nothing"
            )
    return found
