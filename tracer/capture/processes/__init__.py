"""Child processes of the program as steps: recorded through their pipes, answered by a stand-in."""

import functools
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from tracer.capture.guard import report
from tracer.capture.imports import when_loaded
from tracer.capture.processes import temporary

# The environment that invites a Python process into the run, None for any other process.
Inviting = Callable[[Any, Mapping[str, Any]], dict[str, str] | None]
_inviting: Inviting = lambda scope, given: None  # noqa: E731 - replaced by a function
_installed = False


def set_inviting(inviting: Inviting) -> None:
    """Have the environment of processes that really start made by this."""
    global _inviting
    _inviting = inviting


def environment_for(scope: Any, given: Mapping[str, Any]) -> dict[str, str] | None:
    """What is added to the environment of a process; None = nothing. Never raises."""
    try:
        return _inviting(scope, given)
    except Exception as error:
        report("inviting a process", error)
        return None


def install() -> None:
    """Patch `subprocess` if it is loaded or when it is, and `os.system`; once."""
    global _installed
    if _installed:
        return
    _installed = True
    when_loaded(("subprocess",), _patch)
    os.system = _watched(os.system)
    temporary.install()


def _patch(module: object) -> None:
    # With `subprocess`, which it needs and an agent may not.
    from tracer.capture.processes import popen

    popen.patch(module)


def _watched(original: Any) -> Any:
    @functools.wraps(original)
    def system(command: Any) -> Any:
        # As above.
        from tracer.capture.processes import popen

        return popen.system(original, command, sys._getframe(1))

    return system


def is_standin() -> bool:
    """Whether this thread is just starting a stand-in for a recorded process."""
    player: Any = sys.modules.get("tracer.capture.processes.player")
    return player is not None and getattr(player.starting, "now", False)
