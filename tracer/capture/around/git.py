"""Which commit the program's code is of, and whether it was changed since.

The commit is read from git's own files, which takes a fraction of a millisecond; whether the tree
is dirty is asked of git itself, beside the program, once a process, without taking its locks.
"""

import _thread
import os
import re
import select
import signal
from pathlib import Path

from tracer.core.records import JSON

_SECONDS = 5.0  # that `git status` may take
# A monitor or a hook of the user's must not be started for this.
_COMMAND = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "status",
            "--porcelain", "--untracked-files=no", "--ignore-submodules")  # fmt: skip
_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")
_MOST = 1 << 20  # bytes of a file of git's that is read
_asked: dict[Path, "_Asked"] = {}


class _Asked:
    """One question to git; `lock` opens when `dirty` is known, or known not to be found out."""

    def __init__(self) -> None:
        self.dirty: bool | None = None
        self.lock = _thread.allocate_lock()
        self.lock.acquire()


def commit_of(folder: str) -> dict[str, JSON] | None:
    """`{root, commit, branch}` of the repository a folder is in; None where it is in none."""
    try:
        root = _root(Path(folder))
        return None if root is None else _head(root)
    except (OSError, ValueError):  # odd, or being changed by git just now
        return None


def ask(root: str) -> None:
    """Find out beside the program whether the tree is dirty; the answer is `dirty`'s."""
    path = Path(root)
    if path in _asked:
        return
    asked = _asked[path] = _Asked()
    try:
        # Not `threading`: its threads are numbered and waited for by others.
        _thread.start_new_thread(_status, (path, asked))
    except RuntimeError:
        asked.lock.release()


def dirty(root: str, seconds: float) -> bool | None:
    """Whether files git knows differ from the commit; None when it isn't known by then."""
    asked = _asked.get(Path(root))
    if asked is None or not asked.lock.acquire(timeout=seconds):
        return None
    asked.lock.release()
    return asked.dirty


def _after_fork() -> None:
    _asked.clear()  # the thread that asks stayed with the parent


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _root(folder: Path) -> Path | None:
    for here in (folder, *folder.parents):
        if (here / ".git").exists():
            return here
    return None


def _head(root: Path) -> dict[str, JSON] | None:
    place = root / ".git"
    if place.is_file():  # a worktree, or a submodule
        pointed = _read(place).removeprefix("gitdir:").strip()
        place = root / pointed
    common = place
    if (place / "commondir").is_file():
        common = place / _read(place / "commondir").strip()
    head = _read(place / "HEAD").strip()
    found: dict[str, JSON] = {"root": str(root)}
    if not head.startswith("ref:"):
        return found | {"commit": head} if _HASH.match(head) else None
    name = head.removeprefix("ref:").strip()
    commit = _commit(place, common, name)
    if commit is None:
        return None
    return found | {"commit": commit, "branch": name.removeprefix("refs/heads/")}


def _commit(place: Path, common: Path, name: str) -> str | None:
    if not name.startswith("refs/") or ".." in name:
        return None
    for folder in (place, common):
        if (folder / name).is_file():
            word = _read(folder / name).strip()
            return word if _HASH.match(word) else None
    packed = common / "packed-refs"
    if packed.is_file():
        for line in _read(packed).splitlines():
            word, _, ref = line.partition(" ")
            if ref == name and _HASH.match(word):
                return word
    return None


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(_MOST)


def _status(root: Path, asked: _Asked) -> None:
    try:
        asked.dirty = _is_dirty(root)
    except BaseException:  # no git, a process that can't be started: then it is not known
        asked.dirty = None
    finally:
        asked.lock.release()


def _is_dirty(root: Path) -> bool | None:
    """Ask git, without `subprocess`: a program that has no use for it need not load it."""
    if not hasattr(os, "posix_spawnp"):
        return None
    reading, writing = os.pipe()
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 2)]
    try:
        pid = os.posix_spawnp(
            "git",
            ["git", "-C", str(root), *_COMMAND],
            _environment(),
            file_actions=[*quiet, (os.POSIX_SPAWN_DUP2, writing, 1)],
        )
    finally:
        os.close(writing)
    try:
        said = _first_bytes(reading)
    finally:
        os.close(reading)
    if said is None:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if said:
        return True
    return False if said == b"" and status == 0 else None


def _environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.copy().items() if not name.startswith("GIT_")}
    return kept | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def _first_bytes(descriptor: int) -> bytes | None:
    """What can be read first, b"" at the end; None when nothing comes for a while."""
    ready, _, _ = select.select([descriptor], [], [], _SECONDS)
    return os.read(descriptor, 4096) if ready else None
