"""The local variables of the user's frames that an exception passed, as short text."""

from types import FrameType, FunctionType, ModuleType
from typing import Any

from tracer.capture.around.shown import hidden, shown
from tracer.capture.callsite import is_user_code
from tracer.capture.guard import report
from tracer.core.records import JSON

_MOST_FRAMES = 8  # the innermost ones
_MOST_VARIABLES = 30  # a frame
_MOST_CHARS = 500  # a value
_WALKED = 2_000  # frames of a traceback that are looked at


def of_exception(error: BaseException) -> list[JSON]:
    """`[{file, line, function, values: [[name, text]], left_out}]`, outermost first. Never
    raises."""
    try:
        return [_frame(frame, line) for frame, line in _frames(error)]
    except Exception as fault:  # frames are being looked at while threads go on
        report("looking at local variables", fault)
        return []


def _frames(error: BaseException) -> list[tuple[FrameType, int]]:
    found: list[tuple[FrameType, int]] = []
    trace, walked = error.__traceback__, 0
    while trace is not None and walked < _WALKED:
        if is_user_code(trace.tb_frame.f_code):
            found.append((trace.tb_frame, trace.tb_lineno))
        trace, walked = trace.tb_next, walked + 1
    return found[-_MOST_FRAMES:]


def _frame(frame: FrameType, line: int) -> dict[str, JSON]:
    code = frame.f_code
    is_module = code.co_name == "<module>"
    named = [
        (name, value)
        for name, value in list(frame.f_locals.items())
        if not name.startswith(("__", ".")) and not _is_definition(value, is_module)
    ]
    values = [[name, hidden(name, value) or shown(value, _MOST_CHARS)]
              for name, value in named[:_MOST_VARIABLES]]  # fmt: skip
    return {
        "file": code.co_filename,
        "line": line,
        "function": code.co_qualname,
        "values": values,
        "left_out": max(0, len(named) - _MOST_VARIABLES),
    }


def _is_definition(value: Any, is_module: bool) -> bool:
    """What a module defines and imports says nothing of how it came to the exception."""
    kind = type(value)
    if issubclass(kind, ModuleType):
        return True
    return is_module and issubclass(kind, FunctionType | type)
