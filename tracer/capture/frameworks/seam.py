"""A seam: a method of a framework whose calls are recorded as steps, answered in a re-execution.

A file of this package describes calls (`Tool` or `Agent`, or None: not a call of interest) and
names the methods; `watch` puts the wrapper in, of the method's own form. Steps go through the same
boundary as decorated functions. Nothing here raises into the framework but what ends a
re-execution.
"""

import copy
import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

from tracer.capture import runtime
from tracer.capture import scope as scopes
from tracer.capture.frames import DECORATED, Frame, Spec, announce, open_frame
from tracer.capture.guard import report
from tracer.capture.values import encode_whole, fields_of
from tracer.capture.wrapping import wrap
from tracer.capture.yields import Items
from tracer.core.records import JSON, Effect
from tracer.errors import ReplayStop

_MAX_DEPTH = 8
_MARK = "__tracer_seam__"


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


@dataclasses.dataclass(slots=True, eq=False)
class Agent:
    """One run of an agent. `outcome` gives plain data of what it returned, for people."""

    name: str
    given: Mapping[str, Any]
    about: Any = None
    outcome: Callable[[Any], Any] = shown
    detail: dict[str, JSON] = dataclasses.field(default_factory=dict)


Describe = Callable[..., Tool | Agent | None]


def watch(holder: Any, name: str, describe: Describe) -> None:
    """Record the calls of `holder.name`; `describe` is given the same arguments. Once only."""
    original = vars(holder)[name] if isinstance(holder, type) else getattr(holder, name)
    kind = type(original) if isinstance(original, staticmethod | classmethod) else None
    function = original.__func__ if kind is not None else original
    if hasattr(function, _MARK):
        return
    made = wrapped(function, describe)
    setattr(holder, name, made if kind is None else kind(made))


def wrapped(function: Callable[..., Any], describe: Describe) -> Callable[..., Any]:
    """`function` with its calls recorded, of the same form."""

    def opener(spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Frame | None:
        return _open(describe, args, kwargs)

    made = wrap(Spec("step", getattr(function, "__name__", "call"), function), opener)
    setattr(made, _MARK, function)
    return made


def unwatched(function: Callable[..., Any]) -> Callable[..., Any]:
    """The framework's own method behind a wrapper of ours."""
    inner: Callable[..., Any] = getattr(function, _MARK, function)
    return inner


def _open(describe: Describe, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Frame | None:
    if scopes.current() is None and not runtime.refuses_outside():
        return None
    try:
        call = describe(*args, **kwargs)
        if isinstance(call, Agent):
            return _open_agent(call)
        if call is None or _recorded_by_its_decorator(call):
            return None
        spec, first = _tool_spec(call)
        given = dict(call.arguments)
    except ReplayStop:
        raise
    except Exception as error:  # the framework's objects are looked at
        report("describing a call", error)
        return None
    return open_frame(spec, first, given)


def _recorded_by_its_decorator(call: Tool) -> bool:
    if not getattr(call.function, DECORATED, False):
        return False
    announce(call.function, call.call_id)
    return True


def _tool_spec(call: Tool) -> tuple[Spec, tuple[Any, ...]]:
    """The spec of a tool's call, and the object its method is bound to."""
    function = call.function or _nothing_known
    bound = getattr(function, "__self__", None)
    inner = getattr(function, "__func__", function)
    spec = copy.copy(_spec(inner, call.name, call.effect))
    spec.seam = True
    spec.about = call.about
    spec.returns = call.returns
    if call.call_id:
        spec.detail = {"tool_call_id": str(call.call_id)}
    return spec, () if bound is None or inner is function else (bound,)


@functools.lru_cache(maxsize=256)
def _spec(function: Callable[..., Any], name: str, effect: Effect | None) -> Spec:
    return Spec("tool", name, function, effect)


def _nothing_known(**arguments: Any) -> Any: ...


def _open_agent(call: Agent) -> Frame | None:
    if scopes.current() is None:
        return None
    spec = Spec("agent", call.name, _nothing_known)
    spec.seam = True
    spec.about = call.about
    spec.detail = call.detail
    frame = open_frame(spec, (), {name: shown(value) for name, value in call.given.items()})
    return None if frame is None else AgentFrame(frame, call.outcome)


class AgentFrame(Frame):
    """An agent's run: what it came to is kept as plain data for people, never given back."""

    __slots__ = ("_outcome",)

    def __init__(self, frame: Frame, outcome: Callable[[Any], Any]) -> None:
        super().__init__(frame.spec, frame.step, frame.decision)
        self._outcome = outcome

    def finish(self, result: Any, **detail: Any) -> None:
        try:
            made = encode_whole(self._outcome(result))
        except Exception as error:  # the framework's objects are looked at
            report("describing an outcome", error)
            made = encode_whole(None)
        self.ended("ok", None, made=made, fidelity="exact", detail=detail)

    def items(self) -> Items:
        return _Last()

    def finish_items(self, items: Items, *, returned: Any = None, abandoned: bool = False) -> None:
        detail = {"abandoned": True} if abandoned else {}
        self.finish(items.values[-1] if items.values else None, **detail)

    def fail(self, error: BaseException, items: Items | None = None, **how: Any) -> None:
        super().fail(error, None, **how)


class _Last(Items):
    """Of what a streaming agent gave, the last; what is in between comes from its models."""

    def gave(self, item: Any) -> None:
        self.values[:] = [item]


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
