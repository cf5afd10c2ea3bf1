"""What a framework's file says of a call: the execution of a tool, or the run of an agent."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from tracer.capture.frameworks.state import State
from tracer.capture.values import fields_of
from tracer.core.records import JSON, Effect

_MAX_DEPTH = 8


def parsed(text: Any) -> dict[str, Any]:
    """Arguments as a model wrote them: JSON text or already an object; else under `input`."""
    if isinstance(text, Mapping):
        return dict(text)
    try:
        found = json.loads(text) if isinstance(text, str | bytes) else None
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    return {} if text in (None, "") else {"input": text}


def shown(value: Any, depth: int = 0) -> Any:
    """Plain data that says what a value is: the same for equal values, objects by their fields."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if depth >= _MAX_DEPTH:
        return f"<{type(value).__name__}>"
    if isinstance(value, Mapping):
        return {str(key): shown(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [shown(item, depth + 1) for item in value]
    fields = fields_of(value)
    if fields is None:
        return f"<{type(value).__name__}>"
    return {name: shown(item, depth + 1) for name, item in fields.items() if item is not None}


@dataclasses.dataclass(slots=True, eq=False)
class Tool:
    """One execution of a tool. `arguments` by name, as the model gave them where that is known.

    `function` is the user's own: its annotations tell how to make the result again, and
    what it changes in memory is noted. `returns` are further classes that a result may have.
    """

    name: str
    arguments: Mapping[str, Any]
    function: Callable[..., Any] | None = None
    call_id: str | None = None
    effect: Effect | None = None
    returns: tuple[Any, ...] = ()
    about: Any = None  # the framework's own object; a call of the same inside is the same call
    # Plain data of a result, and what the framework makes of such data, where its own code for that
    # has run before the seam is reached.
    plain: Callable[[Any], Any] | None = None
    remake: Callable[[Any], Any] | None = None
    state: State | None = None  # objects of the framework that it may write to
    # Of a tool that runs again in every re-execution: plain data of its result, for people.
    outcome: Callable[[Any], Any] | None = None


@dataclasses.dataclass(slots=True, eq=False)
class Agent:
    """One run of an agent. `outcome` gives plain data of what it returned, for people."""

    name: str
    given: Mapping[str, Any]
    about: Any = None
    outcome: Callable[[Any], Any] = shown
    detail: dict[str, JSON] = dataclasses.field(default_factory=dict)
    ended: Callable[[], None] = lambda: None
    # Of a run that streams: whether this item is its outcome, after which nothing need be read.
    is_last: Callable[[Any], bool] = lambda item: False


Describe = Callable[..., Tool | Agent | None]
