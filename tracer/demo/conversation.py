"""What the demo models see and say, whatever the wire format: plain frozen data."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call asked for by the model: the tool's name and its arguments (a JSON object)."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Executed:
    """A tool call of the history together with its result.

    A result that isn't a JSON object is wrapped as `{"value": result}`, one that never arrived is
    `{"error": ...}`.
    """

    name: str
    arguments: dict[str, Any]
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request to a model: prompts, tool calls made so far, and the tools on offer.

    `tools` maps the name of each tool offered to the JSON schema of its parameters.
    """

    system: str
    users: tuple[str, ...]
    executed: tuple[Executed, ...]
    tools: Mapping[str, Mapping[str, Any]]

    @property
    def asked(self) -> str:
        """Everything the user wrote, one message a line."""
        return "\n".join(self.users)

    def last(self, tool: str) -> Executed | None:
        """The newest execution of `tool` in the history, or None."""
        return next((done for done in reversed(self.executed) if done.name == tool), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: text, and the tool calls it asks for (none = its turn ends)."""

    text: str
    calls: tuple[Call, ...] = ()


Brain = Callable[[Conversation], Answer]


def number(value: Any) -> float:
    """A finite number of the history; edited histories may hold anything, which counts as 0."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return found if math.isfinite(found) else 0.0
