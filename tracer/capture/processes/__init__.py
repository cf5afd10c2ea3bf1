"""Child processes of the program as steps: recorded through their pipes, answered by a stand-in."""

import functools
import os
import sys
from typing import Any

from tracer.capture.imports import watch_imports

_installed = False


def install() -> None:
    """Patch `subprocess` if it is loaded or when it is, and `os.system`; once."""
    global _installed
    if _installed:
        return
    _installed = True
    loaded = sys.modules.get("subprocess")
    if loaded is not None and hasattr(loaded, "Popen"):
        _patch(loaded)
    else:
        watch_imports(("subprocess",), _patch)
    os.system = _watched(os.system)


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
