"""Names of temporary files are drawn at random, so in what a process is asked they say only that:
the same command about another temporary file is the same question."""

import functools
from collections import deque
from typing import Any

from tracer.capture.imports import when_loaded

MARK = "{temporary}"
_names: deque[str] = deque(maxlen=1000)  # drawn in this process, newest last
_installed = False


def install() -> None:
    """Remember the names that `tempfile` draws; once."""
    global _installed
    if _installed:
        return
    _installed = True
    when_loaded(("tempfile",), _patch)


def _patch(module: Any) -> None:
    sequence = getattr(module, "_RandomNameSequence", None)
    if sequence is None:
        return  # a version that draws them elsewhere: names then differ, and that is said
    original = sequence.__next__

    @functools.wraps(original)
    def draw(self: Any) -> str:
        name: str = original(self)
        _names.append(name)
        return name

    sequence.__next__ = draw


def is_drawn(path: str) -> bool:
    """Whether a path holds a name that `tempfile` drew in this process."""
    return any(name in path for name in list(_names))


def without_names(text: str) -> str:
    """The text with a mark in place of each such name."""
    for name in list(_names):
        if name in text:
            text = text.replace(name, MARK)
    return text
