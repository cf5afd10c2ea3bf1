"""Offline means offline: while it is set, no socket of this process reaches another machine, and
the user's own code starts no process.

The audit hook sees every connection that Python's socket module makes, whatever library or thread
asks for it, also those nobody patched.
"""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tracer.capture import audit
from tracer.capture.callsite import callsite, is_user_file
from tracer.capture.processes import is_standin
from tracer.capture.processes.asked import command_of, is_probing

Refuse = Callable[[str], None]

_refuse: Refuse | None = None
_passing = threading.local()
_PROCESSES = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "::", ""})


def set_wire(refuse: Refuse | None) -> None:
    """Refuse connections from now on (`refuse` is called with what was tried and must raise);
    None: let them through again."""
    global _refuse
    _refuse = refuse
    audit.set_refuser(None if refuse is None else _hook)


@contextmanager
def unwatched() -> Iterator[None]:
    """While this lasts, what the calling thread does is tracer's own doing."""
    before = getattr(_passing, "now", False)
    _passing.now = True
    try:
        yield
    finally:
        _passing.now = before


def _hook(event: str, args: tuple[Any, ...]) -> None:
    refuse = _refuse
    if refuse is None or not event.startswith(("socket.", "subprocess.", "os.")):
        return
    if getattr(_passing, "now", False):
        return
    tried = _started(event, args) if event in _PROCESSES else _tried(event, args)
    if tried is None:
        return
    _passing.now = True  # what the refusal does to report itself is not looked at again
    try:
        where = callsite()
        refuse(f"{tried}, at {where}" if where else tried)
    finally:
        _passing.now = False


def _tried(event: str, args: tuple[Any, ...]) -> str | None:
    """What the event would do to the network; None for what stays in this machine's kernel."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        sock, address = args[0], args[1]
        if getattr(sock, "family", None) == getattr(socket, "AF_UNIX", -1):
            return None
        if address is None:
            return None
        return f"a connection to {_address(address)}"
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = args[0].decode() if isinstance(args[0], bytes) else args[0]
        if host is None or host in _LOCAL_NAMES or host == socket.gethostname():
            return None
        return None if audit.is_address(host) else f"a look-up of the host name {host}"
    return None


def _started(event: str, args: tuple[Any, ...]) -> str | None:
    """The process that user code starts; None for what libraries do to look around."""
    frame: Any = sys._getframe(3)
    if is_standin() or is_probing(frame):
        return None
    while frame is not None and not is_user_file(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return None
    return f"to start the process `{command_of(args)[:200]}`"


def _address(address: Any) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        return f"{address[0]}:{address[1]}"
    return str(address)
