"""Re-imposes the recorded order: an answer is seen only when everything that was seen before it
in the recording has been seen again.

Each recorded step has up to three points from one counter: its start, the arrival of its reply,
its end. A point may pass when all earlier points have passed. Starts pass by themselves, when the
code asks. When nothing moves (the code changed and some point will never come), the missing
points are given up after a while: `relaxed` counts how often.
"""

import asyncio
import sys
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any

# A missing point is given up after this plus what the recording took to reach it.
QUIET_SECONDS = 0.25
MAX_QUIET_SECONDS = 10.0
# After a contested release the one released runs on for a moment before the next is let go, so
# that what it does with its answer (append to a list) happens in the recorded order too.
SETTLE_SECONDS = 0.003


class Gate:
    """The points of one recording, passed in order. Thread-safe."""

    def __init__(self, points: Iterable[tuple[int, int]]) -> None:
        """`points`: (sequence number, nanoseconds since epoch) of what will be served."""
        ordered = sorted(set(points))
        self._sequence = [sequence for sequence, _ in ordered]
        self._times = [at for _, at in ordered]
        self._passed = [False] * len(ordered)
        self._cursor = 0
        self._moved = time.monotonic()
        self._contested = False
        self._waiting: set[int] = set()
        self._condition = threading.Condition()
        self._open = False
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
        while self._cursor < len(self._passed) and self._passed[self._cursor]:
            self._cursor += 1

    def _try(self, index: int) -> float:
        """Pass a point if it may; else seconds until it is worth looking again. 0 = passed."""
        if self._open or self._passed[index]:
            self._mark(index)
            return 0.0
        now = time.monotonic()
        since = now - self._moved
        if self._cursor >= index:
            if self._contested and since < SETTLE_SECONDS:
                return SETTLE_SECONDS - since
            self._contested = len(self._waiting) > 1
            self._mark(index)
            return 0.0
        patience = self._patience()
        if since >= patience and index == min(self._waiting):
            self.relaxed += 1
            for missing in range(self._cursor, index):
                self._mark(missing)
            return self._try(index)
        return max(0.001, min(patience - since, 0.05))

    def _patience(self) -> float:
        """How long to wait for the point that is missing: longer when its own code was slow."""
        at = self._cursor
        gap = (self._times[at] - self._times[at - 1]) / 1e9 if at else 0.0
        return QUIET_SECONDS + min(max(gap, 0.0) * 2, MAX_QUIET_SECONDS)

    def reached(self, sequence: int) -> bool:
        """Whether every point up to a sequence number has passed, or was waited for long enough."""
        with self._condition:
            upto = bisect_right(self._sequence, sequence)
            if self._open or self._cursor >= upto:
                return True
            if self._waiting or time.monotonic() - self._moved < self._patience():
                return False
            self.relaxed += 1
            for missing in range(self._cursor, upto):
                self._mark(missing)
            self._condition.notify_all()
            return True

    def quiet_seconds(self) -> float:
        """How long nothing has passed."""
        return time.monotonic() - self._moved

    def wait(self, sequence: int | None) -> None:
        """Block until a point may pass, and pass it."""
        index = self._index(sequence)
        if index is None:
            return
        with self._condition:
            self._waiting.add(index)
            try:
                while (pause := self._try(index)) > 0:
                    self._contested = True
                    self._condition.wait(pause)
            finally:
                self._waiting.discard(index)
                self._condition.notify_all()

    async def wait_async(self, sequence: int | None) -> None:
        """The same on an event loop, which goes on running meanwhile."""
        index = self._index(sequence)
        if index is None:
            return
        with self._condition:
            self._waiting.add(index)
        try:
            while True:
                with self._condition:
                    wait = self._try(index)
                    if wait > 0:
                        self._contested = True
                if wait <= 0:
                    return
                await pause(min(wait, 0.002))
        finally:
            with self._condition:
                self._waiting.discard(index)
                self._condition.notify_all()


async def pause(seconds: float) -> None:
    """Sleep on whatever event loop this is."""
    trio = trio_running()
    await (asyncio if trio is None else trio).sleep(seconds)


def trio_running() -> Any:
    """The module of trio where the calling code runs on its loop; else None."""
    trio: Any = sys.modules.get("trio")
    if trio is None:
        return None
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return trio
    return None
