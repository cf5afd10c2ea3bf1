"""Where the three streams of a process go, and how each can be recorded."""

import contextlib
import os
import stat
from typing import Literal, NamedTuple

from tracer.capture.processes.outcome import MAX_KEPT
from tracer.capture.processes.pump import is_ours

Handles = tuple[int, int, int, int, int, int]  # as `Popen._get_handles` gives them


class Ends(NamedTuple):
    """One stream: the program's end (-1: it has none) and the child's (-1: inherited)."""

    name: str
    program: int
    child: int


def ends_of(handles: Handles) -> tuple[Ends, Ends, Ends]:
    """The streams of a process that is about to start."""
    p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite = handles
    return (
        Ends("stdin", p2cwrite, p2cread),
        Ends("stdout", c2pread, c2pwrite),
        Ends("stderr", errread, errwrite),
    )


Kind = Literal["pipe", "passage", "file", "nothing", "inherited", "other"]


def kind_of(ends: Ends) -> Kind:
    """What a stream is: a pipe of Popen's, one the program made for itself ("passage"), a file,
    nothing at all, the program's own stream, or something that can't be recorded."""
    if ends.program != -1:
        return "pipe"
    if ends.child == -1:
        return "inherited"
    try:
        what = os.fstat(ends.child)
    except OSError:
        return "other"  # Popen itself will complain
    if stat.S_ISREG(what.st_mode):
        return "file"
    if stat.S_ISCHR(what.st_mode) and what.st_rdev == _null_device():
        return "nothing"
    if any(_same(what, standard) for standard in (0, 1, 2)):
        return "inherited"
    if stat.S_ISFIFO(what.st_mode) and _other_end_is_here(what.st_ino, ends.name != "stdin"):
        return "passage"
    return "other"


def _null_device() -> int:
    with contextlib.suppress(OSError):
        return os.stat(os.devnull).st_rdev
    return -1


def _same(what: os.stat_result, descriptor: int) -> bool:
    try:
        other = os.fstat(descriptor)
    except OSError:
        return False
    return (what.st_dev, what.st_ino) == (other.st_dev, other.st_ino)


def _other_end_is_here(inode: int, reading: bool) -> bool:
    """Whether this process holds the other end of a pipe, one that is not of our making."""
    if is_ours(inode):
        return False
    wanted = os.O_RDONLY if reading else os.O_WRONLY
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return False
    for name in names:
        with contextlib.suppress(OSError):
            if os.fstat(int(name)).st_ino != inode:
                continue
            with open(f"/proc/self/fdinfo/{name}", encoding="ascii") as file:
                flags = next(int(line.split()[1], 8) for line in file if line.startswith("flags"))
            if flags & os.O_ACCMODE == wanted:
                return True
    return False


class FileTail:
    """A file that a process writes into: what it added is read when it has ended."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self._descriptor = os.dup(descriptor)
        self._start = self._position()

    def _position(self) -> int:
        # The child shares the position; one that appends writes at the end whatever it says.
        appends = _flags(self._descriptor) & os.O_APPEND
        if appends:
            return os.fstat(self._descriptor).st_size
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def read(self) -> bytes | None:
        """What was added; None when it can't be read back. Closes our descriptor."""
        try:
            length = min(self._position() - self._start, MAX_KEPT + 1)
            if length < 0:
                return None
            return _read_at(self._descriptor, self._start, length)
        except OSError:
            return None
        finally:
            os.close(self._descriptor)


def _flags(descriptor: int) -> int:
    import fcntl  # not on every system

    return fcntl.fcntl(descriptor, fcntl.F_GETFL)


def _read_at(descriptor: int, start: int, length: int) -> bytes:
    if _flags(descriptor) & os.O_ACCMODE == os.O_RDWR:
        return os.pread(descriptor, length, start)
    again = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(again, length, start)
    finally:
        os.close(again)


def text_of_file(descriptor: int) -> bytes | None:
    """What a process given this file as its input will read; None when that can't be known."""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        start = os.lseek(descriptor, 0, os.SEEK_CUR)
        return os.pread(descriptor, MAX_KEPT, start)
    except OSError:
        return None
