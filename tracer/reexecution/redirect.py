"""Sends a program's file writes to an overlay while its answers come from a recording.

Patched while that lasts: `open`, `io.open`, `os.open`, the functions of `os` that make, remove,
rename and look at files, and `sqlite3.connect`. What can't be redirected is refused by name.
Tracer's own files, bytecode, devices and what `tempfile` makes stay real. After the fork point
changes are real; what was written before it is still read as the program wrote it.
"""

import builtins
import functools
import io
import os
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tracer.capture.callsite import callsite
from tracer.capture.guard import report
from tracer.reexecution.overlay import Overlay, missing, writes

Refuse = Callable[[str], None]
_busy = threading.local()
_CAPABLE: tuple[set[Any], ...] = (
    os.supports_dir_fd,
    os.supports_fd,
    os.supports_follow_symlinks,
    os.supports_effective_ids,
)
_MODES = {"w": os.O_CREAT | os.O_TRUNC, "a": os.O_CREAT | os.O_APPEND, "x": os.O_CREAT | os.O_EXCL}
# Nothing of these reaches the overlay, so they are not done at all.
_REFUSED = ("link", "symlink", "chown", "lchown", "mkfifo", "mknod", "truncate", "setxattr")


class Redirect:
    """The patches; `install`, then `remove`. `refuse` raises, told what was tried."""

    def __init__(self, overlay: Overlay, refuse: Refuse) -> None:
        self.overlay = overlay
        self._refuse = refuse
        self._originals: list[tuple[Any, str, Any]] = []
        self._appending: list[tuple[weakref.ref[Any], str]] = []
        self._live = False

    def install(self) -> None:
        self._patch(builtins, "open", self._open)
        self._patch(io, "open", self._open)
        self._patch(os, "open", self._os_open)
        for name in ("stat", "lstat", "access", "readlink"):
            self._patch(os, name, self._looking)
        self._patch(os, "listdir", self._listdir)
        self._patch(os, "scandir", self._scandir)
        self._patch(os, "mkdir", self._mkdir)
        for name in ("remove", "unlink"):
            self._patch(os, name, self._remove)
        self._patch(os, "rmdir", functools.partial(self._remove, folder=True))
        for name in ("rename", "replace"):
            self._patch(os, name, self._rename)
        for name in ("chmod", "utime"):
            self._patch(os, name, self._marking)
        for name in _REFUSED:
            self._patch(os, name, self._refused)
        for name in ("sqlite3", "sqlite3.dbapi2"):
            self._patch(sys.modules.get(name), "connect", self._connect)

    def go_live(self) -> None:
        """Behind the fork point: changes are real, also through files opened for appending."""
        self._live = True
        for reference, path in self._appending:
            opened = reference()
            if opened is None or opened.closed:
                continue
            with _quiet():
                try:
                    opened.flush()
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    real = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
                    os.dup2(real, opened.fileno())
                    os.close(real)
                except (OSError, ValueError) as error:
                    report(f"going on with {path}", error)

    def remove(self) -> None:
        """Put everything back; what is open stays open."""
        while self._originals:
            owner, name, original = self._originals.pop()
            setattr(owner, name, original)

    def _patch(self, owner: Any, name: str, instead: Callable[..., Any]) -> None:
        original = getattr(owner, name, None)
        if original is None:
            return

        @functools.wraps(original)
        def patched(*args: Any, **kwargs: Any) -> Any:
            if getattr(_busy, "now", False) or _is_ours():
                return original(*args, **kwargs)
            if kwargs.get("opener") is not None:  # which opens by `os.open`, and so comes here
                return original(*args, **kwargs)
            try:
                with _quiet():
                    return instead(original, *args, **kwargs)
            except OSError as error:
                _by_its_name(error, args)
                raise

        for capable in _CAPABLE:
            if original in capable:
                capable.add(patched)
        self._originals.append((owner, name, original))
        setattr(owner, name, patched)

    def _changing(self, path: str) -> bool:
        """Whether a change of this path is the overlay's; else it is about to be real."""
        if self._live:
            self.overlay.forget(path)
        return not self._live

    def _path(self, value: Any, dir_fd: int | None = None) -> str | None:
        """The absolute path of an argument; None for what the overlay has no say in."""
        if isinstance(value, int) or value is None:
            return None
        path = os.fsdecode(os.fspath(value))
        if dir_fd is not None and not os.path.isabs(path):
            try:
                path = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), path)
            except OSError:
                return None
        folder, name = os.path.split(os.path.abspath(path))
        path = os.path.join(os.path.realpath(folder), name)
        if os.path.islink(path) and not self.overlay.touches(folder):
            path = os.path.realpath(path)
        return None if self.overlay.is_exempt(path) else path

    def _open(self, original: Any, file: Any, mode: Any = "r", *args: Any, **kwargs: Any) -> Any:
        path = self._path(file)
        if path is None or not isinstance(mode, str):
            return original(file, mode, *args, **kwargs)
        flags = next((flag for word, flag in _MODES.items() if word in mode), os.O_RDONLY)
        is_write = "+" in mode or flags != os.O_RDONLY
        if is_write and (self._is_temporary(path) or not self._changing(path)):
            return original(file, mode, *args, **kwargs)
        there = self.overlay.opened(path, flags=flags) if is_write else self.overlay.seen(path)
        if there == path:
            return original(file, mode, *args, **kwargs)
        opened = original(there, mode, *args, **kwargs)
        _rename(opened, file)
        if flags & os.O_APPEND:
            self._appending.append((weakref.ref(opened), path))
        return opened

    def _os_open(
        self, original: Any, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> Any:
        known = self._path(path, dir_fd)
        if known is None or (
            writes(flags) and (self._is_temporary(known) or not self._changing(known))
        ):
            return original(path, flags, mode, dir_fd=dir_fd)
        if writes(flags):
            return original(self.overlay.opened(known, flags=flags), flags, mode)
        there = self.overlay.seen(known)
        return original(there, flags, mode)

    def _is_temporary(self, path: str) -> bool:
        """Whether `tempfile` makes this: then it, and what comes below it, is real."""
        frame: Any = sys._getframe(2)
        for _ in range(4):
            frame = frame.f_back if frame is not None else None
            if frame is not None and frame.f_globals.get("__name__") == "tempfile":
                self.overlay.allow(path)
                return True
        return False

    def _looking(self, original: Any, path: Any, *args: Any, **kwargs: Any) -> Any:
        known = None if self.overlay.is_empty else self._path(path, kwargs.get("dir_fd"))
        if known is None:
            return original(path, *args, **kwargs)
        try:
            there = self.overlay.seen(known)
        except FileNotFoundError:
            if original.__name__ == "access":
                return False
            raise
        if there == known:
            return original(path, *args, **kwargs)
        kwargs.pop("dir_fd", None)
        return original(there, *args, **kwargs)

    def _listdir(self, original: Any, path: Any = ".") -> Any:
        known = self._path(path)
        if known is None or not self._is_changed(known):
            return original(path)
        names = list(self.overlay.names(known))
        return [os.fsencode(name) for name in names] if isinstance(path, bytes) else names

    def _scandir(self, original: Any, path: Any = ".") -> Any:
        known = self._path(path)
        if known is None or not self._is_changed(known):
            return original(path)
        return _Entries([_Entry(os.fspath(path), name) for name in self.overlay.names(known)])

    def _is_changed(self, path: str) -> bool:
        return self.overlay.touches(path) or self.overlay.seen(path) != path

    def _mkdir(self, original: Any, path: Any, mode: int = 0o777, **kwargs: Any) -> Any:
        known = self._path(path, kwargs.get("dir_fd"))
        if known is None or self._is_temporary(known) or not self._changing(known):
            return original(path, mode, **kwargs)
        return self.overlay.make_folder(known)

    def _remove(self, original: Any, path: Any, *, folder: bool = False, **kwargs: Any) -> Any:
        known = self._path(path, kwargs.get("dir_fd"))
        if known is None or not self._changing(known):
            return original(path, **kwargs)
        return self.overlay.remove(known, folder=folder)

    def _rename(self, original: Any, source: Any, target: Any, **kwargs: Any) -> Any:
        old, new = self._path(source), self._path(target)
        known = [path for path in (old, new) if path is not None]
        if not all([self._changing(path) for path in known]) or not known:
            return original(source, target, **kwargs)
        if old is None or new is None or kwargs:
            return self._refused(original, source, target)
        try:
            return self.overlay.rename(old, new)
        except IsADirectoryError:
            pass
        return self._refused(original, source, target)

    def _marking(self, original: Any, path: Any, *args: Any, **kwargs: Any) -> Any:
        """Times and permissions: of what is in the overlay; of other files they stay."""
        known = self._path(path, kwargs.get("dir_fd"))
        if known is None or self._live:
            return original(path, *args, **kwargs)
        if not self.overlay.exists(known):
            raise missing(os.fspath(path))
        kwargs.pop("dir_fd", None)
        if (there := self.overlay.seen(known)) != known:
            original(there, *args, **kwargs)
        return None

    def _refused(self, original: Any, *paths: Any, **kwargs: Any) -> Any:
        named = [path for path in paths if isinstance(path, str | bytes | os.PathLike)]
        if self._live or all(self._path(path) is None for path in named):
            return original(*paths, **kwargs)
        where = callsite()
        tried = f"to {original.__name__} {', '.join(map(os.fsdecode, named))}"
        self._refuse(f"{tried}, at {where}" if where else tried)
        raise PermissionError(f"os.{original.__name__} is refused in a re-execution")

    def _connect(self, original: Any, database: Any = ":memory:", *args: Any, **kwargs: Any) -> Any:
        """SQLite writes by itself, so the database is copied whole."""
        text = os.fsdecode(os.fspath(database)) if not isinstance(database, int) else ""
        name = text.removeprefix("file:").partition("?")[0]
        known = None if name in ("", ":memory:") or "mode=memory" in text else self._path(name)
        if known is None or self._live:
            return original(database, *args, **kwargs)
        try:
            there = self._copied(known)
        except OSError:
            return original(database, *args, **kwargs)  # SQLite says better what is wrong
        given = text.replace(name, there, 1) if text.startswith("file:") else there
        return original(given, *args, **kwargs)

    def _copied(self, path: str) -> str:
        flags = os.O_RDWR | os.O_CREAT
        there = self.overlay.opened(path, flags=flags)
        for ending in ("-wal", "-journal"):
            if os.path.exists(path + ending):
                self.overlay.opened(path + ending, flags=flags)
        return there


class HeldWrites:
    """What a re-execution's program writes, kept from the world from now on."""

    def __init__(self, instructions: Mapping[str, Any], refuse: Refuse) -> None:
        database = instructions["database"]
        exempt = [database + ending for ending in ("", "-wal", "-shm", "-journal")]
        exempt += [os.path.dirname(instructions["outcome"]), *instructions.get("allow_writes", ())]
        self.held: list[str] = []  # paths, once it is over
        self._keep = instructions.get("keep_writes")
        self._redirect: Redirect | None = Redirect(Overlay(exempt), refuse)
        self._redirect.install()

    def go_live(self) -> None:
        """Behind the fork point."""
        if self._redirect is not None:
            self._redirect.go_live()

    def release(self) -> None:
        """The program is over: what it wrote is named, kept if so wished, and thrown away."""
        if self._redirect is None:
            return
        redirect, self._redirect = self._redirect, None
        redirect.remove()
        self.held = redirect.overlay.written
        try:
            if self._keep:
                redirect.overlay.keep(Path(self._keep))
        finally:
            redirect.overlay.discard()


class _quiet:
    """While this lasts, this thread's file operations are the real ones."""

    def __enter__(self) -> None:
        self._before = getattr(_busy, "now", False)
        _busy.now = True

    def __exit__(self, *_: object) -> None:
        _busy.now = self._before


def _is_ours() -> bool:
    """Whether tracer itself asks (its database, its instructions)."""
    frame: Any = sys._getframe(2)
    name = str(frame.f_globals.get("__name__", ""))
    return name.startswith("tracer.") and not name.startswith("tracer.demo")


def _by_its_name(error: OSError, args: tuple[Any, ...]) -> None:
    """Let an error name the file as the program did."""
    if error.filename is not None and args and not isinstance(args[0], int):
        error.filename = args[0]


def _rename(opened: Any, name: Any) -> None:
    """Let an open file go by the name it was asked for."""
    try:
        raw = getattr(opened, "buffer", opened)
        raw = getattr(raw, "raw", raw)
        raw.name = name
    except Exception as error:
        report("naming a file", error)


class _Entry:
    """What `os.scandir` gives, of a folder that differs from the world."""

    def __init__(self, folder: Any, name: str) -> None:
        self.name: Any = os.fsencode(name) if isinstance(folder, bytes) else name
        self.path = os.path.join(folder, self.name)

    def __fspath__(self) -> Any:
        return self.path

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return os.stat(self.path) if follow_symlinks else os.lstat(self.path)

    def inode(self) -> int:
        return self.stat(follow_symlinks=False).st_ino

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return os.path.isdir(self.path) and (follow_symlinks or not self.is_symlink())

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return os.path.isfile(self.path) and (follow_symlinks or not self.is_symlink())

    def is_symlink(self) -> bool:
        return os.path.islink(self.path)


class _Entries:
    """An iterator that is closed, as `os.scandir`'s is."""

    def __init__(self, entries: list[_Entry]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> "_Entries":
        return self

    def __next__(self) -> _Entry:
        return next(self._entries)

    def __enter__(self) -> "_Entries":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())
