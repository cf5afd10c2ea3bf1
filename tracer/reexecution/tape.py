"""The tape: a recorded run seen as the answers a re-execution is given.

A call is matched by place and content. Exact: same slot, same fingerprint. Resynchronised, and
reported: same path and fingerprint a few places off (`shifted`), or the one unused step with that
fingerprint anywhere (`moved`). Everything else is a miss, explained against what stood there.
"""

import re
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tracer.core.records import Slot, Step

SHIFT = 8
_TASK = re.compile(r"(?<![^/])t\d+(?![^/])")
MATCHED_KINDS = ("model", "tool", "http", "step")


@dataclass(frozen=True, slots=True)
class Match:
    """What the tape says of a call. `how` "miss": `step` is what stood in its place, if any."""

    how: Literal["exact", "shifted", "moved", "miss"]
    step: Step | None


class Tape:
    """The steps of one recorded run, each answering once. Thread-safe."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = [step for step in steps if step.kind in MATCHED_KINDS]
        self.all_steps = list(steps)
        self._by_slot = {step.slot: step for step in self.steps}
        self._by_path = {step.slot.child_path(): step for step in self.steps}
        self._by_fingerprint: dict[str, list[Step]] = defaultdict(list)
        for step in self.steps:
            if step.fingerprint is not None:
                self._by_fingerprint[step.fingerprint].append(step)
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def container(self, path: str) -> Step | None:
        """The step that opened the scope of this path; None for tasks, threads and agents' root."""
        return self._by_path.get(path)

    def named(self, kind: str, name: str) -> Step | None:
        """Some recorded step of that kind and name."""
        return next((s for s in self.steps if s.kind == kind and s.name == name), None)

    def nearest(self, slot: Slot) -> Step | None:
        """The recorded step of that kind which stands closest to a slot in its own scope."""
        here = [s for s in self.steps if s.slot.path == slot.path and s.kind == slot.kind]
        return min(here, key=lambda s: abs(s.slot.ordinal - slot.ordinal), default=None)

    def match(self, slot: Slot, fingerprint: str, *, write_tool: bool) -> Match:
        """Find the answer to a call, and use it up.

        A tool that writes is only resynchronised when one single step could be meant: giving one
        write's answer to another would hide that one of them did not happen.
        """
        with self._lock:
            here = self._by_slot.get(slot)
            free = here is not None and here.id not in self._used
            if here is not None and free and here.fingerprint == fingerprint:
                return self._use("exact", here)
            candidates = [
                step
                for step in self._by_fingerprint.get(fingerprint, ())
                if step.id not in self._used and step.kind == slot.kind
            ]
            near = [
                step
                for step in candidates
                if step.slot.path == slot.path and abs(step.slot.ordinal - slot.ordinal) <= SHIFT
            ]
            if near and (len(candidates) == 1 or not write_tool):
                return self._use("shifted", min(near, key=lambda s: (s.slot.ordinal, s.n)))
            if candidates and (len(candidates) == 1 or not write_tool):
                return self._use("moved", candidates[0])
            return Match("miss", here if free else None)

    def _use(self, how: Literal["exact", "shifted", "moved"], step: Step) -> Match:
        self._used.add(step.id)
        return Match(how, step)

    def take(self, match: Match) -> Match:
        """What stood in a call's place, taken for its answer."""
        assert match.step is not None
        with self._lock:
            return self._use("exact", match.step)

    def use(self, step: Step) -> None:
        """Mark a step as spent without serving it."""
        with self._lock:
            self._used.add(step.id)

    def inside(self, step: Step) -> list[Step]:
        """The steps recorded inside a step, at any depth."""
        return [other for other in self.all_steps if is_inside(other, step)]

    @property
    def any_used(self) -> bool:
        """Whether some step has answered."""
        return bool(self._used)

    def unused(self) -> list[Step]:
        """Steps that answered nothing, outermost only, in recorded order."""
        left = [step for step in self.steps if step.id not in self._used]
        ids = {step.id for step in left}
        parents = {step.id: step.parent for step in self.all_steps}
        return [step for step in left if not _has_ancestor(step, ids, parents)]


def is_inside(step: Step, container: Step) -> bool:
    """Whether a step happened inside another, by place."""
    path = container.slot.child_path()
    return step.slot.path == path or step.slot.path.startswith(path + "/")


def _has_ancestor(step: Step, ids: set[str], parents: dict[str, str | None]) -> bool:
    parent = step.parent
    while parent is not None:
        if parent in ids:
            return True
        parent = parents.get(parent)
    return False


def same_branch(recorded: Slot, asked: Slot) -> bool:
    """Whether two slots differ only in the number of a task: `as_completed` and `wait` start
    their tasks in no fixed order, and equal questions there are interchangeable."""
    if recorded.ordinal != asked.ordinal:
        return False
    return _TASK.sub("t", recorded.path) == _TASK.sub("t", asked.path)


def points_of(step: Step) -> list[int | None]:
    """The sequence numbers of a step: its start, the arrival of its reply, its end."""
    return [step.start_seq, step.detail.get("reply_seq"), step.end_seq]


def point_of(step: Step, point: str) -> int | None:
    """The sequence number of "reply" (before the answer is given) or "end" (it was read)."""
    reply = step.detail.get("reply_seq")
    if point == "reply" and isinstance(reply, int):
        return reply
    return step.end_seq


def served_points(tape: Tape, fork: Step | None) -> list[tuple[int, int]]:
    """Sequence numbers and times (ns since epoch) of all that the tape will answer itself."""
    found: list[tuple[int, int]] = []
    for step in tape.steps:
        if not _is_served(tape, step, fork):
            continue
        ended = step.ended_ns or step.started_ns
        found.append((step.start_seq, step.started_ns))
        reply_seq = step.detail.get("reply_seq")
        if isinstance(reply_seq, int):
            found.append((reply_seq, ended))
        if step.end_seq is not None:
            found.append((step.end_seq, ended))
    return found


def _is_served(tape: Tape, step: Step, fork: Step | None) -> bool:
    """Whether the tape will answer this step itself (not re-enter it, not after the fork)."""
    if step.effect == "local" or (fork is not None and is_inside(fork, step)):
        return False
    return not _in_served(tape, step, fork)


def _in_served(tape: Tape, step: Step, fork: Step | None) -> bool:
    """Whether a step lies inside one that is served whole, so never asks by itself."""
    path = step.slot.path
    while path:
        container = tape.container(path)
        whole = container is not None and container.effect != "local"
        if whole and container is not None and (fork is None or not is_inside(fork, container)):
            return container.fidelity != "opaque"
        path = path.rpartition("/")[0]
    return False
