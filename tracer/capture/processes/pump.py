"""Watches the pipes of a child process: what one side writes is passed to the other, and noted.

A pipe of ours stands between the program and its child, so that it does not matter how either
reads or writes. Closed ends are passed on in both directions: a reader that goes away ends its
writer as it would without us.
"""

import _thread
import contextlib
import os
import select
import threading
import time
import weakref
from collections.abc import Callable

_CHUNK = 1 << 16
_IN, _OUT, _GONE = select.POLLIN, select.POLLOUT, select.POLLERR | select.POLLNVAL
_pumps: "weakref.WeakSet[Pump]" = weakref.WeakSet()


class Flow:
    """One direction of one pipe: descriptors of ours, -1 once closed."""

    __slots__ = ("name", "pending", "sink", "source")

    def __init__(self, name: str, source: int, sink: int) -> None:
        self.name = name
        self.source = source
        self.sink = sink
        self.pending = b""
        os.set_blocking(sink, False)

    def end_source(self) -> None:
        if self.source >= 0:
            os.close(self.source)
            self.source = -1

    def end(self) -> None:
        """Close both ends; each side sees that the other is gone."""
        self.end_source()
        if self.sink >= 0:
            os.close(self.sink)
            self.sink = -1
        self.pending = b""

    @property
    def ended(self) -> bool:
        return self.sink < 0


class Pump:
    """Moves the flows of one process on a thread of its own, until all have ended.

    `moved(name, data)` is told of each piece, b"" for the end of an output.
    """

    def __init__(self, flows: list[Flow], moved: Callable[[str, bytes], None]) -> None:
        self.flows = flows
        self._moved = moved
        self._ended = threading.Event()
        self._busy = True
        self.when_done: Callable[[], None] = lambda: None
        _pumps.add(self)

    def start(self) -> None:
        """Begin moving. Raises RuntimeError when no thread can be had."""
        # Not `threading`: its threads are numbered, patched and waited for by others.
        _thread.start_new_thread(self._run, ())

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def holds(self, inode: int) -> bool:
        """Whether one of our descriptors is this pipe's."""
        return any(
            fd >= 0 and os.fstat(fd).st_ino == inode
            for flow in self.flows
            for fd in (flow.source, flow.sink)
        )

    def settle(self, seconds: float) -> None:
        """Wait until what the process wrote has been passed on, or stands waiting for a reader."""
        give_up = time.monotonic() + seconds
        while not self.ended and time.monotonic() < give_up and not self._idle():
            time.sleep(0.0005)

    def _idle(self) -> bool:
        if self._busy:
            return False
        poller = select.poll()
        for flow in self.flows:
            if flow.source >= 0 and not flow.pending:
                poller.register(flow.source, _IN)
        return not poller.poll(0)

    def _run(self) -> None:
        try:
            while any(not flow.ended for flow in self.flows):
                self._turn()
        except Exception:  # a descriptor that somebody else closed: both sides see the end
            for flow in self.flows:
                with contextlib.suppress(OSError):
                    flow.end()
        finally:
            self._ended.set()
            self.when_done()

    def _turn(self) -> None:
        poller = select.poll()
        by_descriptor: dict[int, Flow] = {}
        for flow in self.flows:
            if flow.source >= 0 and not flow.pending:
                poller.register(flow.source, _IN)
                by_descriptor[flow.source] = flow
            if flow.sink >= 0:
                poller.register(flow.sink, _OUT if flow.pending else 0)
                by_descriptor[flow.sink] = flow
        self._busy = False
        ready = poller.poll()
        self._busy = True
        for descriptor, events in ready:
            flow = by_descriptor[descriptor]
            if descriptor == flow.sink:
                self._pass_on(flow, events)
            elif descriptor == flow.source:
                self._take(flow)

    def _take(self, flow: Flow) -> None:
        data = os.read(flow.source, _CHUNK)
        if flow.name != "stdin":
            self._moved(flow.name, data)
        if not data:
            flow.end()
            return
        flow.pending = data
        self._pass_on(flow, _OUT)

    def _pass_on(self, flow: Flow, events: int) -> None:
        if events & _GONE:
            flow.end()
            return
        if not flow.pending:
            return
        try:
            count = os.write(flow.sink, flow.pending)
        except BlockingIOError:
            return
        except OSError:
            flow.end()
            return
        if flow.name == "stdin":
            self._moved(flow.name, flow.pending[:count])
        flow.pending = flow.pending[count:]


def is_ours(inode: int) -> bool:
    """Whether a pipe stands between a program and its child by our doing."""
    return any(pump.holds(inode) for pump in list(_pumps))


def _after_fork_in_child() -> None:
    # A copy of our end would keep the pipe open after the parent has closed its own.
    for pump in list(_pumps):
        for flow in pump.flows:
            with contextlib.suppress(OSError):
                flow.end()
    _pumps.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
