"""Scopes: where the running code stands in a run, so that a step has an identity.

A scope has a path; steps and child scopes are numbered in it when they are created, in the
parent's program order. A step's slot is the scope's path plus its ordinal among steps of its kind
there, so identical prompts in parallel branches are told apart by place, never by timing.

Paths: a step opens a scope named after itself ("tool2"), a task or thread one named "t3", what
runs in another process one named "p1" (in the order the processes or their work were started).
"""

import contextvars
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

from tracer.core.records import Slot, StepKind

if TYPE_CHECKING:
    from tracer.capture.boundary import ActiveRun
    from tracer.capture.gathered import Gathered

_numbering = threading.Lock()
# Functions that are steps by a decorator, the user's own ones inside our wrappers.
decorated: "weakref.WeakSet[Any]" = weakref.WeakSet()


class Scope:
    """One scope of a run under way. `step_id` is the step that encloses it (None: the run), and
    `step_n` that step's number (0).

    `tool` is that step's name where it is a tool's; `gathered` takes what happens around it.
    """

    __slots__ = (
        "_counters",
        "forks",
        "gathered",
        "parent",
        "path",
        "run",
        "step_id",
        "step_n",
        "tool",
    )

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
        self.forks = run.forks
        self.gathered: Gathered = run.gathered if parent is None else parent.gathered
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

    def for_process(self) -> "Scope":
        """The scope of what another process does, started or handed over now."""
        name = f"p{self._next('p')}"
        path = f"{self.path}/{name}" if self.path else name
        scope = Scope(self.run, path, self.step_id, self, self.tool)
        scope.gathered = self.gathered.again()
        return scope

    def in_the_copy(self) -> "Scope":
        """Where code goes on in a forked child, that stood here in its parent."""
        name = f"{self.run.root.path.rpartition('/')[2]}-{os.getpid()}"
        scope = self.run.named_scope(name, self)
        if scope.gathered is self.gathered:  # the parent writes what it has gathered
            scope.gathered = self.gathered.again()
        return scope

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
        if scope.forks != scope.run.forks and scope.run.handler is None:
            scope = scope.in_the_copy()
        return None if scope.run.is_elsewhere else scope
    # Copied, because another thread may end its run meanwhile.
    runs = [run for run in _active if not run.is_elsewhere]
    if agent and not any(run.is_program for run in runs):
        return None  # in a server's threads each agent is a run of its own
    if len(runs) != 1:
        return None
    if threading.current_thread() is threading.main_thread():
        # A process that takes part in a run does so as a whole.
        return runs[0].root if runs[0].in_child and runs[0].handler is None else None
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


_copies: list[Scope] = []  # of a fork under way: where its child stands, innermost first


def _before_fork() -> None:
    _copies.clear()
    here = _current.get()
    held: Scope | None = getattr(_held, "scope", None)
    if held is not None and (here is None or held.is_below(here)):
        here = held
    for run in _active:
        run.before_fork()
        if run.handler is None and (here is None or here.run is not run):
            _copies.append(run.root.for_process())
    if here is not None and here.run.handler is None:
        _copies.insert(0, here.for_process())


def _after_fork(*, child: bool) -> None:
    global _numbering
    for run in _active:
        run.was_forked(child=child)
    if child:
        _numbering = threading.Lock()
        if _copies:
            # Its steps are numbered in a scope of their own: the parent goes on in this one.
            _current.set(_copies[0])
            _held.scope = None
            for scope in _copies:
                scope.forks = scope.run.forks
                scope.run.root = scope
    _copies.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
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
