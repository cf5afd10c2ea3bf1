"""The ends of exchanges on one event loop, one after the other.

What a task does with its answer (append to a list) follows some turns of the loop after the end
that is recorded, and how many depends on what it has to close on the way; trio even draws lots
for who goes first in a turn. Two answers that arrive in one turn would go on in an order that
stands in no recording. So an exchange ends only when the task whose exchange ended before has
come to its next step, has ended, or has had as many turns as a re-execution gives it.
"""

import _thread
import sys
from collections import deque
from typing import Any

from tracer.capture.settling import TURNS


class LoopTurns:
    """The event loops on which exchanges of one run end."""

    def __init__(self) -> None:
        self._lanes: dict[int, _Lane] = {}  # by the loop's thread

    async def mine(self) -> None:
        """Return when the running task may end its exchange: at once, unless another has just
        ended one on this loop. Cancelling it cancels the wait alone."""
        task = current_task()
        if task is None:
            return
        lane = self._lanes.get(_thread.get_ident())
        if lane is None:
            lane = self._lanes[_thread.get_ident()] = _Lane()
        await lane.turn(task)

    async def mine_unless_leaving(self) -> None:
        """The same where a body is closed: not while an exception or a cancellation goes by."""
        if sys.exc_info()[0] is not None:
            return
        trio = trio_running()
        if trio is None:
            await self.mine()
            return
        with trio.CancelScope(shield=True):
            await self.mine()

    def went_on(self) -> None:
        """The running task has come to its next step."""
        lane = self._lanes.get(_thread.get_ident()) if self._lanes else None
        if lane is not None and lane.last is not None and lane.last is current_task():
            lane.last = None


class _Lane:
    """One loop. Only its own thread comes here."""

    def __init__(self) -> None:
        self.last: Any = None  # the task that goes on with what it does after its end
        self._queue: deque[Any] = deque()  # an event for each that waits

    async def turn(self, task: object) -> None:
        if self._queue or not self._is_settled(task):
            await self._wait(task)
        self.last = task

    async def _wait(self, task: object) -> None:
        ticket = _library().Event()
        self._queue.append(ticket)
        try:
            if self._queue[0] is not ticket:
                await ticket.wait()
            for _ in range(TURNS):
                if self._is_settled(task):
                    break
                await pause(0.0)
        finally:
            self._queue.remove(ticket)
            if self._queue:
                self._queue[0].set()

    def _is_settled(self, task: object) -> bool:
        last = self.last
        return last is None or last is task or _has_ended(last)


def _has_ended(task: Any) -> bool:
    done = getattr(task, "done", None)  # trio's have none
    if done is None:
        return getattr(getattr(task, "coro", None), "cr_frame", None) is None
    return bool(done())


def current_task() -> object:
    """What tells the running task from others of its event loop; None outside any."""
    asyncio = sys.modules.get("asyncio")  # never loaded here: a program may have no use for it
    try:
        if asyncio is not None:
            return asyncio.current_task()
    except RuntimeError:
        pass
    return _task_of_trio(sys.modules.get("trio"))


async def pause(seconds: float) -> None:
    """Sleep on whatever event loop this is."""
    await _library().sleep(seconds)


def trio_running() -> Any:
    """The module of trio where the calling code runs on its loop; else None."""
    library = _library()
    return library if library is sys.modules.get("trio") else None


def _library() -> Any:
    """The module of the loop that runs here: trio, or else asyncio."""
    asyncio, trio = sys.modules.get("asyncio"), sys.modules.get("trio")
    if trio is not None and (asyncio is None or not _has_loop(asyncio)):
        return asyncio if _task_of_trio(trio) is None else trio
    return asyncio


def _has_loop(asyncio: Any) -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _task_of_trio(trio: Any) -> object:
    try:
        return None if trio is None else trio.lowlevel.current_task()
    except (RuntimeError, AttributeError):  # no run; or only half imported
        return None
