"""What a program reads of the world around it without asking anybody: the clock, and chance.

Hooks are in place while a run is under way, so outside runs nothing is slower. A recording keeps
what the program's code read, scope by scope; a re-execution gives it the same again.
"""

import atexit
import os
import threading
from typing import Any

from tracer.capture import config
from tracer.capture import scope as scopes
from tracer.capture.ambient import reads
from tracer.capture.ambient.states import States
from tracer.capture.boundary import ActiveRun
from tracer.capture.draws import Draws, DrawSource
from tracer.capture.guard import report
from tracer.capture.imports import when_loaded

_lock = threading.Lock()
_switches: list[Any] | None = None  # Builtin or Seeding; None until the first run
_working = True
_runs = 0


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()  # another thread may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def begin(run: ActiveRun, source: DrawSource | None = None) -> None:
    """A run starts: from here on its reads are kept, and given if there is a `source`."""
    if "clock" not in config.get().capture or not _start():
        return
    draws = run.draws = Draws(
        lambda: run.numbers.last, run.note, lambda found: run.recorder.drawn(run, found), source
    )
    if run.in_child:
        return
    try:
        draws.states = States(draws)
    except Exception as error:  # another implementation of the generators; a damaged recording
        report("the state of random", error)


def end(run: ActiveRun) -> None:
    """It is over: what was kept is handed over."""
    global _runs
    draws, run.draws = run.draws, None
    if draws is None:
        return
    draws.hand_over()
    with _lock:
        _runs -= 1
        if _runs == 0:
            _turn(on=False)
    if draws.states is not None:
        draws.states.end()


def _start() -> bool:
    global _runs
    with _lock:
        if _switches is None:
            _install()
        if not _working:
            return False
        _runs += 1
        if _runs == 1:
            _turn(on=True)
    return True


def _turn(*, on: bool) -> None:
    reads.watching = on
    for switch in _switches or ():
        (switch.on if on else switch.off)()


def _install() -> None:
    """Make the switches; once. Where the interpreter is built otherwise, nothing is switched."""
    global _switches, _working
    _switches = []
    try:
        # ctypes takes milliseconds to load, and only a process that records needs it.
        from tracer.capture.ambient import swap

        if not swap.supported():
            _working = False
            return
        # These load ctypes too.
        from tracer.capture.ambient import chance, clock, dates, stdin

        made: list[Any] = [*clock.switches(), *chance.switches(), chance.Seeding(), stdin.switch()]
        take_back = dates.put_in_place()
        _switches = made
        atexit.register(_leave, take_back)
        when_loaded(("uuid",), _uuid_loaded)
        when_loaded(("numpy.random",), _numpy_loaded)
    except Exception as error:
        _working = False
        report("watching the clock", error)


def _leave(take_back: Any) -> None:
    """The interpreter ends: what it still calls is its own."""
    _turn(on=False)
    take_back()


def _uuid_loaded(_: Any) -> None:
    # Loaded with the others.
    from tracer.capture.ambient import chance

    for switch in chance.uuid_switches():
        (_switches or []).append(switch)
        if _runs:
            switch.on()


def _numpy_loaded(_: Any) -> None:
    for run in scopes.active_runs():
        if run.draws is not None and run.draws.states is not None:
            run.draws.states.begin("numpy")


def works() -> bool:
    """Whether the clock and chance can be recorded in this interpreter."""
    # Without loading what a process that doesn't record has no use for.
    from tracer.capture.ambient import swap

    return swap.supported()
