"""Why something varies that a recording should have fixed: what it lacks, with the remedy."""

from dataclasses import dataclass

from tracer.capture import hashseed
from tracer.core.records import Run
from tracer.core.variation import NAMES

_DRAWN = (NAMES["date"][1], NAMES["uuid"][1])


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


def why_it_varies(cause: str | None, recorded: Recorded) -> str | None:
    """A clause to follow the words of the cause (those of `core.variation`); None: no idea."""
    if cause == "the order of the same things" and not recorded.hashseed:
        return (
            "as sets of texts have it when the hash seed is unknown: record with `tracer run`, "
            "which fixes it, or with PYTHONHASHSEED=0"
        )
    if cause in _DRAWN and not recorded.draws:
        return "and the clock and random values of this run were not recorded"
    if cause in _DRAWN:
        return (
            "and was read where tracer can't see it (by a library in C or Rust, another process), "
            "or in another order"
        )
    return None
