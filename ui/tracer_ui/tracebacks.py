"""Python tracebacks as frames, own ones told from a library's. Pure; odd text stays text."""

import re
from dataclasses import dataclass

_FRAME = re.compile(r'^ +File "(?P<file>[^"\n]*)", line (?P<line>\d+)(?:, in (?P<name>.*))?$')
# The wrappers of @tracer.tool and the like stand between any two of the agent's own frames.
_LIBRARY = ("site-packages", "dist-packages", "/lib/python", "<frozen ", "/tracer/capture/")
_MAX_LINES = 2_000


@dataclass(frozen=True, slots=True)
class Frame:
    """A stretch of a traceback: one frame (its `File` line first), or words between frames."""

    text: str
    library: bool


@dataclass(frozen=True, slots=True)
class Fold:
    """Frames in a row that are shown or folded together."""

    library: bool
    count: int
    text: str


def folds(traceback: str) -> tuple[Fold, ...]:
    """A traceback in order: own frames open, runs of library frames folded.

    Of a very long one (endless recursion) the end is kept, because it names the cause.
    """
    lines = traceback.rstrip("\n").split("\n")
    dropped = len(lines) - _MAX_LINES
    if dropped > 0:
        lines = [f"… {dropped:,} lines left out …", *lines[-_MAX_LINES:]]
    found: list[Fold] = []
    for frame in _frames(lines):
        if found and found[-1].library == frame.library:
            last = found.pop()
            found.append(Fold(frame.library, last.count + 1, f"{last.text}\n{frame.text}"))
        else:
            found.append(Fold(frame.library, 1, frame.text))
    return tuple(found)


def _frames(lines: list[str]) -> list[Frame]:
    frames: list[list[str]] = []
    library: list[bool] = []
    for line in lines:
        match = _FRAME.match(line)
        starts = match is not None or not frames or not line.startswith("    ")
        if starts:
            frames.append([line])
            library.append(match is not None and any(m in match["file"] for m in _LIBRARY))
        else:
            frames[-1].append(line)
    return [Frame("\n".join(f), lib) for f, lib in zip(frames, library, strict=True)]
