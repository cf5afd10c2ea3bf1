"""Switches on, while a run is under way in this process, what is noted around steps; and says at
its end what the run ran in."""

import os
import sys
import threading
from typing import TYPE_CHECKING

from tracer.capture import config
from tracer.capture.around import effects, git, logs, output, packages, settings
from tracer.capture.callsite import is_user_file
from tracer.capture.guard import report
from tracer.core.records import AROUND, JSON

if TYPE_CHECKING:
    from tracer.capture.boundary import ActiveRun

_DIRTY_SECONDS = 0.2  # that the end of a run waits for git

_lock = threading.Lock()
_runs = 0
_packages: tuple[int, dict[str, JSON]] = (0, {})


def is_on() -> bool:
    """Whether anything is to be noted around steps."""
    return AROUND in config.get().capture


def started(run: "ActiveRun") -> None:
    """A run is under way here."""
    global _runs
    if not is_on():
        return
    run.look = output.look
    with _lock:
        _runs += 1
        if _runs > 1:
            return
        try:
            for part in (output, logs, effects, settings):
                part.start()
        except Exception as error:
            report("watching around steps", error)


def ended(run: "ActiveRun") -> None:
    """It no longer is: write what was gathered outside its steps."""
    global _runs
    if not run.is_watched:
        return
    run.look = None
    flush(run, rest=True)
    with _lock:
        _runs -= 1
        if _runs:
            return
        try:
            for part in (output, logs, effects, settings):
                part.stop()
        except Exception as error:
            report("watching around steps", error)


def flush(run: "ActiveRun", *, rest: bool = False) -> None:
    """Hand what is gathered so far to the recorder; with `rest` all of it."""
    for gathered in list(run.unwritten.values()):
        gathered.flush(rest=rest)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def at_start(entry: dict[str, JSON]) -> dict[str, JSON]:
    """What a run's environment says from its start on."""
    if not is_on():
        return {}
    found: dict[str, JSON] = {AROUND: True}
    commit = git.commit_of(_folder(entry))
    if commit is not None:
        found["git"] = commit
        git.ask(str(commit["root"]))
    return found


def at_end(run: "ActiveRun") -> None:
    """Note what is only known at the end: loaded packages, variables read, a dirty tree."""
    if not run.is_watched:
        return
    try:
        found: dict[str, JSON] = {"packages": _loaded(), "variables": sorted(run.variables)}
        commit = run.environment.get("git")
        if isinstance(commit, dict):
            found["dirty"] = git.dirty(str(commit["root"]), _DIRTY_SECONDS)
        run.gathered.found(found)
    except Exception as error:
        report("looking at what the run ran in", error)


def _loaded() -> dict[str, JSON]:
    global _packages
    count = len(sys.modules)
    if _packages[0] != count:
        _packages = (count, packages.loaded())
    return _packages[1]


def _folder(entry: dict[str, JSON]) -> str:
    """Where the program's own code stands."""
    file = entry.get("path") if entry.get("kind") == "script" else entry.get("file")
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    for path in (file, main):
        if isinstance(path, str) and is_user_file(path) and os.path.exists(path):
            return os.path.dirname(os.path.abspath(path))
    return str(entry.get("cwd") or ".")
