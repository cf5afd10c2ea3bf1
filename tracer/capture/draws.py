"""What the code of a run reads of the clock and draws of chance: kept, and in a re-execution given.

Values are kept by scope, in the order of the reads, and handed to the recorder with the next step.
"""

import threading
from collections.abc import Callable
from typing import Any, Protocol

from tracer.capture.guard import report
from tracer.core.draws import DrawKind, Drawn

MOST_READS = 10_000  # of one kind in one scope
MOST_INPUT = 8 << 20  # bytes of standard input
INPUT = "?input"  # in place of a scope: standard input has none
MOST_BYTES = 4096  # of one draw; an agent that wants more makes no id of it
_MOST_BYTES_A_SCOPE = 256 << 10


class DrawSource(Protocol):
    """Where a re-execution gets its values from; implemented by reexecution. Thread-safe."""

    def clock(self, path: str, now: int) -> int:
        """Nanoseconds since the epoch for a read in this scope; `now` is the real time."""

    def draw(self, path: str, kind: DrawKind, size: int) -> bytes | None:
        """The bytes drawn there, or None: draw for real."""

    def state(self, kind: DrawKind) -> bytes | None:
        """The state that a generator of random numbers had, None if that is not known."""

    def next_input(self, of: bytes = b"") -> bytes | None:
        """What was read of standard input next, None behind the last. With `of` only if it begins
        with one of its bytes."""

    def is_offline(self) -> bool:
        """Whether nothing may be asked of the world."""


class Draws:
    """The reads and draws of one run under way. Thread-safe.

    `sequence` gives the last number of the run's sequence, `note` is told of what is left out, and
    `record` is handed what was kept.
    """

    def __init__(
        self,
        sequence: Callable[[], int],
        note: Callable[[str], None],
        record: Callable[[list[Drawn]], None],
        source: DrawSource | None = None,
    ) -> None:
        self.source = source
        self.states: Any = None  # ambient.states.States
        self._record = record
        self._sequence = sequence
        self._note = note
        # Re-entrant: a signal handler or a destructor of the agent may read the clock in between.
        self._lock = threading.RLock()
        self._new: dict[tuple[str, DrawKind], tuple[list[int | bytes], list[int]]] = {}
        self._sizes: dict[tuple[str, DrawKind], int] = {}

    def clock(self, path: str, now: int) -> int:
        """The time for a read in this scope, kept; `now` is the real one."""
        moment = now if self.source is None else self.source.clock(path, now)
        self._keep(path, "clock", moment, 1, MOST_READS)
        return moment

    def draw(self, path: str, kind: DrawKind, size: int, real: Callable[[], bytes]) -> bytes:
        """Bytes drawn in this scope, kept; `size` 0: of a length that `real` decides."""
        if size > MOST_BYTES:
            return real()
        found = None if self.source is None else self.source.draw(path, kind, size)
        value = real() if found is None else found
        self._keep(path, kind, value, 8 + len(value), _MOST_BYTES_A_SCOPE)
        return value

    def input(self, value: bytes) -> None:
        """Keep what was read of standard input."""
        self._keep(INPUT, "bytes", value, 8 + len(value), MOST_INPUT)

    def was(self, kind: DrawKind, state: bytes) -> None:
        """Keep the state a generator of random numbers had when the run began."""
        self._keep("", kind, state, 0, 1)

    def hand_over(self) -> None:
        """Record what is new since the last time. Never raises."""
        try:
            if self.states is not None:
                self.states.look()
            if found := self.take():
                self._record(found)
        except Exception as error:
            report("recording the clock", error)

    def take(self) -> list[Drawn]:
        """What is new since the last time."""
        if not self._new:
            return []
        with self._lock:
            new, self._new = self._new, {}
        return [
            Drawn(path, kind, tuple(values), tuple(places))
            for (path, kind), (values, places) in new.items()
        ]

    def after_fork_in_child(self) -> None:
        """What the parent process has not handed over yet, it will; its lock may be held."""
        self._lock = threading.RLock()
        self._new = {}
        self.states = None

    def _keep(self, path: str, kind: DrawKind, value: int | bytes, size: int, most: int) -> None:
        of = path, kind
        if self._sizes.get(of, 0) > most:
            return
        with self._lock:
            used = self._sizes.get(of, 0) + size
            self._sizes[of] = used
            if used > most:
                if used - size <= most:
                    self._note(_INPUT_FULL if path == INPUT else _full(kind))
                return
            found = self._new.get(of)
            if found is None:
                found = self._new[of] = ([], [])
            found[0].append(value)
            found[1].append(self._sequence())


_INPUT_FULL = (
    "the program read very much of its standard input: the later part was not recorded, and a "
    "re-execution finds its end there"
)


def _full(kind: DrawKind) -> str:
    what, instead = "drew random values", "others"
    if kind == "clock":
        what, instead = "read the clock", "a running clock"
    return (
        f"one part of the program {what} very often: the later ones were not recorded, and a "
        f"re-execution gets {instead} there"
    )


__all__ = ["MOST_BYTES", "MOST_READS", "DrawSource", "Draws"]
