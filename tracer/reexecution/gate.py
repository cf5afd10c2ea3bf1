"""Re-imposes the recorded order: an answer is seen only when everything that was seen before it
in the recording has been seen again.

Each recorded step has up to three points from one counter: its start, the arrival of its reply,
its end. A point may pass when all earlier points have passed. Starts pass by themselves, when the
code asks. When nothing moves (the code changed and some point will never come), the missing
points are given up after a while: `relaxed` counts how often.
"""

import _thread
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from tracer.capture.loopturns import current_task, pause
from tracer.capture.settling import TURNS, Runner, anyone_runs

# A missing point is given up after this plus what the recording took to reach it.
QUIET_SECONDS = 0.25
MAX_QUIET_SECONDS = 10.0
# A machine with other work may leave the program without a processor for a while; a thread that
# could run puts the giving up off for so long.
MAX_STARVED_SECONDS = 5.0
# A released thread that computes for longer than this, and than it may have in the recording,
# goes on beside the others.
COMPUTING_SECONDS = 0.2
MOST_SECONDS = 2.0


class Gate:
    """The points of one recording, passed in order. Thread-safe."""

    def __init__(
        self, points: Iterable[tuple[int, int]], beside: Collection[int | None] = ()
    ) -> None:
        """`points`: (sequence number, nanoseconds since epoch) of what will be served; `beside`:
        sequence numbers that passed while the one before was still busy with its answer."""
        self._beside = frozenset(beside)
        ordered = sorted(set(points))
        self._sequence = [sequence for sequence, _ in ordered]
        self._times = [at for _, at in ordered]
        self._passed = [False] * len(ordered)
        self._cursor = 0
        self._moved = time.monotonic()
        self._starved_from: float | None = None
        # After a contested release the one released runs on before the next is let go, so that
        # what it does with its answer (append to a list) happens in the recorded order too.
        self._released: Runner | None = None
        self._waiting: set[int] = set()
        self._parked: list[int] = []  # threads that wait, once for each wait
        self._condition = threading.Condition()
        self._open = False
        self._pauses = 0
        self.relaxed = 0

    def _index(self, sequence: int | None) -> int | None:
        if sequence is None:
            return None
        at = bisect_left(self._sequence, sequence)
        found = at < len(self._sequence) and self._sequence[at] == sequence
        return at if found else None

    def open(self) -> None:
        """Stop holding anything back: the fork point is behind, or the run has ended."""
        with self._condition:
            self._open = True
            self._condition.notify_all()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While this lasts nothing is given up: somebody looks at the program."""
        with self._condition:
            self._pauses += 1
        try:
            yield
        finally:
            with self._condition:
                self._moved = time.monotonic()
                self._pauses -= 1

    def skip(self, sequences: Iterable[int | None]) -> None:
        """Points that won't come by themselves (inside a step served whole)."""
        with self._condition:
            for sequence in sequences:
                index = self._index(sequence)
                if index is not None:
                    self._mark(index)
            self._condition.notify_all()

    def passed(self, sequence: int | None) -> None:
        """A point happened."""
        self.skip((sequence,))

    def _mark(self, index: int) -> None:
        if self._passed[index]:
            return
        self._passed[index] = True
        self._moved = time.monotonic()
        self._starved_from = None
        while self._cursor < len(self._passed) and self._passed[self._cursor]:
            self._cursor += 1

    def _try(self, index: int, task: object = None, turns: int | None = None) -> float:
        """Pass a point if it may; else seconds until it is worth looking again. 0 = passed."""
        if self._open or self._passed[index]:
            self._mark(index)
            return 0.0
        if self._cursor >= index:
            last = None if self._sequence[index] in self._beside else self._released
            if last is not None and not (
                last.has_settled(task, self._parked, turns) or last.is_overdue
            ):
                return 0.001
            most = min(COMPUTING_SECONDS + 4 * self._gap(index), MOST_SECONDS)
            self._released = Runner(task, most)
            self._mark(index)
            return 0.0
        patience = self._patience()
        since = self.quiet_seconds()
        if since >= patience and index == min(self._waiting) and not self._is_starved():
            self.relaxed += 1
            for missing in range(self._cursor, index):
                self._mark(missing)
            return self._try(index, task, turns)
        return max(0.001, min(patience - since, 0.05))

    def _is_starved(self) -> bool:
        """Whether what is missing may just not have had a processor yet."""
        if not anyone_runs(self._parked):
            return False
        now = time.monotonic()
        if self._starved_from is None:
            self._starved_from = now
        if now - self._starved_from > MAX_STARVED_SECONDS:
            return False
        self._moved = now - self._patience() + 0.01  # look again soon
        return True

    def _gap(self, index: int) -> float:
        """Seconds from a point to the next one, in the recording."""
        after = self._times[index + 1 : index + 2] or self._times[index:]
        return max(0.0, (after[0] - self._times[index]) / 1e9)

    def _patience(self) -> float:
        """How long to wait for the point that is missing: longer when its own code was slow."""
        gap = self._gap(self._cursor - 1) if self._cursor else 0.0
        return QUIET_SECONDS + min(gap * 2, MAX_QUIET_SECONDS)

    def reached(self, sequence: int) -> bool:
        """Whether every point up to a sequence number has passed, or was waited for long enough."""
        with self._condition:
            upto = bisect_right(self._sequence, sequence)
            if self._open or self._cursor >= upto:
                return True
            if self._waiting or self.quiet_seconds() < self._patience():
                return False
            self.relaxed += 1
            for missing in range(self._cursor, upto):
                self._mark(missing)
            self._condition.notify_all()
            return True

    def quiet_seconds(self) -> float:
        """How long nothing has passed."""
        return 0.0 if self._pauses else time.monotonic() - self._moved

    def wait(self, sequence: int | None) -> None:
        """Block until a point may pass, and pass it."""
        index = self._index(sequence)
        if index is None:
            return
        me = _thread.get_ident()
        with self._condition:
            self._waiting.add(index)
            self._parked.append(me)
            try:
                while (wait := self._try(index)) > 0:
                    self._condition.wait(wait)
            finally:
                self._parked.remove(me)
                self._waiting.discard(index)
                self._condition.notify_all()

    async def wait_async(self, sequence: int | None) -> None:
        """The same on an event loop, which goes on running meanwhile."""
        index = self._index(sequence)
        if index is None:
            return
        task = current_task()
        last, turns = self._released, -1
        with self._condition:
            self._waiting.add(index)
        try:
            while True:
                with self._condition:
                    # Counted anew for whoever was let go while this one was paused.
                    last, turns = self._released, turns + 1 if last is self._released else 0
                    wait = self._try(index, task, turns)
                if wait <= 0:
                    return
                await pause(0.0 if turns <= TURNS else min(wait, 0.002))
        finally:
            with self._condition:
                self._waiting.discard(index)
                self._condition.notify_all()
