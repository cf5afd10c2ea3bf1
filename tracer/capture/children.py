"""Python processes that the program starts take part in its run.

An invitation says which run, and where in it: it travels in the environment (`subprocess`), with
the process object (`multiprocessing`, spawned or by a fork server) or with each piece of work
(pools). A forked child needs none: it has a copy of the run (`scope.py`).
"""

import functools
import itertools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracer.capture import inheritance, processes, runtime
from tracer.capture import scope as scopes
from tracer.capture.boundary import ActiveRun
from tracer.capture.guard import report
from tracer.capture.imports import when_loaded
from tracer.capture.numbering import Numbers
from tracer.capture.runtime import JOINING

_FLUSH_SECONDS = 5.0
_RUN, _DB = JOINING[0], "TRACER_DB"
_visits = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What it takes to join a run: ids, the scope's path, the file that numbers are counted in."""

    run: str
    path: str
    step: str | None
    numbers: str
    database: str

    def join(self) -> scopes.Scope | None:
        """The scope it names, in this process; None when the run is over. Never raises."""
        try:
            return scopes.Scope(self._run(), self.path, self.step, None)
        except OSError:
            return None  # its numbers are gone: it has ended
        except Exception as error:
            report("joining a run", error)
            return None

    def _run(self) -> ActiveRun:
        for run in scopes.active_runs():
            if run.id == self.run:
                return run
        numbers = Numbers(self.numbers)
        install()
        return runtime.join_run(self.run, Path(self.database), numbers)


def invite(scope: scopes.Scope) -> Invitation | None:
    """An invitation to a scope; None where no other process can join (a re-execution)."""
    run = scope.run
    recorder: Any = run.recorder
    if run.handler is not None or recorder.queue.failure is not None:
        return None
    numbers = run.numbers.share()
    if numbers is None:
        return None
    return Invitation(run.id, scope.path, scope.step_id, numbers, str(recorder.queue.path))


def join_from_environment(environment: Mapping[str, str] = os.environ) -> None:
    """Join the run that the parent process has named, for the rest of this process."""
    if not environment.get(_RUN) or scopes.any_run_active() or runtime.replaying():
        return
    run, path, step, numbers, database = (environment.get(key, "") for key in (*JOINING, _DB))
    # One command may start several of us, so each stands in a scope of its own.
    place = f"{path}/w{os.getpid()}" if path else f"w{os.getpid()}"
    scope = Invitation(run, place, step or None, numbers, database).join()
    if scope is not None:
        scope.gathered.quiet = True  # its output is that of a step in the parent process
        scope.run.root = scope
        scopes.set_current(scope)


def environment_for(scope: scopes.Scope, given: Mapping[str, Any]) -> dict[str, str] | None:
    """The environment of a process that `Popen` starts with these arguments, where it is likely
    to be Python; None for others, which need no more than they have."""
    if not inheritance.is_python(given):
        return None
    invitation = invite(scope)
    if invitation is None:
        return None
    told = (invitation.run, invitation.path, invitation.step or "", invitation.numbers)
    made = dict(zip((*JOINING, _DB), (*told, invitation.database), strict=True))
    if scope.run.is_program:
        made |= inheritance.loading_tracer(given.get("env"))
    return made


def join() -> None:
    """Join the run that the environment names, if any; invite the processes started here."""
    install()
    join_from_environment()


def leave() -> None:
    """Take part in no other process's run: this one is asked to record its own."""
    for key in JOINING:
        os.environ.pop(key, None)


class _Guest:
    """Travels with a process object; where it is unpickled, the process joins."""

    def __init__(self, invitation: Invitation) -> None:
        self.invitation = invitation

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrive, (self.invitation,)


def _arrive(invitation: Invitation) -> None:
    scope = invitation.join()
    if scope is not None:
        scope.run.root = scope
        scopes.set_current(scope)


class Errand:
    """A function handed to a pool: it runs in its own scope of the run, in whatever process.

    `many`: it is called for each item of a mapping, maybe in several processes at once.
    """

    def __init__(self, invitation: Invitation, function: Callable[..., Any], many: bool) -> None:
        self.invitation = invitation
        self.function = function
        self.many = many

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        scope = self.invitation.join()
        if scope is None:
            return self.function(*args, **kwargs)
        if self.many:
            place = f"{scope.path}/w{os.getpid()}-{next(_visits)}"
            scope = scopes.Scope(scope.run, place, scope.step_id, None)
        before, held = scopes.set_current(scope), scopes.hold(None)
        try:
            return self.function(*args, **kwargs)
        finally:
            scopes.set_current(before)
            scopes.hold(held)


def _errand(function: Any, *, many: bool) -> Any:
    """The function as an errand, inside a run; else as it is."""
    try:
        scope = scopes.current()
        if scope is None or scope.run.handler is not None or isinstance(function, Errand):
            return function
        invitation = invite(scope.for_process())
        return function if invitation is None else Errand(invitation, function, many)
    except Exception as error:
        report("handing work to a pool", error)
        return function


_installed = False


def install() -> None:
    """Invite the Python processes that this one starts and hands work to, from now on."""
    global _installed
    if _installed:
        return
    _installed = True
    processes.set_inviting(environment_for)
    for name, patch in _PATCHES.items():
        when_loaded((name,), patch)


def _patch_process(module: Any) -> None:
    process = module.BaseProcess
    original = process.start

    def start(self: Any) -> None:
        guest = _guest_for(self)
        if guest is not None:
            self._tracer_guest = guest
        try:
            original(self)
        finally:
            if guest is not None:
                del self._tracer_guest

    start.__doc__ = original.__doc__
    process.start = start


def _guest_for(process: Any) -> _Guest | None:
    """What takes a spawned process along; a forked one has a copy of the run already."""
    try:
        scope = scopes.current()
        if scope is None or scope.run.handler is not None:
            return None
        # Loaded: a process is just being started with it.
        from multiprocessing import get_start_method, spawn

        method = getattr(process, "_start_method", None) or get_start_method()
        python = os.fsdecode(spawn.get_executable() or "")
        if method == "fork" or python != sys.executable:
            return None
        invitation = invite(scope.for_process())
        return None if invitation is None else _Guest(invitation)
    except Exception as error:
        report("starting a process", error)
        return None


def _patch_util(module: Any) -> None:
    """A worker leaves without exit handlers; what it recorded is written before."""

    def leave() -> None:
        runtime.flush(_FLUSH_SECONDS, rest=True)

    module.register_after_fork(_anchor, lambda _: module.Finalize(None, leave, exitpriority=-100))


class _Anchor:
    """Something that the registry of multiprocessing can hold weakly."""


_anchor = _Anchor()


def _wrap_method(owner: Any, name: str, *, many: bool) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if type(self).__name__ != "ThreadPool":
            if args:
                args = (_errand(args[0], many=many), *args[1:])
            elif "func" in kwargs:
                kwargs["func"] = _errand(kwargs["func"], many=many)
        return original(self, *args, **kwargs)

    setattr(owner, name, method)


def _patch_pool(module: Any) -> None:
    for name in ("apply_async", "_map_async", "imap", "imap_unordered"):
        if hasattr(module.Pool, name):
            _wrap_method(module.Pool, name, many=name != "apply_async")


def _patch_executor(module: Any) -> None:
    _wrap_method(module.ProcessPoolExecutor, "submit", many=False)


_PATCHES: dict[str, Callable[[Any], None]] = {
    "multiprocessing.process": _patch_process,
    "multiprocessing.util": _patch_util,
    "multiprocessing.pool": _patch_pool,
    "concurrent.futures.process": _patch_executor,
}
