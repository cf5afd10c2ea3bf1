"""A scratch copy of what a program writes while its answers come from a recording.

The world stays as it is: a file written, made or removed is so only here, and reading it again
sees that. Paths are mirrored below one scratch folder; a file that exists and is changed is copied
first; what was removed is remembered. Nothing here is patched: `tracer.reexecution.redirect` does.
"""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path


class Overlay:
    """Thread-safe. All paths given are absolute; results are paths to use instead."""

    def __init__(self, exempt: Iterable[str] = ()) -> None:
        """`exempt`: files and folders that are written for real."""
        self.root = tempfile.mkdtemp(prefix="tracer-writes-")
        self._exempt = [os.path.realpath(path) for path in exempt]
        self._written: dict[str, None] = {}  # in order of their first change
        self._gone: set[str] = set()
        self._lock = threading.RLock()

    def allow(self, path: str) -> None:
        """Write this path, and what is below it, for real."""
        self._exempt.append(os.path.realpath(path))

    def is_exempt(self, path: str) -> bool:
        """Whether a path is none of the overlay's: allowed, or no regular file."""
        if path.startswith((self.root, "/dev/", "/proc/", "/sys/")):
            return True
        if any(path == one or path.startswith(one + os.sep) for one in self._exempt):
            return True
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            return False
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))

    def _twin(self, path: str) -> str:
        return self.root + (path if path.startswith(os.sep) else os.sep + path.replace(":", ""))

    def seen(self, path: str) -> str:
        """Where to read a path. Raises FileNotFoundError when it was removed here."""
        with self._lock:
            twin = self._twin(path)
            if os.path.lexists(twin) and (path in self._written or not os.path.isdir(path)):
                return twin
            if path in self._gone or any(path.startswith(gone + os.sep) for gone in self._gone):
                raise missing(path)
            return path

    def exists(self, path: str) -> bool:
        """Whether a path exists as the program sees it."""
        try:
            return os.path.lexists(self.seen(path))
        except FileNotFoundError:
            return False

    def opened(self, path: str, *, flags: int) -> str:
        """Where to open a path for writing with these `os.open` flags; made ready for it."""
        with self._lock:
            here = self.exists(path)
            if flags & os.O_EXCL and flags & os.O_CREAT and here:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
            if not here and not flags & os.O_CREAT:
                raise missing(path)
            if here and os.path.isdir(self.seen(path)):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
            if not self._is_folder(os.path.dirname(path)):
                raise missing(path)
            if here and not os.access(self.seen(path), os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            twin = self._prepared(path)
            if here and not os.path.exists(twin) and not flags & os.O_TRUNC:
                shutil.copy2(path, twin)
            self._gone.discard(path)
            return twin

    def _is_folder(self, path: str) -> bool:
        return self.exists(path) and os.path.isdir(self.seen(path))

    def _prepared(self, path: str) -> str:
        """The twin of a path that is about to be written; its folders exist."""
        twin = self._twin(path)
        os.makedirs(os.path.dirname(twin), exist_ok=True)
        self._written[path] = None
        return twin

    def make_folder(self, path: str) -> None:
        """`os.mkdir`."""
        with self._lock:
            if self.exists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
            if not self._is_folder(os.path.dirname(path)):
                raise missing(path)
            os.makedirs(self._prepared(path), exist_ok=True)
            self._gone.discard(path)

    def remove(self, path: str, *, folder: bool = False) -> None:
        """`os.remove`, or `os.rmdir`."""
        with self._lock:
            if not self.exists(path):
                raise missing(path)
            if os.path.isdir(self.seen(path)) != folder:
                number = errno.ENOTDIR if folder else errno.EISDIR
                raise OSError(number, os.strerror(number), path)
            if folder and any(True for _ in self.names(path)):
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
            twin = self._twin(path)
            if os.path.lexists(twin):
                shutil.rmtree(twin) if folder else os.remove(twin)
            self._written[path] = None
            if os.path.lexists(path):
                self._gone.add(path)

    def rename(self, source: str, target: str) -> None:
        """`os.replace`, of files. Raises IsADirectoryError for folders, which stay."""
        with self._lock:
            where = self.seen(source)
            if not os.path.lexists(where):
                raise missing(source)
            if os.path.isdir(where) or (self.exists(target) and os.path.isdir(self.seen(target))):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), source)
            if not self._is_folder(os.path.dirname(target)):
                raise missing(target)
            twin = self._prepared(target)
            shutil.copy2(where, twin)
            self._gone.discard(target)
            self.remove(source)

    def names(self, path: str) -> Iterator[str]:
        """What a folder holds, as the program sees it."""
        with self._lock:
            twin, found = self._twin(path), dict[str, None]()
            if path not in self._gone:
                with contextlib.suppress(FileNotFoundError):
                    found = dict.fromkeys(os.listdir(path))
            if os.path.isdir(twin):
                found |= dict.fromkeys(os.listdir(twin))
            if not found and not self.exists(path):
                raise missing(path)
        for name in found:
            if self.exists(os.path.join(path, name)):
                yield name

    def touches(self, path: str) -> bool:
        """Whether anything in a folder differs from the world."""
        below = path.rstrip(os.sep) + os.sep
        return any(changed.startswith(below) for changed in self._written)

    def forget(self, path: str) -> None:
        """A path is about to be changed for real: its folder too, where it was made only here."""
        with self._lock:
            folder = os.path.dirname(path)
            if not os.path.isdir(folder) and os.path.isdir(self._twin(folder)):
                os.makedirs(folder, exist_ok=True)
            self._gone.discard(path)
            twin = self._twin(path)
            if os.path.isfile(twin):
                os.remove(twin)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was changed so far."""
        return not self._written

    @property
    def written(self) -> list[str]:
        """Every path that was written, made or removed, in order."""
        with self._lock:
            return list(self._written)

    def keep(self, folder: Path) -> None:
        """Copy what was written into a folder, each file at its own path below it."""
        shutil.copytree(self.root, folder, dirs_exist_ok=True)

    def discard(self) -> None:
        """Throw it all away."""
        shutil.rmtree(self.root, ignore_errors=True)


def missing(path: str) -> FileNotFoundError:
    """What opening a path that is not there raises."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def writes(flags: int) -> bool:
    """Whether `os.open` flags may change the file."""
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND))
