"""Why a text differs from the recorded one: a cheap guess, said beside the difference."""

import re
from dataclasses import dataclass

from tracer.capture import hashseed
from tracer.core.records import Run

_VARYING = re.compile(
    r"\d{4}-\d\d-\d\d"  # a date
    r"|\b\d{1,2}:\d\d(?::\d\d)?\b"  # a time
    r"|\b1[5-9]\d{8}(?:\.\d+|\d{3,9})?\b"  # seconds since the epoch, or smaller units
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b[0-9a-f]{16,64}\b"  # an id
    r"|\b\d\.\d{12,}\b"  # a random number
)
_AROUND = 64
_MOST = 100_000  # characters that are sorted


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of a recording: its hash seed, its clock and random values."""

    hashseed: bool = True
    draws: bool = True


ALL = Recorded()


def known_of(run: Run) -> Recorded:
    """The same of a run in the store."""
    seed = hashseed.proper(run.entry.get("hashseed"))
    return Recorded(seed is not None, bool(run.environment.get("draws")))


def likely_cause(old: object, new: object, recorded: Recorded) -> str | None:
    """One clause on what may be behind a difference, with the remedy; None: no idea."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return None
    if len(old) == len(new) <= _MOST and sorted(old) == sorted(new):
        if recorded.hashseed:
            return None
        return (
            "the same in another order, as sets of texts are when the hash seed is unknown: record "
            "with `tracer run`, which fixes it, or with PYTHONHASHSEED=0"
        )
    if not (_varies(old, new) and _varies(new, old)):
        return None
    if not recorded.draws:
        return (
            "it looks like a date or an id, and the clock and random values of this run were not "
            "recorded"
        )
    return (
        "it looks like a date or an id that was read where tracer can't see it (a library written "
        "in C or Rust, another process, or a place that is not reached in the recorded order)"
    )


def _varies(text: str, other: str) -> bool:
    """Whether the first difference lies in something that differs from run to run."""
    at = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), len(text))
    start = max(0, at - _AROUND)
    return any(
        found.start() + start <= at <= found.end() + start
        for found in _VARYING.finditer(text[start : at + _AROUND])
    )
