"""One read, from the hooks: which run and scope it belongs to, and what it gives."""

import sys
from collections.abc import Callable

from tracer.capture import scope as scopes
from tracer.capture.ambient.whose import is_programs, is_secret
from tracer.capture.guard import report
from tracer.core.draws import DrawKind

watching = False  # whether a run is under way
_CALLER = 2  # frames: this module's function, the hook, and who called it


def moment(now: Callable[[], int]) -> int | None:
    """Nanoseconds since the epoch for the caller of the hook; None: it reads the real clock."""
    try:
        if not is_programs(sys._getframe(_CALLER)):
            return None
        scope = scopes.current()
        if scope is None or scope.run.draws is None:
            return None
        return scope.run.draws.clock(scope.path, now())
    except Exception as error:
        report("reading the clock", error)
        return None


def drawn(size: int, real: Callable[[], bytes], kind: DrawKind | None = None) -> bytes | None:
    """Bytes for the caller of the hook; None: it draws real ones. `kind` None: by who draws."""
    try:
        frame = sys._getframe(_CALLER)
        if not is_programs(frame):
            return None
        scope = scopes.current()
        if scope is None or scope.run.draws is None:
            return None
        if kind is None:
            kind = "secret" if is_secret(frame) else "bytes"
        return scope.run.draws.draw(scope.path, kind, size, real)
    except Exception as error:
        report("drawing random bytes", error)
        return None
