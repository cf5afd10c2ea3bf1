"""Carries scopes into tasks and threads, numbering each child when it is created.

Patched once, at class level: `BaseEventLoop.create_task` (which `gather`, `TaskGroup` and
`to_thread` go through) with `call_later` and `call_at`, the same of uvloop's loop, the spawning of
trio's tasks, `ThreadPoolExecutor.submit`, the pool of threads of multiprocessing, `Thread.start`
and `_thread.start_new_thread`. Outside a run each patch is one look at a context variable.
"""

import _thread
import contextlib
import contextvars
import functools
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tracer.capture import scope as scopes
from tracer.capture import threadpools
from tracer.capture.callsite import is_user_file
from tracer.capture.guard import report
from tracer.capture.imports import when_loaded
from tracer.capture.threadpools import ScopedCall

_LOOPS = "asyncio.base_events"
_TRIO = "trio._core._run"
_EXECUTORS = "concurrent.futures.thread"
_POOLS = "multiprocessing.pool"

_installed = False
_patched_loops: set[type] = set()


def install() -> None:
    """Patch event loops and threads; once.

    asyncio and its like are patched when loaded: a program without them should not pay for them.
    """
    global _installed
    if _installed:
        return
    _installed = True
    patches = {_LOOPS: _patch_asyncio, "uvloop": _patch_uvloop, _TRIO: _patch_trio,
               _EXECUTORS: _patch_submit, _POOLS: threadpools.patch}  # fmt: skip
    for name, patch in patches.items():
        when_loaded((name,), patch)
    _patch_thread()


def _patch_asyncio(loops: ModuleType) -> None:
    _patch_loop(loops.BaseEventLoop)


def _patch_uvloop(uvloop: Any) -> None:
    # The class itself is written in C and can't be changed; its methods are looked up in this one.
    _patch_loop(uvloop.Loop)
    # Only where there is a loop whose processes are not those of the standard library.
    from tracer.capture.processes import other_loops

    other_loops.patch(uvloop.Loop)


def _patch_loop(loop_class: Any) -> None:
    if loop_class in _patched_loops:
        return
    _patched_loops.add(loop_class)
    for name in ("call_later", "call_at"):
        setattr(loop_class, name, _numbering_callbacks(getattr(loop_class, name)))
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


def _numbering_callbacks(original: Any) -> Any:
    """A callback of the program's own gets a scope where it is made: when it runs, is a matter of
    time. Those of the event loop and libraries (timeouts, sleeps) make no steps."""

    @functools.wraps(original)
    def call(self: Any, when: Any, callback: Any, *args: Any, context: Any = None) -> Any:
        scope = scopes.current()
        if scope is not None and is_user_file(sys._getframe(1).f_code.co_filename):
            callback = ScopedCall(scope.for_task(), callback)
        if context is None:
            return original(self, when, callback, *args)
        return original(self, when, callback, *args, context=context)

    return call


def _patch_trio(run: Any) -> None:
    runner = run.Runner
    original = runner.spawn_impl

    @functools.wraps(original)
    def spawn_impl(self: Any, *args: Any, **kwargs: Any) -> Any:
        scope = None if kwargs.get("system_task") else scopes.current()
        if scope is not None:
            context = kwargs.get("context") or contextvars.copy_context()
            with contextlib.suppress(RuntimeError):  # a context that runs now, given by the program
                scopes.put_in(context, scope.for_task())
                kwargs["context"] = context
        return original(self, *args, **kwargs)

    runner.spawn_impl = spawn_impl


_submitting = threading.local()


def _patch_submit(executors: Any) -> None:
    original: Any = executors.ThreadPoolExecutor.submit

    @functools.wraps(original)
    def submit(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        scope = scopes.current()
        if scope is None:
            return original(self, fn, *args, **kwargs)
        # Whether submit() starts a worker thread depends on timing, so those threads get no number.
        _submitting.active = True
        try:
            return original(self, ScopedCall(scope.for_task(), fn), *args, **kwargs)
        finally:
            _submitting.active = False

    executors.ThreadPoolExecutor.submit = submit


def _patch_thread() -> None:
    original = threading.Thread.start

    @functools.wraps(original)
    def start(self: threading.Thread) -> None:
        try:
            scope = None if getattr(_submitting, "active", False) else scopes.current()
            if scope is not None and not _is_worker(self):
                self.run = ScopedCall(scope.for_task(), self.run)  # type: ignore[method-assign]
        except Exception as error:
            report("Thread.start", error)
        original(self)

    threading.Thread.start = start  # type: ignore[method-assign]
    plain = _thread.start_new_thread

    @functools.wraps(plain)
    def start_new_thread(function: Any, /, *args: Any) -> int:
        scope = scopes.current()
        if scope is not None and is_user_file(sys._getframe(1).f_code.co_filename):
            function = ScopedCall(scope.for_task(), function)
        return plain(function, *args)

    _thread.start_new_thread = start_new_thread


def _is_worker(thread: threading.Thread) -> bool:
    """Whether a thread does one job after the other, each in the context of who asked for it: when
    a pool starts one more is a matter of time, so it gets no number and no scope."""
    target: Any = getattr(thread, "_target", None)
    owner = type(getattr(target, "__self__", thread))
    return owner.__name__ == "WorkerThread" and owner.__module__.startswith(("anyio.", "trio."))
