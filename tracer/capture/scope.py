"""Scopes: where the running code stands in a run, so that a step has an identity.

A scope has a path; steps and child scopes are numbered in it when they are created, in the
parent's program order. A step's slot is the scope's path plus its ordinal among steps of its kind
there, so identical prompts in parallel branches are told apart by place, never by timing.

Paths: a step opens a scope named after itself ("tool2"), a task or thread one named "t3".
"""

import contextvars
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

from tracer.core.records import Slot, StepKind

if TYPE_CHECKING:
    from tracer.capture.boundary import ActiveRun

_numbering = threading.Lock()
# Functions that are steps by a decorator, the user's own ones inside our wrappers.
decorated: "weakref.WeakSet[Any]" = weakref.WeakSet()


class Scope:
    """One scope of a run under way. `step_id` is the step that encloses it (None: the run), and
    `step_n` that step's number (0).

    `tool` is that step's name where it is a tool's.
    """

    __slots__ = ("_counters", "parent", "path", "run", "step_id", "step_n", "tool")

    def __init__(
        self,
        run: "ActiveRun",
        path: str,
        step_id: str | None,
        parent: "Scope | None",
        tool: str | None = None,
    ) -> None:
        self.run = run
        self.tool = tool
        self.path = path
        self.step_id = step_id
        self.step_n: int = 0 if parent is None else parent.step_n
        self.parent = parent
        self._counters: dict[str, int] = {}

    def _next(self, name: str) -> int:
        with _numbering:  # threads may share a scope; the count must not skip or repeat
            number = self._counters.get(name, 0) + 1
            self._counters[name] = number
            return number

    def take_slot(self, kind: StepKind) -> Slot:
        """The slot of the next step of a kind here."""
        return Slot(self.path, kind, self._next(kind))

    def for_task(self) -> "Scope":
        """The scope of a task or thread created now, numbered in program order."""
        name = f"t{self._next('t')}"
        path = f"{self.path}/{name}" if self.path else name
        return Scope(self.run, path, self.step_id, self, self.tool)

    def for_step(self, slot: Slot, step_id: str, tool: str | None = None) -> "Scope":
        """The scope for what happens inside a step; `tool`: its name, if it is a tool."""
        return Scope(self.run, slot.child_path(), step_id, self, tool)

    def for_stranger(self, thread_name: str) -> "Scope":
        """The scope of a thread that carries no context of ours."""
        name = "?" + "".join(c if c.isalnum() or c in "-_" else "-" for c in thread_name)
        return self.run.named_scope(name)

    def is_below(self, other: "Scope") -> bool:
        """Whether this is `other` or was opened inside it."""
        here: Scope | None = self
        while here is not None:
            if here is other:
                return True
            here = here.parent
        return False


_current: contextvars.ContextVar[Scope | None] = contextvars.ContextVar("tracer", default=None)
_held = threading.local()
_active: list["ActiveRun"] = []  # runs under way in this process


def current(*, agent: bool = False) -> Scope | None:
    """The scope of the calling code, or None outside any run.

    A pool's worker may run its function inside a copy of the *submitter's* context (LangChain's
    executors do); the scope given to the thread wins when it lies below the context's.
    """
    scope = _current.get()
    held: Scope | None = getattr(_held, "scope", None)
    if held is not None and (scope is None or held.is_below(scope)):
        scope = held
    if scope is not None:
        return None if scope.run.is_elsewhere else scope
    # Copied, because another thread may end its run meanwhile.
    runs = [run for run in _active if not run.is_elsewhere]
    if agent and not any(run.is_program for run in runs):
        return None  # in a server's threads each agent is a run of its own
    if len(runs) != 1 or threading.current_thread() is threading.main_thread():
        return None
    return runs[0].root.for_stranger(threading.current_thread().name)


def is_inside_tool(name: str) -> bool:
    """Whether the innermost step under way here is the tool of that name."""
    scope = current()
    return scope is not None and scope.tool == name


def set_current(scope: Scope | None) -> Scope | None:
    """Make `scope` current in this context; gives back what was there, for `set_current` again.

    Plain values, not tokens: a generator may be closed in another context than it was opened in,
    where a token can't be used.
    """
    before = _current.get()
    _current.set(scope)
    return before


def hold(scope: Scope | None) -> Scope | None:
    """Give a scope to the current thread; gives back what it held."""
    before: Scope | None = getattr(_held, "scope", None)
    _held.scope = scope
    return before


def run_started(run: "ActiveRun") -> None:
    """A run is under way in this process; threads without context may belong to it."""
    _active.append(run)


def run_ended(run: "ActiveRun") -> None:
    """It no longer is."""
    if run in _active:
        _active.remove(run)


def _after_fork(*, child: bool) -> None:
    for run in _active:
        run.was_forked(child=child)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        after_in_parent=lambda: _after_fork(child=False),
        after_in_child=lambda: _after_fork(child=True),
    )


def any_run_active() -> bool:
    """Whether any run is under way in this process."""
    return bool(_active)


def active_runs() -> "list[ActiveRun]":
    """The runs under way in this process."""
    return _active[:]


def innermost_run() -> "ActiveRun | None":
    """The run the calling code belongs to, or None."""
    scope = current()
    return scope.run if scope is not None else None


def scope_in(context: contextvars.Context) -> Scope | None:
    """The scope a context carries."""
    return context.get(_current)


def put_in(context: contextvars.Context, scope: Scope) -> None:
    """Set the scope of a context that isn't entered. Raises RuntimeError when it is."""
    context.run(_current.set, scope)
