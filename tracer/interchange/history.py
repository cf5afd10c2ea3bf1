"""What a model call was asked that an earlier one was not: the news in a resent conversation."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracer.core.messages import Message
from tracer.core.records import Step
from tracer.interchange.run_json import asked
from tracer.store.reading import Store

_LOOKED_BACK = 20  # model calls of other agents may lie between two of one conversation


@dataclass(frozen=True, slots=True)
class News:
    """`messages` are new since step `since` (None: all are), which had `shared` of the others."""

    since: int | None
    shared: int
    messages: list[Message]


def news(store: Store, steps: Sequence[Step], step: Step) -> News:
    """The messages of a model call that the call before it in the same conversation had not."""
    request = asked(store, step)
    messages = request.messages if request is not None else []
    before = [s for s in steps if s.kind == "model" and s.n < step.n][-_LOOKED_BACK:]
    for other in reversed(before):
        earlier = asked(store, other)
        shared = 0 if earlier is None else _common(earlier.messages, messages)
        # One shared message may be the system prompt of another conversation of the same agent.
        if earlier is not None and shared == len(earlier.messages) > 0:
            return News(other.n, shared, messages[shared:])
    return News(None, 0, messages)


def _common(a: list[Message], b: list[Message]) -> int:
    shared = 0
    while shared < min(len(a), len(b)) and a[shared] == b[shared]:
        shared += 1
    return shared
