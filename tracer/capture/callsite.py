"""Where in the user's own code a step was asked for: "file.py:12 in function"."""

import os
import sys
import sysconfig
from functools import lru_cache
from types import CodeType

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_DEMO = os.path.join(_OWN, "demo") + os.sep
_STDLIB = sysconfig.get_paths()["stdlib"] + os.sep
_MAX_FRAMES = 120
_passed_over: dict[int, CodeType] = {}  # by identity: code is hashed by its content, slowly


@lru_cache(maxsize=4096)
def _is_user_file(filename: str) -> bool:
    if filename.startswith("<") or "site-packages" in filename or "dist-packages" in filename:
        return False
    if filename.startswith(_OWN):
        return filename.startswith(_DEMO)
    return not filename.startswith(_STDLIB)


def is_user_file(filename: str) -> bool:
    """Whether a file is the user's: not tracer, not the standard library, not installed."""
    return _is_user_file(filename)


def pass_over(code: CodeType) -> None:
    """Take frames of this code, which stands in a user's file, for ours."""
    _passed_over[id(code)] = code


def is_user_code(code: CodeType) -> bool:
    """Whether a frame of this code is the user's: of such a file, and no stand-in of ours in it."""
    return _is_user_file(code.co_filename) and id(code) not in _passed_over


def is_own_file(filename: str) -> bool:
    """Whether a file is tracer's (its demo is a user of it)."""
    return filename.startswith(_OWN) and not filename.startswith(_DEMO)


def callsite() -> str | None:
    """The nearest frame of user code above the caller; None when there is none."""
    frame = sys._getframe(1)
    for _ in range(_MAX_FRAMES):
        code = frame.f_code
        if _is_user_file(code.co_filename) and id(code) not in _passed_over:
            return f"{code.co_filename}:{frame.f_lineno} in {code.co_qualname}"
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None
