"""The two counters of a run: numbers of steps, and the sequence of starts and ends.

Within one process they are plain integers under a lock. Before a child process takes part in the
run they move into a small file that all its processes count in, so that numbers stay unique and
follow the order of starts whoever writes the step.
"""

import contextlib
import os
import struct
import threading
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows: child processes are runs of their own
    fcntl = None

_BOTH = struct.Struct("<qq")


class Numbers:
    """Counts steps and points of one run. Thread-safe; across processes once shared."""

    def __init__(self, path: str | None = None) -> None:
        """`path`: the file of a run that is counted in another process already. Raises OSError."""
        self.path = path
        self._steps = self._sequence = 0
        self._lock = threading.Lock()
        self._file = -1 if path is None else os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def start(self) -> tuple[int, int]:
        """The number of a step that starts now, and its place in the sequence."""
        return self._count(1)

    def next_seq(self) -> int:
        """The next place in the sequence."""
        return self._count(0)[1]

    @property
    def last(self) -> int:
        """The last place that was given, as far as this process knows."""
        return self._sequence

    @property
    def steps(self) -> int:
        """How many steps have started in all processes."""
        if self._file >= 0:
            return int(_BOTH.unpack(os.pread(self._file, _BOTH.size, 0))[0])
        return self._steps

    def share(self) -> str | None:
        """Count in a file from now on; its path, None where that can't be done."""
        with self._lock:
            if self.path is None and fcntl is not None:
                import tempfile  # most programs start no other

                try:
                    descriptor, path = tempfile.mkstemp(prefix="tracer-run-")
                except OSError:  # nowhere to write: child processes can't take part
                    return None
                os.pwrite(descriptor, _BOTH.pack(self._steps, self._sequence), 0)
                self._file, self.path = descriptor, path
            return self.path

    def end(self) -> None:
        """The run is over: no other process can join it any more."""
        with self._lock:
            if self.path is not None:
                with contextlib.suppress(OSError):
                    os.unlink(self.path)

    def after_fork_in_child(self) -> None:
        """Another thread may have held the lock; the file's locks belong to a process."""
        self._lock = threading.Lock()

    def _count(self, steps: int) -> tuple[int, int]:
        with self._lock:
            if self._file >= 0 and fcntl is not None:
                fcntl.lockf(self._file, fcntl.LOCK_EX)
                try:
                    known = os.pread(self._file, _BOTH.size, 0)
                    self._steps, self._sequence = _BOTH.unpack(known)
                    self._steps += steps
                    self._sequence += 1
                    os.pwrite(self._file, _BOTH.pack(self._steps, self._sequence), 0)
                finally:
                    fcntl.lockf(self._file, fcntl.LOCK_UN)
            else:
                self._steps += steps
                self._sequence += 1
            return self._steps, self._sequence
