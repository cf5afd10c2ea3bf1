"""Two runs side by side: which steps belong together and what differs. Time and cost never do.

What differs is what a step asked and what came of it. An enclosing step (an agent, a tool that
calls a model) whose inner steps differ is not itself a difference: its outcome follows from them.
Ids that a provider draws at random for tool calls are no difference either.
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

from tracer.core.diff import Change, json_changes
from tracer.core.records import JSON, Run, Step
from tracer.interchange.matching import Match, match_steps
from tracer.interchange.run_json import asked, run_value, step_input, step_output
from tracer.store.reading import Store

State = Literal["equal", "moved", "answer", "result", "args", "only_b", "only_a", "edited"]

# Rows whose payloads are read and compared; of further ones only the state is told.
MAX_EXAMINED = 200


@dataclass(frozen=True, slots=True)
class Row:
    """Two steps that belong together, or one alone. `state` names the weightiest difference."""

    a: Step | None
    b: Step | None
    state: State
    changes: tuple[Change, ...] = ()

    @property
    def same(self) -> bool:
        """Nothing differs but time, cost and place in a race of parallel branches."""
        return self.state in ("equal", "moved")

    def as_json(self) -> dict[str, JSON]:
        """`{"a", "b", "same", "state", "kind", "name", "changes"}`; a and b are step numbers."""
        step = self.a or self.b
        return {
            "a": self.a.n if self.a else None,
            "b": self.b.n if self.b else None,
            "same": self.same,
            "state": self.state,
            "kind": step.kind if step else None,
            "name": step.name if step else None,
            "changes": [change.as_json() for change in self.changes],
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs, their rows in order, and what differs between their final outputs."""

    a: Run
    b: Run
    rows: tuple[Row, ...]
    output: tuple[Change, ...] = ()
    shape: tuple[tuple[str, str, int, int], ...] = field(default=())  # kind, name, in a, in b

    @property
    def first_difference(self) -> Row | None:
        """The first row that is not the same."""
        return next((row for row in self.rows if not row.same), None)

    @property
    def first_divergence(self) -> int | None:
        """Its number in run a, or in b where a has no such step; None for equal runs."""
        row = self.first_difference
        if row is None:
            return None
        step = row.a or row.b
        return step.n if step else None

    def as_json(self) -> dict[str, JSON]:
        """`{"a", "b", "first_divergence", "rows", "status", "output"}`."""
        return {
            "a": self.a.id,
            "b": self.b.id,
            "first_divergence": self.first_divergence,
            "rows": [row.as_json() for row in self.rows],
            "status": {"a": self.a.status, "b": self.b.status},
            "output": [change.as_json() for change in self.output],
        }


def compare(store: Store, run_a: Run, run_b: Run) -> Comparison:
    """Align the steps of two runs of one store and say what differs."""
    steps_a, steps_b = store.steps(run_a.id), store.steps(run_b.id)
    matches = match_steps(steps_a, steps_b)
    rows = _Judge(store, run_a, run_b).rows(matches)
    output = json_changes(run_value(store, run_a, "output"), run_value(store, run_b, "output"))
    return Comparison(run_a, run_b, tuple(rows), tuple(output), _shape(steps_a, steps_b))


def _shape(a: list[Step], b: list[Step]) -> tuple[tuple[str, str, int, int], ...]:
    in_a = Counter((step.kind, step.name) for step in a if step.kind != "note")
    in_b = Counter((step.kind, step.name) for step in b if step.kind != "note")
    return tuple((*key, in_a[key], in_b[key]) for key in {**in_a, **in_b})


class _Judge:
    """Decides the state of each row; reads payloads only where hashes say that they differ."""

    def __init__(self, store: Store, run_a: Run, run_b: Run) -> None:
        self._store = store
        self._examined = 0
        # Equal keys = equal outcomes; unequal ones are looked at (ids inside may be random).
        self._outcomes = {run.id: store.outcome_keys(run.id) for run in (run_a, run_b)}

    def rows(self, matches: list[Match]) -> list[Row]:
        """All rows, enclosing steps judged after what is inside them."""
        differing: set[tuple[str, str]] = set()  # enclosing steps with a difference inside
        judged: list[Row] = []
        for match in reversed(matches):
            row = self._row(match, differing)
            judged.append(row)
            if not row.same or any(_key(step) in differing for step in (row.a, row.b) if step):
                for step in (row.a, row.b):
                    if step is not None and step.parent is not None:
                        differing.add((step.run_id, step.parent))
        return judged[::-1]

    def _row(self, match: Match, differing: set[tuple[str, str]]) -> Row:
        a, b = match.a, match.b
        if a is None or b is None:
            return Row(a, b, "only_a" if a is not None else "only_b")
        outcome_counts = not (_key(a) in differing or _key(b) in differing)
        if self._equal(a, b, outcome_counts):
            return Row(a, b, self._quiet(match))
        if self._examined >= MAX_EXAMINED:
            return Row(a, b, _state(a, b, a.fingerprint != b.fingerprint))
        self._examined += 1
        changes_in = self._input_changes(a, b)
        changes_out = self._outcome_changes(a, b) if outcome_counts else []
        if not changes_in and not changes_out:
            return Row(a, b, self._quiet(match))
        return Row(a, b, _state(a, b, bool(changes_in)), (*changes_in, *changes_out))

    def _quiet(self, match: Match) -> State:
        """`moved` unless the steps have one slot: then only their race went otherwise."""
        if not match.moved or match.a is None or match.b is None:
            return "equal"
        return "equal" if match.a.slot == match.b.slot else "moved"

    def _equal(self, a: Step, b: Step, outcome_counts: bool) -> bool:
        if a.name != b.name or a.fingerprint != b.fingerprint:
            return False
        return not outcome_counts or self._outcome(a) == self._outcome(b)

    def _outcome(self, step: Step) -> Hashable:
        error = (step.error.type, step.error.message) if step.error else None
        return (step.status, error, self._outcomes[step.run_id].get(step.n))

    def _input_changes(self, a: Step, b: Step) -> list[Change]:
        if a.fingerprint is not None and a.fingerprint == b.fingerprint:
            return []
        return json_changes(self._asked(a), self._asked(b))

    def _asked(self, step: Step) -> JSON:
        request = asked(self._store, step)
        if request is None:
            return {"name": step.name, "input": step_input(self._store, step)}
        return {
            "messages": [without_ids(message) for message in request.messages],
            "model": request.model or step.name,
            "tools": request.tools,
            "parameters": request.parameters,
        }

    def _outcome_changes(self, a: Step, b: Step) -> list[Change]:
        if self._outcome(a) == self._outcome(b):
            return []
        return json_changes(self._came(a), self._came(b))

    def _came(self, step: Step) -> dict[str, JSON]:
        output = step_output(self._store, step)
        if isinstance(output, list) and step.kind == "model":
            output = [without_ids(message) for message in output]
        error = {"type": step.error.type, "message": step.error.message} if step.error else None
        return {"output": output, "error": error, "status": step.status}


def without_ids(message: Any) -> Any:
    """A message without the ids its provider drew for tool calls, which differ by chance."""
    if not isinstance(message, dict) or not isinstance(message.get("parts"), list):
        return message
    parts = [
        {key: value for key, value in part.items() if key != "id"}
        if isinstance(part, dict) and part.get("type") in ("tool_call", "tool_call_response")
        else part
        for part in message["parts"]
    ]
    return {**message, "parts": parts}


def _key(step: Step) -> tuple[str, str]:
    return (step.run_id, step.id)


def _edited(a: Step, b: Step) -> bool:
    return "substituted" in (a.source, b.source)


def _state(a: Step, b: Step, asked_differs: bool) -> State:
    if _edited(a, b):
        return "edited"
    if asked_differs:
        return "args"
    return "answer" if a.kind == "model" else "result"
