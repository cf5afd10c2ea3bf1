"""A seam: a method of a framework whose calls are recorded as steps, answered in a re-execution.

A file of this package describes calls (`Tool` or `Agent`, or None: not a call of interest) and
names the methods; `watch` puts the wrapper in, of the method's own form. Steps go through the same
boundary as decorated functions. Nothing here raises into the framework but what ends a
re-execution.
"""

import copy
import dataclasses
import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from tracer.capture import runtime
from tracer.capture import scope as scopes
from tracer.capture.exceptions import without_us
from tracer.capture.frames import Frame, Spec, open_frame
from tracer.capture.frameworks.state import State
from tracer.capture.functions import Parameters
from tracer.capture.guard import report
from tracer.capture.samecall import DECORATED, announce
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


def before(holder: Any, name: str, hook: Callable[..., None]) -> None:
    """Call `hook` before each call of `holder.name`, with its arguments; nothing is recorded."""
    original = getattr(holder, name)

    def look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            hook(*args, **kwargs)
        except Exception as error:  # the framework's objects are looked at
            report(f"looking at a call of {name}", error)

    @functools.wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        look(args, kwargs)
        try:
            return original(*args, **kwargs)
        except BaseException as error:
            without_us(error)
            raise

    @functools.wraps(original)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        look(args, kwargs)
        try:
            return await original(*args, **kwargs)
        except BaseException as error:
            without_us(error)
            raise

    setattr(holder, name, coroutine if inspect.iscoroutinefunction(original) else method)


def watch_overrides(base: Any, name: str, describe: Describe) -> None:
    """Record the calls of a method in every class that defines it: those there are, and those to
    come. A class's own call of the one it overrides is the same call."""
    seen = [base]
    while seen:
        cls = seen.pop()
        if name in vars(cls):
            watch(cls, name, describe)
        seen += type.__subclasses__(cls)
    original = vars(base).get("__init_subclass__")

    def __init_subclass__(cls: Any, /, **kwargs: Any) -> None:
        if original is not None:
            original.__get__(None, cls)(**kwargs)
        else:
            super(base, cls).__init_subclass__(**kwargs)
        try:
            if name in vars(cls):
                watch(cls, name, describe)
        except Exception as error:  # a class that can't be changed
            report("watching a class", error)

    base.__init_subclass__ = classmethod(__init_subclass__)


def watch_handle(
    holder: Any, name: str, describe: Callable[..., Agent], future: Callable[[Any], Any]
) -> None:
    """Record runs that a method only starts: `future` gives the asyncio future, of what it
    returned, that ends with the run."""
    original = getattr(holder, name)
    if hasattr(original, _MARK):
        return

    @functools.wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        frame = _open(describe, args, kwargs)
        if frame is None:
            return original(*args, **kwargs)
        frame.enter()
        try:
            handle = original(*args, **kwargs)
        except BaseException as error:
            frame.leave()
            frame.fail(error)
            raise
        frame.leave()
        try:
            future(handle).add_done_callback(functools.partial(_ended, frame))
        except Exception as error:  # the framework's own object
            report("following a run", error)
        return handle

    setattr(method, _MARK, original)
    setattr(holder, name, method)


def _ended(frame: Frame, future: Any) -> None:
    import asyncio  # loaded already: it calls this

    if future.cancelled():
        frame.fail(asyncio.CancelledError())
    elif future.exception() is not None:
        frame.fail(future.exception())
    else:
        frame.finish(future.result())


def watch_context(holder: Any, name: str, describe: Callable[..., Agent]) -> None:
    """The same of a method that gives an async context manager: the step lasts as long as that.

    `outcome` is given the manager's value.
    """
    original = getattr(holder, name)
    if hasattr(original, _MARK):
        return

    @functools.wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        return _Context(original(*args, **kwargs), lambda: _open(describe, args, kwargs))

    setattr(method, _MARK, original)
    setattr(holder, name, method)


class _Context:
    """An async context manager within a step."""

    def __init__(self, inner: Any, opener: Callable[[], Frame | None]) -> None:
        self._inner = inner
        self._opener = opener
        self._frame: Frame | None = None
        self._value: Any = None

    async def __aenter__(self) -> Any:
        self._frame = frame = self._opener()
        if frame is not None:
            frame.enter()
        try:
            self._value = await self._inner.__aenter__()
        except BaseException as error:
            self._end(error)
            raise
        return self._value

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> Any:
        try:
            handled = await self._inner.__aexit__(kind, error, trace)
        except BaseException as raised:
            self._end(raised)
            raise
        self._end(None if handled else error)
        return handled

    def _end(self, error: BaseException | None) -> None:
        frame, value = self._frame, self._value
        self._frame = self._value = None
        if frame is None:
            return
        frame.leave()
        if error is None:
            frame.finish(value)
        else:
            frame.fail(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


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
            return open_agent(call)
        if call is None or _recorded_by_its_decorator(call):
            return None
        spec, first = _tool_spec(call)
        given = dict(call.arguments)
    except ReplayStop:
        raise
    except Exception as error:  # the framework's objects are looked at
        report("describing a call", error)
        return None
    frame = open_frame(spec, first, given)
    if frame is not None and call.outcome is not None:
        return AgentFrame(frame, call.outcome)
    return frame


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
    spec.parameters = _AsGiven(inner)
    spec.seam = True
    spec.about = call.about
    spec.returns = call.returns
    spec.plain, spec.remake, spec.state = call.plain, call.remake, call.state
    if call.call_id:
        spec.detail = {"tool_call_id": str(call.call_id)}
    return spec, () if bound is None or inner is function else (bound,)


@functools.lru_cache(maxsize=256)
def _spec(function: Callable[..., Any], name: str, effect: Effect | None) -> Spec:
    return Spec("tool", name, function, effect)


def _nothing_known() -> Any: ...


class _AsGiven(Parameters):
    """Arguments that have their names already."""

    def by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        return dict(kwargs)


def open_agent(call: Agent) -> "AgentFrame | None":
    """Begin the step of an agent's run; None outside any run of ours."""
    if scopes.current() is None:
        return None
    spec = Spec("agent", call.name, _nothing_known)
    spec.parameters = _AsGiven(_nothing_known)
    spec.seam = True
    spec.about = call.about
    spec.detail = call.detail
    frame = open_frame(spec, (), {name: shown(value) for name, value in call.given.items()})
    return None if frame is None else AgentFrame(frame, call.outcome, call.ended, call.is_last)


class AgentFrame(Frame):
    """An agent's run: what it came to is kept as plain data for people, never given back."""

    __slots__ = ("_is_last", "_outcome", "_then")

    def __init__(
        self,
        frame: Frame,
        outcome: Callable[[Any], Any],
        then: Callable[[], None] = lambda: None,
        is_last: Callable[[Any], bool] = lambda item: False,
    ) -> None:
        super().__init__(frame.spec, frame.step, frame.decision)
        self._outcome = outcome
        self._then = then
        self._is_last = is_last

    def ended(self, status: str, cause: BaseException | None, **what: Any) -> None:
        self._then()
        super().ended(status, cause, **what)

    def finish(self, result: Any, **detail: Any) -> None:
        try:
            made = encode_whole(self._outcome(result))
        except Exception as error:  # the framework's objects are looked at
            report("describing an outcome", error)
            made = encode_whole(None)
        self.ended("ok", None, made=made, fidelity="exact", detail=detail)

    def items(self) -> Items:
        return _Last(self)

    def gave(self, item: Any) -> None:
        """An item of a run that streams."""
        if self._is_last(item):
            self.finish(item)

    def finish_items(self, items: Items, *, returned: Any = None, abandoned: bool = False) -> None:
        detail = {"abandoned": True} if abandoned else {}
        self.finish(items.values[-1] if items.values else None, **detail)

    def fail(self, error: BaseException, items: Items | None = None, **how: Any) -> None:
        super().fail(error, None, **how)


class _Last(Items):
    """Of what a streaming agent gave, the last; what is in between comes from its models."""

    def __init__(self, frame: AgentFrame) -> None:
        super().__init__()
        self._frame = frame

    def gave(self, item: Any) -> None:
        self.values[:] = [item]
        self._frame.gave(item)


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
