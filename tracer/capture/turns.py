"""The ends of steps, one after the other, so that what threads do with their answers has an order.

Threads whose answers come at once would go on in the order of the scheduler, and what they do next
(append to a list) would stand in no recording. So an end waits until the thread whose step ended
before has come to its next step, ended or blocks; as they share one interpreter, they could hardly
have run at once anyway. Who computes for long is not waited for: the end is marked `beside`.
"""

import _thread
import threading
from collections.abc import Callable
from time import monotonic

from tracer.capture.settling import Runner

BUSY_SECONDS = 0.005  # as long as Python itself lets a thread run before another one may
BLOCKED_SECONDS = 0.001
LONGEST_SECONDS = 0.02  # that an end is held back for those before it
LOOK_SECONDS = 0.0005
SEEN_SECONDS = 0.002  # after so long it is known whether a thread blocks or computes
PATIENCE_SECONDS = 0.3  # a little more than an end waits for its commit


class Turns:
    """The ends of one run that are being recorded. Thread-safe."""

    def __init__(self, next_sequence: Callable[[], int]) -> None:
        self._next = next_sequence
        self._ends: dict[int, int] = {}  # sequence number: thread, in order
        self._arrived: list[int] = []  # threads that wait for their turn, in order
        self._last: Runner | None = None  # goes on with what it does after its end
        self._waiting = 0
        # Re-entrant, because a collected generator ends its step in the middle of anything.
        self._condition = threading.Condition()

    def begin(self) -> tuple[int, bool]:
        """The sequence number of an end that starts to be recorded, and whether it is `beside`:
        whether the thread that ended a step before was still busy with its answer."""
        me = _thread.get_ident()
        with self._condition:
            in_turn = self._is_next(me) or self._wait_for_turn(me)
            sequence = self._next()
            self._ends[sequence] = me
        return sequence, not in_turn

    def _is_next(self, me: int) -> bool:
        if any(thread != me for thread in (*self._arrived[:1], *self._ends.values())):
            return False
        last = self._last
        if last is None or last.has_settled(None, (), None):
            self._last = None
            return True
        return False

    def _wait_for_turn(self, me: int) -> bool:
        """Whether the turn came; False when those before took too long."""
        began = monotonic()
        self._arrived.append(me)
        try:
            while not self._is_next(me):
                waited = monotonic() - began
                if waited > LONGEST_SECONDS or (waited > SEEN_SECONDS and self._is_overdue(me)):
                    return False
                self._condition.wait(LOOK_SECONDS)
            return True
        finally:
            self._arrived.remove(me)

    def _is_overdue(self, me: int) -> bool:
        last = self._last
        return self._arrived[0] == me and last is not None and last.is_overdue

    def went_on(self) -> None:
        """The calling thread has come to its next step, or leaves the run."""
        last = self._last
        if last is not None and last.ident == _thread.get_ident():
            self._last = None

    def finish(self, sequence: int) -> None:
        """That end is recorded: go on when those before it have."""
        if len(self._ends) > 1 and self._is_early(sequence):
            self._wait(sequence)
        with self._condition:
            self._ends.pop(sequence, None)
            self._last = Runner(None, BUSY_SECONDS, BLOCKED_SECONDS)
            if self._waiting or self._arrived:
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
