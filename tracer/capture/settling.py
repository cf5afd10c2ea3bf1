"""Whether a thread that was let go has done what it does with its answer, told from outside.

A released thread must come to its next point, end or block before the next one is let go, or what
both do with their answers (append to a list) would happen in the order of the scheduler. On a
machine with other work to do that takes no fixed time, so the thread is looked at instead: where
it stands, and whether the kernel has it running. Recording and re-execution look alike, for a
shorter and a longer time.
"""

import _thread
import sys
import threading
import time
from collections.abc import Collection
from types import FrameType

STILL_SECONDS = 0.003  # standing at one place for so long, not running, is blocked
CROWDED_SECONDS = 0.02  # the same while others run, who may keep the interpreter from it
TURNS = 10  # of an event loop: what follows from an answer takes a few

# Through these tracer waits; what stands above them on the stack says for whom.
_WAITS = ("threading", "queue", "concurrent.futures._base")


class Runner:
    """The thread (and task) that was let go last, made by that thread itself."""

    __slots__ = ("_most", "_native", "_place", "_since", "_still", "_still_since", "ident", "task")

    def __init__(self, task: object, most: float, still: float = STILL_SECONDS) -> None:
        """`most`: one that computes for longer than this (seconds) goes on beside the others;
        `still`: what stands for so long, not running, is blocked."""
        self.ident = _thread.get_ident()
        self.task = task
        self._most = most
        self._still = still
        self._native = _thread.get_native_id()
        self._since = self._still_since = time.monotonic()
        self._place: tuple[int, int] | None = None

    @property
    def is_overdue(self) -> bool:
        """Whether it is another thread than this one and may go on beside it by now."""
        return self.ident != _thread.get_ident() and time.monotonic() - self._since > self._most

    def has_settled(self, task: object, parked: Collection[int], turns: int | None) -> bool:
        """Whether it reached a point (`parked`: the threads at one), ended, or blocks.

        `task` asks; `turns` = how often its event loop came round since, None for who blocks.
        """
        now = time.monotonic()
        if self.ident == _thread.get_ident():
            if turns is None or task is self.task:
                return True
            return turns >= TURNS and now - self._since >= STILL_SECONDS
        if self.ident in parked:
            return True
        frame = sys._current_frames().get(self.ident)
        if frame is None:
            return True
        place = (id(frame), frame.f_lasti)
        if place != self._place or _is_ours(frame) or is_running(self._native) is True:
            self._place, self._still_since = place, now
            return False
        needed = CROWDED_SECONDS if _others_run(parked, self.ident) else self._still
        return now - self._still_since >= needed


def _is_ours(frame: FrameType | None) -> bool:
    """Whether it is still inside tracer (it waits for the record of its step, say)."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name not in _WAITS:
            return name.startswith(("tracer.capture", "tracer.store", "tracer.reexecution"))
        frame = frame.f_back
    return False


def is_running(native_id: int) -> bool | None:
    """Whether the kernel has a thread of this process running, ready, or waiting for the disk (a
    page of its code, say, which ends by itself); None where unknown."""
    try:
        with open(f"/proc/self/task/{native_id}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    return text[text.rfind(b")") + 2 :][:1] in b"RD"


def anyone_runs(parked: Collection[int]) -> bool:
    """Whether a thread of the program's that waits at no point is running or ready."""
    return _others_run(parked, 0)


def _others_run(parked: Collection[int], ident: int) -> bool:
    return any(
        is_running(thread.native_id) is True
        for thread in threading.enumerate()
        if thread.native_id is not None
        and thread.ident not in (ident, _thread.get_ident())
        and thread.ident not in parked
    )
