"""Carries scopes into tasks and threads, numbering each child when it is created.

Patched once, at class level: `BaseEventLoop.create_task` (which `gather`, `TaskGroup` and
`to_thread` go through; uvloop's loop likewise when it is loaded), `ThreadPoolExecutor.submit` and
`Thread.start`. Outside a run each patch is one look at a context variable.
"""

import contextvars
import functools
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from types import ModuleType
from typing import Any

from tracer.capture import scope as scopes
from tracer.capture.guard import report
from tracer.capture.imports import watch_imports

_LOOPS = "asyncio.base_events"

_installed = False
_patched_loops: set[type] = set()


def install() -> None:
    """Patch asyncio and threads; again without effect (but finds a uvloop loaded since).

    asyncio is patched when it is loaded: a program without it should not pay for it.
    """
    global _installed
    if _LOOPS in sys.modules:
        _patch_asyncio(import_module(_LOOPS))  # waits for a thread that is just loading it
    uvloop = sys.modules.get("uvloop")
    if uvloop is not None:
        _patch_loop(uvloop.Loop)
    if _installed:
        return
    _installed = True
    watch_imports((_LOOPS,), _patch_asyncio)
    _patch_submit()
    _patch_thread()


def _patch_asyncio(loops: ModuleType) -> None:
    _patch_loop(loops.BaseEventLoop)


def _patch_loop(loop_class: Any) -> None:
    if loop_class in _patched_loops:
        return
    _patched_loops.add(loop_class)
    original = loop_class.create_task

    @functools.wraps(original)
    def create_task(self: Any, coro: Any, **kwargs: Any) -> Any:
        scope = scopes.current()
        if scope is None:
            return original(self, coro, **kwargs)
        given = kwargs.get("context")
        context: contextvars.Context = given if given is not None else contextvars.copy_context()
        try:
            scopes.put_in(context, scope.for_task())
        except RuntimeError:
            # The given context is the one running now: the task shares its creator's scope.
            return original(self, coro, **kwargs)
        if given is None and self.get_task_factory() is not None:
            # A factory of the program's own need not know the argument `context`; the task copies
            # the context it is made in.
            return context.run(original, self, coro, **kwargs)
        kwargs["context"] = context
        return original(self, coro, **kwargs)

    loop_class.create_task = create_task


class _Scoped:
    """A function that runs with a scope held by the thread that runs it."""

    __slots__ = ("function", "scope")

    def __init__(self, scope: scopes.Scope, function: Callable[..., Any]) -> None:
        self.scope = scope
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        before = scopes.hold(self.scope)
        try:
            return self.function(*args, **kwargs)
        finally:
            scopes.hold(before)


_submitting = threading.local()


def _patch_submit() -> None:
    original: Any = ThreadPoolExecutor.submit

    @functools.wraps(original)
    def submit(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        scope = scopes.current()
        if scope is None:
            return original(self, fn, *args, **kwargs)
        # Whether submit() starts a worker thread depends on timing, so those threads get no number.
        _submitting.active = True
        try:
            return original(self, _Scoped(scope.for_task(), fn), *args, **kwargs)
        finally:
            _submitting.active = False

    ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]


def _patch_thread() -> None:
    original = threading.Thread.start

    @functools.wraps(original)
    def start(self: threading.Thread) -> None:
        try:
            scope = None if getattr(_submitting, "active", False) else scopes.current()
            if scope is not None and not getattr(self, "_tracer_own", False):
                self.run = _Scoped(scope.for_task(), self.run)  # type: ignore[method-assign]
        except Exception as error:
            report("Thread.start", error)
        original(self)

    threading.Thread.start = start  # type: ignore[method-assign]
