"""The seed of the hashes of strings. It decides the order in which sets give them, so a
re-execution needs the same; and it can only be chosen where an interpreter starts.

`tracer run` therefore starts its interpreter once more, with a seed of its choice, and hides that
from the program. The seed of a program started by `python` alone can't be found out.
"""

import os
import sys
from collections.abc import Mapping

VARIABLE = "PYTHONHASHSEED"
CHOSEN = "TRACER_HASHSEED"  # set beside it where tracer chose it
_MOST = 2**32

_chosen: str | None = None


def adopt() -> None:
    """Take note of a seed that tracer chose for this process; the program won't see it."""
    global _chosen
    seed = os.environ.pop(CHOSEN, None)
    if seed is not None and os.environ.get(VARIABLE) == seed:
        _chosen = os.environ.pop(VARIABLE)


def known() -> str | None:
    """The seed of this process, where it is known: the user's, or tracer's choice."""
    return _chosen if _chosen is not None else proper(os.environ.get(VARIABLE))


def start_again() -> None:
    """Become the same command with a seed, unless there is one. Returns where that can't be."""
    adopt()
    # Windows has no exec; with -E or -I the variable would not be read.
    if known() is not None or os.name == "nt" or sys.flags.ignore_environment:
        return
    seed = str(int.from_bytes(os.urandom(4), "little"))
    os.environ |= {VARIABLE: seed, CHOSEN: seed}
    try:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    except (OSError, ValueError):
        for name in (VARIABLE, CHOSEN):
            os.environ.pop(name, None)


def variables(entry: Mapping[str, object], around: Mapping[str, str]) -> dict[str, str]:
    """What a re-execution's environment needs, by what its recording's entry says."""
    seed = proper(entry.get("hashseed"))
    if seed is None:
        return {}
    # What the recorded program did not see, the re-executed one doesn't either.
    hidden = {CHOSEN: seed} if entry.get("hashseed_chosen") and VARIABLE not in around else {}
    return {VARIABLE: seed, **hidden}


def entry() -> dict[str, str | bool | None]:
    """What a run's entry says of it."""
    said: dict[str, str | bool | None] = {"hashseed": known()}
    return said | {"hashseed_chosen": True} if _chosen is not None else said


def proper(seed: object) -> str | None:
    """A seed as the variable takes it, None for anything else (`random`, or what a file says)."""
    if not isinstance(seed, str) or not (seed.isascii() and seed.isdigit() and len(seed) < 11):
        return None
    return seed if int(seed) < _MOST else None
