"""The divergence report: one object, the same for command line, JSON and UI."""

import json
import shlex
from dataclasses import dataclass, field
from typing import Any, Literal

from tracer.core.diff import Change, json_changes
from tracer.core.records import JSON, Step
from tracer.core.summary import clip
from tracer.core.variation import NAMES, likely_cause, rule_for
from tracer.reexecution.likely import ALL, Recorded, why_it_varies

Kind = Literal["changed_request", "missing_step", "extra_step", "order"]
MAX_DIFFS = 20
_SHOWN = 160
_MAX_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class Divergence:
    """The re-executed code asked for something else. `n`, `step` are the recorded step's.

    `cause` is what probably makes the difference, where it can be told from the values; `choices`
    are options that would let a re-execution go on past it.
    """

    kind: Kind
    message: str
    n: int | None = None
    step: str | None = None
    diff: list[dict[str, JSON]] = field(default_factory=list)
    where: str | None = None
    callsite: str | None = None
    recorded_callsite: str | None = None
    cause: str | None = None
    choices: tuple[str, ...] = ()

    def as_json(self) -> dict[str, JSON]:
        return {
            "n": self.n,
            "step": self.step,
            "kind": self.kind,
            "message": self.message,
            "diff": self.diff,
            "slot": self.where,
            "callsite": self.callsite,
            "recorded_callsite": self.recorded_callsite,
            "cause": self.cause,
            "choices": list(self.choices),
        }


def changed(
    step: Step,
    asked_name: str,
    old: Any,
    new: Any,
    callsite: str | None,
    recorded: Recorded = ALL,
) -> Divergence:
    """The same place asked for something else. `old` and `new` are JSON."""
    differences = json_changes(old, new, limit=MAX_DIFFS)
    what = f"step {step.n} ({step.kind} {step.name}) asks for something else than recorded"
    if step.kind in ("tool", "step") and asked_name != step.name:
        what = f"step {step.n}: the recording has {step.name}, the code now calls {asked_name}"
    if differences:
        what += f": {_sentence(differences[0])}"
        if len(differences) > 1:
            what += f" (and {len(differences) - 1} more)"
    elif asked_name == step.name:
        what += ": equal as JSON, but written otherwise (as 1 and 1.0 are)"
    cause, choices = _cause(differences)
    if cause is not None:
        what += f"; {cause} varies by itself"
    if why := why_it_varies(cause, recorded):
        what += f", {why}"
    return Divergence(
        "changed_request",
        what,
        step.n,
        step.id,
        [{"path": d.path, "old": _capped(d.old), "new": _capped(d.new)} for d in differences],
        _place(step),
        callsite,
        step.callsite,
        cause,
        choices,
    )


def _cause(differences: list[Change]) -> tuple[str | None, tuple[str, ...]]:
    """What makes them all differ, if it is one thing, and the rules that would ignore them."""
    found = [likely_cause(change) for change in differences]
    kinds = {one for one in found if one is not None}
    places = tuple(dict.fromkeys(rule_for(change.path) for change in differences))[:5]
    choices = tuple(f"--ignore {shlex.quote(place)}" for place in places)
    if len(kinds) != 1 or None in found:
        return None, choices
    name, words = kinds.pop()
    return words, ((f"--ignore {name}",) if name in NAMES else ()) + choices


def extra(kind: str, name: str, nearest: Step | None, callsite: str | None) -> Divergence:
    """A step the recording has no answer for."""
    what = f"the code asks for a {kind} step ({name}) that the recording does not have"
    if callsite:
        what += f", at {callsite}"
    if nearest is not None:
        what += f"; the nearest recorded step is {nearest.n} ({nearest.summary[:80]})"
    return Divergence(
        "extra_step",
        what,
        nearest.n if nearest else None,
        nearest.id if nearest else None,
        callsite=callsite,
    )


def missing(step: Step) -> Divergence:
    """A recorded step that the code no longer asks for."""
    what = f"step {step.n} ({step.kind} {step.name}) was recorded, but the code did not ask for it"
    return Divergence("missing_step", what, step.n, step.id, [], _place(step))


def reordered(step: Step, how: str) -> Divergence:
    """A step found in another place than recorded."""
    what = f"step {step.n} ({step.kind} {step.name}) was asked for in another place ({how})"
    return Divergence("order", what, step.n, step.id, [], _place(step))


def _place(step: Step) -> str:
    return step.slot.child_path()


def _sentence(change: Change) -> str:
    if change.added:
        return f"{change.path} is new: {_show(change.new)}"
    if change.removed:
        return f"{change.path} is gone: {_show(change.old)}"
    old, new = _windows(change.old, change.new)
    return f"{change.path} was {old}, is {new}"


def _windows(old: Any, new: Any) -> tuple[str, str]:
    """Both values as text; of long ones the surroundings of the first difference."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return _show(old), _show(new)
    same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    if same is None:
        same = min(len(old), len(new))
    # Start at a word, so that the changed word is shown whole.
    start = max(0, same - 40)
    start = old.rfind(" ", 0, start) + 1 if start else 0
    lead = "…" if start else ""
    return _show(lead + old[start:]), _show(lead + new[start:])


def _show(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(clip(value, _SHOWN), ensure_ascii=False)
    return clip(json.dumps(value, ensure_ascii=False, default=str), _SHOWN)


def _capped(value: Any) -> Any:
    """A value small enough for a report; long text keeps its beginning."""
    if isinstance(value, str):
        return value if len(value) <= _MAX_TEXT else value[:_MAX_TEXT] + "…"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"
