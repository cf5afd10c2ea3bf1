"""What a recorded run says of its workspace: the states of its files along its steps."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from pathlib import Path

from tracer.core.records import JSON, Step
from tracer.store.trees import State


def recorded_workspace(environment: Mapping[str, JSON]) -> tuple[Path, State] | None:
    """The folder of a recorded run and its first state; None without one."""
    told = environment.get("workspace")
    if not isinstance(told, dict) or not isinstance(told.get("path"), str):
        return None
    state = State.from_json(told.get("state"))
    return None if state is None else (Path(told["path"]), state)


def change_of(step: Step) -> tuple[State, State] | None:
    """The states between which a step changed files; None when it changed none."""
    told = step.detail.get("workspace")
    if not isinstance(told, dict):
        return None
    before, after = State.from_json(told.get("from")), State.from_json(told.get("after"))
    return None if before is None or after is None else (before, after)


class History:
    """The states of a recorded run's workspace, by the sequence numbers of its steps."""

    def __init__(self, first: State, steps: Iterable[Step]) -> None:
        points = [(-1, first)]
        for step in steps:
            told = step.detail.get("workspace")
            begun = State.from_json(told.get("before")) if isinstance(told, dict) else None
            if begun is not None:
                points.append((step.start_seq, begun))
            if (change := change_of(step)) is not None and step.end_seq is not None:
                points.append((step.end_seq, change[1]))
        points.sort(key=lambda point: point[0])
        self._sequence = [sequence for sequence, _ in points]
        self._states = [state for _, state in points]

    def before(self, step: Step) -> State:
        """The files when a step began."""
        return self._states[bisect_right(self._sequence, step.start_seq) - 1]
