"""What removed secrets mean for a re-execution, said before it starts."""

import json

from tracer.core.marks import MARK, key_name
from tracer.core.records import Run, Step
from tracer.reexecution.tape import is_inside
from tracer.store import keyfile
from tracer.store.reading import Store

_SERVED = ("tool", "model", "http", "step")
_MOST = 3


def redacted_warnings(store: Store, run: Run, steps: list[Step], fork: Step | None) -> list[str]:
    """Where the code is given marks in place of what was removed from the recording."""
    found: list[str] = []
    given = store.run_value(run.id, "input") or b""
    argv = json.dumps(run.entry.get("argv") or [])
    if b"[redacted" in given or "[redacted" in argv:
        found.append(
            "what the run was given was redacted, so the program is given [redacted…] in its "
            "place: start a program of your own with --script to give it again"
        )
    marked = [step for step in steps if _gives_marks(step, fork)]
    for step in marked[:_MOST]:
        found.append(
            f"step {step.n} ({step.kind} {step.name}) gave what was redacted: the code is given "
            "[redacted…] in its place, and what it computes from that differs"
        )
    if len(marked) > _MOST:
        found.append(f"so did {len(marked) - _MOST} more steps")
    key = keyfile.load(store.path)
    ours = None if key is None else key_name(key)
    if any(name != ours for name in _keys(store, steps)):
        found.append(
            "values were redacted with a key that isn't here (another database, or its .key file "
            "is missing): whether a value is the recorded one can't be told, only that equal ones "
            "stay equal"
        )
    return found


def _gives_marks(step: Step, fork: Step | None) -> bool:
    if fork is not None and (step.start_seq >= fork.start_seq or is_inside(fork, step)):
        return False
    return (
        step.kind in _SERVED and step.effect != "local" and bool(step.detail.get("redacted_output"))
    )


def _keys(store: Store, steps: list[Step]) -> set[str]:
    """The names of the keys by which what the steps were given was marked."""
    found: set[str] = set()
    for step in steps:
        if step.detail.get("redacted_input"):
            data = store.conversation(step) or store.value(step, "input")
            request = None if data is not None else store.request(step)
            text = (request.body if request is not None else data or b"").decode("utf-8", "replace")
            found.update(match.group(1) for match in MARK.finditer(text))
    return found
