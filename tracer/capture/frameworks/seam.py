"""A seam: a method of a framework whose calls are recorded as steps, answered in a re-execution.

A file of this package describes calls (`Tool` or `Agent`, or None: not a call of interest) and
names the methods; `watch` puts the wrapper in, of the method's own form. Steps go through the same
boundary as decorated functions. Nothing here raises into the framework but what ends a
re-execution.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from tracer.capture.calls import Opening
from tracer.capture.exceptions import without_us
from tracer.capture.frames import Frame, Spec
from tracer.capture.frameworks.described import Agent, Describe, Tool, parsed, shown
from tracer.capture.frameworks.opening import AgentFrame, open_agent, open_call
from tracer.capture.guard import report
from tracer.capture.opened import opened
from tracer.capture.wrapping import wrap

_MARK = "__tracer_seam__"


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
    """`function` with its calls recorded, of the same form; itself where they are already."""
    if hasattr(function, _MARK):
        return function

    def opener(spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opening[Frame | None]:
        return open_call(describe, args, kwargs)

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
        frame = opened(open_call(describe, args, kwargs))
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
        return _Context(
            original(*args, **kwargs), lambda: opened(open_call(describe, args, kwargs))
        )

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


__all__ = [
    "Agent",
    "AgentFrame",
    "Tool",
    "before",
    "open_agent",
    "parsed",
    "shown",
    "unwatched",
    "watch",
    "watch_context",
    "watch_handle",
    "watch_overrides",
    "wrapped",
]
