"""Watches a function in place: its code is exchanged for one that asks the step boundary.

Name, signature, defaults, closure, annotations and kind stay as they were, and so does every
reference to it. The original code lives on in a twin that the boundary calls.
"""

import inspect
import weakref
from types import FunctionType
from typing import Any

from tracer.capture import scope as scopes
from tracer.capture.callsite import pass_over
from tracer.capture.codeswap import Unwatchable, trampoline, twin_of
from tracer.capture.frames import Spec
from tracer.capture.wrapping import wrap

_watched: "weakref.WeakSet[FunctionType]" = weakref.WeakSet()
_twins: "weakref.WeakSet[FunctionType]" = weakref.WeakSet()


def is_watched(function: FunctionType) -> bool:
    """Whether a function was already exchanged."""
    return function in _watched


def is_ours(function: object) -> bool:
    """Whether a function is a step already: the inner one of a decorator of ours, or a twin."""
    return isinstance(function, FunctionType) and (
        function in _twins or function in scopes.decorated
    )


def watch(function: FunctionType, name: str) -> None:
    """Make every call of a function a tool step called `name`. Raises Unwatchable."""
    code = function.__code__
    if code.co_flags & inspect.CO_ITERABLE_COROUTINE:
        raise Unwatchable("it is a generator that is awaited")
    twin = twin_of(function)
    recorded = wrap(Spec("tool", name, twin))

    def call(*args: Any, **kwargs: Any) -> Any:
        # A framework's own seam has made the step, or the function calls itself.
        if scopes.is_inside_tool(name):
            return twin(*args, **kwargs)
        return recorded(*args, **kwargs)

    exchanged = trampoline(code, call)
    pass_over(exchanged)
    _twins.add(twin)
    function.__code__ = exchanged
    _watched.add(function)


__all__ = ["Unwatchable", "is_ours", "is_watched", "watch"]
