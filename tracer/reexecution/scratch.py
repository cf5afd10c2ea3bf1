"""A scratch copy of a recorded workspace, put in its place for one process.

Where the system lets a process see its own mounts, the copy stands at the workspace's own path, for
the program and all that it starts; the real folder is out of reach. Elsewhere the program works in
the copy when it worked inside the workspace, and is refused where the recording names the folder
by its absolute path, since that would lead to the real files.
"""

import ctypes
import os
import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracer.core.records import Run, Step
from tracer.errors import CannotReplayError
from tracer.store.trees import is_kept, looking, repository_of
from tracer.store.workspaces import recorded_workspace

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000
# For tests, and for systems where mounts do harm: work in the copy.
WITHOUT_MOUNTS = "TRACER_NO_MOUNTS"


@dataclass(frozen=True, slots=True)
class Scratch:
    """The copy is in `folder`; the program, which knew it as `recorded`, finds it at `seen`."""

    recorded: Path
    folder: Path
    seen: Path

    @property
    def is_elsewhere(self) -> bool:
        """Whether the workspace's own path leads to the real files."""
        return self.folder == self.seen


def check_workspace(database: Path, run: Run, steps: list[Step], fork: Step | None) -> None:
    """Raises CannotReplayError where the recorded states of a run's workspace are not here, or
    were lost on the way to the fork point."""
    found = recorded_workspace(run.environment)
    if found is None:
        return
    folder, state = found
    if run.origin != "local":
        raise CannotReplayError(
            f"the run worked on the files in {folder}, and an exported run has none of them: "
            "re-execute it where it was recorded"
        )
    for step in steps:
        told = step.detail.get("workspace")
        lost = isinstance(told, dict) and told.get("lost")
        if lost and (fork is None or step.start_seq <= fork.start_seq):
            raise CannotReplayError(
                f"the workspace {folder} could not be followed beyond step {step.n}, so a "
                "re-execution would not see its files as they were: fork before that step"
            )
    repository = repository_of(database)
    if not is_kept(repository) or not looking(repository).holds(state):
        raise CannotReplayError(
            f"the states of the workspace {folder} are not in {repository} any more, so its files "
            "can't be brought back"
        )


def copy_workspace(folder: Path, target: Path, *, without: list[Path]) -> None:
    """Copy a folder as it is now, links as links; sockets, pipes and devices are left out."""

    def left_out(where: str, names: list[str]) -> set[str]:
        paths = {name: Path(where) / name for name in names}
        return {name for name, path in paths.items() if path in without or _is_special(path)}

    if folder.is_dir():
        shutil.copytree(folder, target, symlinks=True, ignore=left_out, dirs_exist_ok=True)
    else:
        target.mkdir(parents=True, exist_ok=True)


def _is_special(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return True
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def own_mounts() -> bool:
    """Give this process mounts of its own: whether that went. Not with a second thread, which would
    go on seeing the real files."""
    return not os.environ.get(WITHOUT_MOUNTS) and _threads() == 1 and _own_mounts()


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 0


def put_in_place(copy: Path, folder: Path, kept: list[Path]) -> bool:
    """Let this process see the copy at the folder's path, after `own_mounts`. `kept`: folders
    inside that stay the real ones. False where it can't be."""
    here = os.getcwd()
    try:
        for path in kept:
            there = copy / path.relative_to(folder)
            there.mkdir(parents=True, exist_ok=True)
            _mount(path, there)
        _mount(copy, folder)
        os.chdir(here)  # which led below the mount until now
    except OSError:
        return False
    return True


def _own_mounts() -> bool:
    """Leave the system's table of mounts for a copy of it. As root without a user namespace, which
    would hide who owns files."""
    if sys.platform != "linux":
        return False
    user, group = os.geteuid(), os.getegid()
    if _libc("unshare", _NEW_MOUNTS) != 0:
        if _libc("unshare", _NEW_USER | _NEW_MOUNTS) != 0:
            return False
        try:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        except OSError:
            return False
    return _libc("mount", b"none", b"/", None, _RECURSIVE | _PRIVATE, None) == 0


def _mount(source: Path, target: Path) -> None:
    paths = os.fsencode(source), os.fsencode(target)
    if _libc("mount", *paths, None, _BIND | _RECURSIVE, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def _libc(name: str, *args: Any) -> int:
    try:
        return int(getattr(ctypes.CDLL(None, use_errno=True), name)(*args))
    except (OSError, AttributeError):
        return -1


__all__ = [
    "Scratch",
    "check_workspace",
    "copy_workspace",
    "own_mounts",
    "put_in_place",
]
