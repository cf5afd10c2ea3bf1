"""What can be known of a recording's processes before it is re-executed."""

from tracer.core.records import Step
from tracer.errors import CannotReplayError
from tracer.reexecution.tape import is_inside


def check_processes(steps: list[Step], fork: Step | None) -> None:
    """Raise CannotReplayError for a fork at a step that another process made."""
    if fork is None:
        return
    for step in steps:
        if step.detail.get("process") and is_inside(fork, step):
            raise CannotReplayError(
                f"step {fork.n} ({fork.kind} {fork.name}) happened in the process of step {step.n} "
                f"({step.name}), which is answered as a whole: fork at a step of the program itself"
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
