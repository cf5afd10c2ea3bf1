"""Event loops that start processes by means of their own (uvloop): inside a run they start them as
asyncio does, through `Popen`, so that there is one way to record and to answer them.
"""

import _thread
import asyncio
import functools
import os
import subprocess
import weakref
from typing import Any

from tracer.capture import scope as scopes
from tracer.capture.guard import report

# Transports by loop: uvloop's `close` waits for pipes that are still read.
_open: weakref.WeakKeyDictionary[Any, weakref.WeakSet[Any]] = weakref.WeakKeyDictionary()


def patch(loop_class: Any) -> None:
    """Watch the processes of such a loop."""
    for name, shell in (("subprocess_exec", False), ("subprocess_shell", True)):
        setattr(loop_class, name, _through_popen(getattr(loop_class, name), shell))
    loop_class.close = _closing_pipes(loop_class.close)


def _through_popen(original: Any, shell: bool) -> Any:
    @functools.wraps(original)
    async def start(self: Any, protocol_factory: Any, *words: Any, **given: Any) -> Any:
        if scopes.current() is None or given.get("shell", shell) != shell:
            return await original(self, protocol_factory, *words, **given)
        given.pop("shell", None)
        command = given.pop("cmd", words[0] if words else None) if shell else words
        return await _start(self, protocol_factory, command, shell, given)

    return start


async def _start(
    loop: Any, protocol_factory: Any, command: Any, shell: bool, given: dict[str, Any]
) -> Any:
    from asyncio import unix_events  # not on every system, where uvloop is not either

    streams = [given.pop(name, subprocess.PIPE) for name in ("stdin", "stdout", "stderr")]
    protocol = protocol_factory()
    waiter = loop.create_future()
    make: Any = unix_events._UnixSubprocessTransport  # type: ignore[attr-defined]
    bufsize = given.pop("bufsize", 0)
    transport = make(loop, protocol, command, shell, *streams, bufsize, waiter=waiter, **given)
    _open.setdefault(loop, weakref.WeakSet()).add(transport)
    _watch(loop, transport)
    try:
        await waiter
    except BaseException:
        transport.close()
        await asyncio.shield(transport._wait())
        raise
    return transport, protocol


def _closing_pipes(original: Any) -> Any:
    @functools.wraps(original)
    def close(self: Any) -> None:
        transports = _open.pop(self, None)
        if transports and not self.is_closed() and not self.is_running():
            try:
                self.run_until_complete(_close_pipes(list(transports)))
            except Exception as error:
                report("closing the pipes of a process", error)
        original(self)

    return close


async def _close_pipes(transports: list[Any]) -> None:
    for transport in transports:
        for pipe in transport._pipes.values():
            if pipe is not None:
                pipe.pipe.close()
    for _ in range(3):  # closing takes its turns on the loop
        await asyncio.sleep(0)


def _watch(loop: Any, transport: Any) -> None:
    """Tell the transport of its process's end."""

    def wait(pid: int) -> None:
        try:
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except ChildProcessError:
            status = 255  # someone else has waited for it, as asyncio says it
        if not loop.is_closed():
            loop.call_soon_threadsafe(transport._process_exited, status)

    _thread.start_new_thread(wait, (transport.get_pid(),))
