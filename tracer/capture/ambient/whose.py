"""Whose read is it? The program's and its frameworks' are recorded; those of clients, servers and
the standard library's machinery stay real: certificates, signatures and keys depend on them.

The nearest frame decides, except in modules that read for whoever calls them (uuid, random, dates).
"""

import sysconfig
from types import FrameType

from tracer.capture.ambient.packages import PASSING, PASSING_PACKAGES, REAL_PACKAGES, REAL_PATHS
from tracer.capture.callsite import is_own_file, is_user_file

_STDLIB = sysconfig.get_paths()["stdlib"]
_INSTALLED = ("site-packages", "dist-packages")

_OURS, _THEIRS, _PASSED, _TEXT = 1, 2, 3, 4
_known: dict[str, int] = {}


def is_programs(frame: FrameType | None) -> bool:
    """Whether code that runs in `frame` reads for the program. Cheap: it runs at every read."""
    seen_text = False
    while frame is not None:
        file = frame.f_code.co_filename
        who = _known.get(file)
        if who is None:
            who = _known[file] = _whose(file)
        if who == _OURS:
            return True
        if who == _THEIRS:
            return False
        seen_text = seen_text or who == _TEXT
        frame = frame.f_back
    return seen_text  # all of it was code without a file (`python -c`)


def is_secret(frame: FrameType | None) -> bool:
    """Whether bytes drawn by code in `frame` may be a key: drawn through `secrets`, or not by one
    of the modules that make ids and numbers of them."""
    made = False
    while frame is not None and frame.f_code.co_filename.startswith(_STDLIB):
        module = _top(frame.f_code.co_filename.removeprefix(_STDLIB).strip("/\\"))
        if module == "secrets":
            return True
        made = made or module in ("uuid", "random")
        frame = frame.f_back
    return not made


def _whose(file: str) -> int:
    if file.startswith("<"):
        return _PASSED if file.startswith("<frozen") else _TEXT
    if is_user_file(file):
        return _OURS
    for folder in _INSTALLED:
        _, found, inside = file.replace("\\", "/").partition(f"/{folder}/")
        if found:
            return _of_package(inside)
    if is_own_file(file):
        return _THEIRS
    inside = file.removeprefix(_STDLIB).replace("\\", "/").strip("/")
    return _PASSED if _top(inside) in PASSING else _THEIRS


def _of_package(inside: str) -> int:
    package = _top(inside)
    if package in PASSING_PACKAGES:
        return _PASSED
    if package in REAL_PACKAGES or inside.startswith(REAL_PATHS):
        return _THEIRS
    return _OURS


def _top(inside: str) -> str:
    return inside.partition("/")[0].removesuffix(".py")
