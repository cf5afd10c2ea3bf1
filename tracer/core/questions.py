"""What a re-execution asks before it goes on, as a record."""

from dataclasses import dataclass, field
from typing import Any, Literal

from tracer.core.records import JSON, StepKind

State = Literal["open", "answered", "given_up"]


@dataclass(frozen=True, slots=True)
class Question:
    """One step that is about to happen, held back until somebody says what is to come of it.

    `about` is JSON: `asked` (arguments of a function; request of a model with `messages`, `tools`,
    …), `why` (list of reasons), `goes` (what comes of it if it just goes on: "live", "recorded",
    "stubbed", "blocked" or "stopped"), `can` (what may be answered: see `reexecution.resolution`),
    `schema` of a tool's arguments where known, `problem` with the answer before. Times are ns since
    the epoch; `answer` is JSON, None while there is none.
    """

    run_id: str
    id: str
    kind: StepKind
    name: str
    asked_ns: int
    about: dict[str, JSON] = field(default_factory=dict)
    state: State = "open"
    answer: dict[str, JSON] | None = None
    seen_ns: int = 0

    @property
    def why(self) -> list[str]:
        """The reasons, in words."""
        why = self.about.get("why")
        return [str(reason) for reason in why] if isinstance(why, list) else []

    def can(self, what: str) -> bool:
        """Whether something may be answered."""
        can = self.about.get("can")
        return isinstance(can, list) and what in can


def first_new(messages: list[Any]) -> int:
    """The place of the first message behind the model's last answer: all before it was asked
    already."""
    roles = [message.get("role") if isinstance(message, dict) else None for message in messages]
    answers = [place for place, role in enumerate(roles) if role in ("assistant", "model")]
    return answers[-1] + 1 if answers else 0


def decided_words(detail: JSON) -> str:
    """What somebody decided about a step (`asked` in its detail), in one phrase; "" where nobody
    was asked."""
    if not isinstance(detail, dict):
        return ""
    why = detail.get("why")
    reasons = ", ".join(map(str, why)) if isinstance(why, list) else ""
    waited = detail.get("waited_ms")
    after = f" after {waited / 1000:.0f} s" if isinstance(waited, int) else ""
    by = f" ({detail['by']})" if detail.get("by") else ""
    return f"{detail.get('did') or 'decided'} by hand{by}{after}; asked because: {reasons}"


def decided_changes(detail: JSON) -> list[tuple[str, ...]]:
    """What was edited before the step went on: place, before, after ("" where there is nothing)."""
    changes = detail.get("changes") if isinstance(detail, dict) else None
    found = changes if isinstance(changes, list) else []
    return [
        (str(one[0]), *("" if text is None else str(text) for text in one[1:]))
        for one in found
        if isinstance(one, list) and len(one) == 3
    ]
