"""The effects ledger: what the program touches outside its process, noted on the step under way.

Heard are files opened for writing, made, removed, renamed; connections; processes started;
databases opened. Not the interpreter's own noise: bytecode, devices, temporary files, what happens
while something is imported, tracer's own files, the connection of an exchange that is a step. What
libraries in C do by themselves is not seen.
"""

import os
import sys
import threading
from typing import Any

from tracer.capture import audit
from tracer.capture import scope as scopes
from tracer.capture.callsite import is_own_file
from tracer.capture.gathered import Gathered
from tracer.capture.guard import report
from tracer.capture.processes import is_standin, temporary
from tracer.capture.processes.asked import command_of, is_probing

_CHARS = 400  # of one name
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# What one path is done to, by event; the path is the first argument, `dir_fd` one of the rest.
_PATHS = {
    "os.remove": "removed",
    "os.rmdir": "removed",
    "shutil.rmtree": "removed",
    "os.mkdir": "made",
    "os.truncate": "written",
    "os.chmod": "changed",
    "os.chown": "changed",
    "os.setxattr": "changed",
}
_IN_FOLDER = frozenset({"os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.chown"})
_PAIRS = {"os.rename": "renamed", "os.link": "linked", "os.symlink": "linked"}
_PROCESSES = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn",
                        "os.startfile"})  # fmt: skip
_NETWORK = frozenset({"socket.connect", "socket.sendto"})
EVENTS = (
    frozenset(_PATHS) | frozenset(_PAIRS) | _PROCESSES | _NETWORK
    | {"open", "sqlite3.connect", "socket.getaddrinfo"}
)  # fmt: skip
_QUIET = ("/dev/", "/proc/", "/sys/")
# Modules of ours that stand between the program and what it calls.
_BETWEEN = (
    "/reexecution/redirect.py", "/capture/processes/", "/capture/http/", "/capture/frameworks/",
    "/capture/discovery/", "/capture/threadpools.py", "/capture/concurrency.py",
    "/capture/children.py", "/capture/wrapping.py",
)  # fmt: skip
_STEPS = 12  # frames that are looked at for whose doing it is


class _Busy(threading.local):
    """Per thread: whether an event is being looked at."""

    now = False


_busy = _Busy()


def start() -> None:
    """Hear from now on."""
    audit.set_ledger(_hear, EVENTS)


def stop() -> None:
    """Hear nothing any more."""
    audit.set_ledger(None)


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and not _is_write(args):
        return
    if _busy.now:
        return
    _busy.now = True
    try:
        scope = scopes.current()
        if scope is None:
            return
        frame = sys._getframe(2)
        if _is_the_programs(frame):
            _note(scope.gathered, event, args, frame)
    except Exception as error:
        report("noting what is touched", error)
    finally:
        _busy.now = False


def _is_write(args: tuple[Any, ...]) -> bool:
    flags = args[2] if len(args) > 2 else 0
    return isinstance(flags, int) and bool(flags & _WRITES)


def _is_the_programs(frame: Any) -> bool:
    """Whether the program, or a library on its behalf, does this."""
    here = frame
    for _ in range(_STEPS):
        if here is None:
            break
        name = here.f_code.co_filename
        if is_own_file(name) and not any(part in name for part in _BETWEEN):
            return False
        if not name.startswith(_STDLIB) and not is_own_file(name):
            break
        here = here.f_back
    return not is_probing(frame)


_STDLIB = (os.path.dirname(os.__file__) + os.sep, "<frozen")


def _note(gathered: Gathered, event: str, args: tuple[Any, ...], frame: Any) -> None:
    if frame.f_globals.get("__name__") == "tempfile":
        return
    if event == "open":
        _path(gathered, "written", args[0])
    elif event in _PATHS:
        folder = args[-1] if event in _IN_FOLDER and args[-1] >= 0 else None
        # What `rmtree` removes is not named one by one.
        if event == "shutil.rmtree" or "rmtree" not in frame.f_code.co_name:
            _path(gathered, _PATHS[event], args[0], folder)
    elif event in _PAIRS:
        names = _name(args[0]), _name(args[1])
        if all(names) and not any(_is_noise(name) for name in names):
            gathered.touch(_PAIRS[event], names[0], names[1])
    elif event in _PROCESSES:
        if not is_standin() and not _is_inside_popen(event, frame):
            gathered.touch("started", command_of(args)[:_CHARS])
    elif event == "sqlite3.connect":
        _database(gathered, args[0])
    elif not gathered.wire:
        _network(gathered, event, args)


def _path(gathered: Gathered, what: str, path: Any, folder: int | None = None) -> None:
    name = _name(path, folder)
    if name and not _is_noise(name):
        gathered.touch(what, name)


def _name(path: Any, folder: int | None = None) -> str:
    """The absolute path, of one in an open folder too; "" for a descriptor."""
    if isinstance(path, int) or path is None:
        return ""
    text = os.fsdecode(path)
    if folder is not None and not os.path.isabs(text):
        text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)
    return os.path.abspath(text)[:_CHARS]


def _is_noise(name: str) -> bool:
    if name.startswith(_QUIET) or "__pycache__" in name or name.endswith(".pyc"):
        return True
    return "tracer-writes-" in name or temporary.is_drawn(name)


def _database(gathered: Gathered, database: Any) -> None:
    text = os.fsdecode(database) if not isinstance(database, int) else ""
    name = text.removeprefix("file:").partition("?")[0]
    if name not in ("", ":memory:") and "mode=memory" not in text:
        path = os.path.abspath(name)
        if not _is_noise(path):
            gathered.touch("database", path[:_CHARS])


def _is_inside_popen(event: str, frame: Any) -> bool:
    """`Popen` may start its process by `posix_spawn`; that is one process."""
    return event == "os.posix_spawn" and frame.f_code.co_filename.endswith("subprocess.py")


def _network(gathered: Gathered, event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        host, port = args[0], args[1]
        if isinstance(host, bytes):
            host = host.decode("latin-1")
        if isinstance(host, str) and isinstance(port, int) and not audit.is_address(host):
            gathered.hosts = {**(gathered.hosts or {}), port: {host, *_hosts(gathered, port)}}
        return
    address = args[1]
    if isinstance(address, tuple) and len(address) >= 2:
        # The name it was looked up by, where that is certain.
        hosts = _hosts(gathered, address[1])
        host = next(iter(hosts)) if len(hosts) == 1 else address[0]
        gathered.touch("connected", f"{host}:{address[1]}"[:_CHARS])
    elif isinstance(address, str | bytes):
        gathered.touch("connected", f"unix:{os.fsdecode(address)}"[:_CHARS])


def _hosts(gathered: Gathered, port: int) -> set[str]:
    return set() if gathered.hosts is None else gathered.hosts.get(port, set())
