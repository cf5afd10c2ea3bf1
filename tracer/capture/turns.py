"""The order in which threads go on after the ends of their steps: that of the ends.

Each waits a moment until its end is committed, and several wake up at once. What they do next
(append to a list) would then happen in another order than the recorded one.
"""

import _thread
import threading
from collections.abc import Callable
from time import monotonic

PATIENCE_SECONDS = 0.3  # a little more than an end waits for its commit


class Turns:
    """The ends of one run that are being recorded. Thread-safe."""

    def __init__(self, next_sequence: Callable[[], int]) -> None:
        self._next = next_sequence
        self._ends: dict[int, int] = {}  # sequence number: thread, in order
        self._waiting = 0
        # Re-entrant, because a collected generator ends its step in the middle of anything.
        self._condition = threading.Condition()

    def begin(self) -> int:
        """The sequence number of an end that starts to be recorded."""
        with self._condition:
            sequence = self._next()
            self._ends[sequence] = _thread.get_ident()
        return sequence

    def finish(self, sequence: int) -> None:
        """That end is recorded: go on when those before it have."""
        if len(self._ends) > 1 and self._is_early(sequence):
            self._wait(sequence)
        with self._condition:
            self._ends.pop(sequence, None)
            if self._waiting:
                self._condition.notify_all()

    def _is_early(self, sequence: int) -> bool:
        me = _thread.get_ident()
        return any(n < sequence and thread != me for n, thread in list(self._ends.items()))

    def _wait(self, sequence: int) -> None:
        give_up = monotonic() + PATIENCE_SECONDS
        with self._condition:
            self._waiting += 1
            while self._is_early(sequence) and (left := give_up - monotonic()) > 0:
                self._condition.wait(left)
            self._waiting -= 1
