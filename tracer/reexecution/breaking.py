"""`--break-at`: the debugger opens in the program's own frame, before a step is answered."""

import sys
from types import FrameType
from typing import Any

from tracer.capture.callsite import is_user_file
from tracer.core.records import Step

_MAX_FRAMES = 200


def stop_before(step: Step) -> None:
    """Open `pdb` in the nearest frame of the program's own code. `c` goes on with the step's
    answer; `n` and `s` stop again behind it; `q` ends the program."""
    import pdb  # noqa: T100 - loads readline and more, and hardly any re-execution needs it

    frame = _user_frame()
    if frame is None:
        return
    real: Any = sys.__stdin__
    # The program's input is the recorded one; a terminal is read with line editing, past both.
    apart = {} if real is None or real.isatty() else {"stdin": real, "stdout": sys.stdout}
    debugger: Any = pdb.Pdb(skip=["tracer.*"], nosigint=True, **apart)
    debugger.message(f"before step {step.n} ({step.kind} {step.name}); `c` answers it")
    debugger.reset()
    frames = [frame]
    while frames[-1].f_back is not None:
        frames.append(frames[-1].f_back)
    debugger.botframe = frames[-1]  # `up` goes as far as the program does
    debugger.interaction(frame, None)
    if debugger.quitting:
        raise SystemExit(1)
    if debugger.stoplineno != -1 or debugger.breaks:
        # As `set_trace` does: what follows in these frames is stopped at.
        for here in frames:
            here.f_trace = debugger.trace_dispatch
        sys.settrace(debugger.trace_dispatch)


def _user_frame() -> FrameType | None:
    frame: FrameType | None = sys._getframe(2)
    for _ in range(_MAX_FRAMES):
        if frame is None or is_user_file(frame.f_code.co_filename):
            return frame
        frame = frame.f_back
    return None
