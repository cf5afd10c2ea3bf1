"""What a recorded run says of its workspace: the states of its files along its steps."""

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


class History:
    """The states of a recorded run's workspace, by the sequence numbers of its steps."""

    def __init__(self, first: State, steps: Iterable[Step]) -> None:
        self.first = first
        self._before: dict[str, State] = {}
        self._after: dict[str, State] = {}
        self._points: list[tuple[int, State]] = []
        for step in steps:
            told = step.detail.get("workspace")
            if not isinstance(told, dict):
                continue
            before, after = State.from_json(told.get("before")), State.from_json(told.get("after"))
            if before is not None:
                self._before[step.id] = before
                self._points.append((step.start_seq, before))
            if after is not None and step.end_seq is not None:
                self._after[step.id] = after
                self._points.append((step.end_seq, after))
        self._points.sort(key=lambda point: point[0])

    def before(self, step: Step) -> State:
        """The files when a step began."""
        known = [state for sequence, state in self._points if sequence <= step.start_seq]
        return known[-1] if known else self.first

    def after(self, step: Step) -> State | None:
        """The files when it had ended; None when it had changed none."""
        return self._after.get(step.id)
