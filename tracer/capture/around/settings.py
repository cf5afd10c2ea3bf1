"""Which environment variables the user's own code asks for: their names, never their values."""

import dis
import os
import sys
from typing import Any

from tracer.capture import scope as scopes
from tracer.capture.callsite import is_user_file
from tracer.capture.guard import report

_MOST = 200
_environ: Any = type(os.environ)
_original = _environ.__getitem__
# `environ.get`, `in` and `os.getenv` all end in the method that is watched.
_BETWEEN = (os.__file__, "<frozen os>", "_collections_abc")
_COPIES = frozenset(
    {"copy", "items", "values", "update", "__iter__", "__or__", "__ror__", "__repr__"}
)
_SUBSCRIPTS = frozenset({"BINARY_SUBSCR", "BINARY_OP", "LOAD_ATTR"})


def start() -> None:
    """Note names from now on."""
    _environ.__getitem__ = _getitem


def stop() -> None:
    """Note none any more."""
    if _environ.__getitem__ is _getitem:
        _environ.__getitem__ = _original


def _getitem(self: Any, key: Any) -> Any:
    try:
        value = _original(self, key)
    except BaseException as error:
        if error.__traceback__ is not None:
            error.__traceback__ = error.__traceback__.tb_next
        _note(key)
        raise
    _note(key)
    return value


def _note(key: Any) -> None:
    try:
        scope = scopes.current()
        if scope is None:
            return
        names = scope.run.variables
        if key in names or len(names) >= _MOST or not _is_asked_for():
            return
        names[os.fsdecode(key)] = None
    except Exception as error:
        report("noting a variable's name", error)


def _is_asked_for() -> bool:
    """Whether the user's code asks for this one, not for a copy of all of them."""
    frame: Any = sys._getframe(3)
    direct = True
    while frame is not None and any(part in frame.f_code.co_filename for part in _BETWEEN):
        if frame.f_code.co_name in _COPIES:
            return False
        direct = False
        frame = frame.f_back
    if frame is None or not is_user_file(frame.f_code.co_filename):
        return False
    if not direct:
        return True
    opcode = frame.f_code.co_code[frame.f_lasti]
    return dis.opname[opcode] in _SUBSCRIPTS
