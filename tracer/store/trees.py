"""States of a folder, kept by git in a repository of tracer's own beside the database.

The user's repository, index, settings and hooks have no part in it; what the folder's `.gitignore`
leaves out is left out. A state is a git tree and the names of empty folders, which git has no
notion of.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracer.core.records import JSON
from tracer.errors import UsageError

SECONDS = 120.0
_SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.autocrlf": "false",
    "core.quotePath": "false",
    "core.untrackedCache": "false",
    "advice.addEmbeddedRepo": "false",
    "gc.auto": "0",
}
# Bytes are kept as they are, whatever the folder's own attributes say.
_ATTRIBUTES = "* -text -eol -filter -ident -working-tree-encoding\n"
_SKIPPED = frozenset({".git", "node_modules", "__pycache__"})
_MOST_EMPTY = 1000
_NOTHING = "0" * 40


@dataclass(frozen=True, slots=True)
class State:
    """The files of a folder at one moment: a tree of git's, and the folders without files."""

    tree: str
    empty: tuple[str, ...] = ()

    def as_json(self) -> dict[str, JSON]:
        return {"tree": self.tree, "empty": list(self.empty)} if self.empty else {"tree": self.tree}

    @classmethod
    def from_json(cls, value: Any) -> "State | None":
        """None where a value (of a file, perhaps) is none."""
        tree = value.get("tree") if isinstance(value, dict) else None
        if not (isinstance(tree, str) and len(tree) in (40, 64) and tree.isalnum()):
            return None
        names = value.get("empty") or ()
        return cls(tree, tuple(name for name in names if _is_inside(name)))


@dataclass(frozen=True, slots=True)
class Change:
    """One file between two states: "A" added, "M" changed, "D" removed; modes and ids of git's."""

    word: str
    path: str
    old: tuple[str, str]
    new: tuple[str, str]


class TreeError(Exception):
    """git can't do it; the message is git's, or says that there is none."""


class Trees:
    """States of the folder `root`, kept in `repository`; `index` is a file of this owner's."""

    def __init__(self, root: Path, repository: Path, index: Path) -> None:
        self.root = root
        self.repository = repository
        self.index = index
        self._without: list[Path] = []

    def create(self, *, without: Sequence[Path] = ()) -> None:
        """Make the repository unless it is there. `without`: folders and files inside the root
        that are none of it."""
        self.repository.mkdir(parents=True, exist_ok=True)
        if not is_kept(self.repository):
            self._git("init", "--quiet", "--bare", str(self.repository))
        info = self.repository / "info"
        info.mkdir(exist_ok=True)
        (info / "attributes").write_text(_ATTRIBUTES)
        self._without = [path for path in without if path.is_relative_to(self.root)]
        inside = [path.relative_to(self.root) for path in self._without]
        patterns = [f"/{_escaped(path.as_posix())}" for path in inside if path.parts]
        self._excluding.write_text("\n".join(["__pycache__/", *patterns, ""]))

    @property
    def _excluding(self) -> Path:
        return self.index.with_name(self.index.name + "-without")

    def snapshot(self) -> State:
        """The state now."""
        self._git("add", "--all", "--ignore-errors", ".")
        return State(self._git("write-tree").decode().strip(), tuple(self._empty()))

    def restore(self, state: State) -> None:
        """Bring the folder to a state; what is ignored stays as it is."""
        self._git("add", "--all", "--ignore-errors", ".")
        for name in self._empty():
            if name not in state.empty:
                (self.root / name).rmdir()
        self._git("read-tree", "-u", "--reset", state.tree)
        for name in state.empty:
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def holds(self, state: State) -> bool:
        """Whether the state is kept here."""
        try:
            self._git("cat-file", "-e", f"{state.tree}^{{tree}}")
        except TreeError:
            return False
        return True

    def changes(self, old: State, new: State) -> list[Change]:
        """The files that differ."""
        if old.tree == new.tree:
            return []
        said = self._git("diff-tree", "-r", "-z", "--raw", "--no-renames", old.tree, new.tree)
        words = said.decode("utf-8", "surrogateescape").split("\0")
        return [_change(head, path) for head, path in zip(words[::2], words[1::2], strict=False)]

    def patch(self, old: State, new: State) -> bytes:
        """The same as a unified diff."""
        return self._git("diff-tree", "-p", "--no-color", "--no-ext-diff", "--no-textconv",
                         "--no-renames", old.tree, new.tree)  # fmt: skip

    def apply(self, old: State, new: State) -> str | None:
        """Do to the folder what led from one state to the other. The path of a file that is not
        any more as it was then, and so nothing is done; None when it is done."""
        now = self.snapshot()
        changes = self.changes(old, new)
        unlike_old = {change.path for change in self.changes(old, now)}
        unlike_new = {change.path for change in self.changes(now, new)}
        for change in changes:
            if change.path in unlike_old and change.path in unlike_new:
                return change.path
        lines = [f"{c.new[0]} {c.new[1]}\t{c.path}" for c in changes if c.word != "D"]
        lines += [f"0 {_NOTHING}\t{c.path}" for c in changes if c.word == "D"]
        text = "\0".join([*lines, ""]).encode("utf-8", "surrogateescape")
        self._git("update-index", "-z", "--index-info", given=text)
        wanted = self._git("write-tree").decode().strip()
        made = set(new.empty) - set(old.empty)
        gone = set(old.empty) - set(new.empty)
        self.restore(State(wanted, tuple(sorted((set(now.empty) | made) - gone))))
        return None

    def close(self) -> None:
        """Nothing more is asked by this owner."""
        self.index.unlink(missing_ok=True)
        self._excluding.unlink(missing_ok=True)

    def _empty(self) -> Iterator[str]:
        found = 0
        without = {str(path) for path in self._without}
        for folder, folders, files in os.walk(self.root):
            if folder in without:
                folders[:] = []
                continue
            bare = not (folders or files)
            folders[:] = [name for name in folders if name not in _SKIPPED]
            if not bare or folder == str(self.root) or found == _MOST_EMPTY:
                continue
            found += 1
            yield Path(folder).relative_to(self.root).as_posix()

    def _git(self, *words: str, given: bytes | None = None) -> bytes:
        chosen = _SETTINGS | {"core.excludesFile": str(self._excluding)}
        settings = [part for pair in chosen.items() for part in ("-c", "=".join(pair))]
        try:
            done = subprocess.run(
                ["git", *settings, *words],
                cwd=self.root,
                env=self._environment(words[0] == "init"),
                input=b"" if given is None else given,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise TreeError("there is no git") from None
        except (OSError, subprocess.SubprocessError) as error:
            raise TreeError(str(error)) from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise TreeError(said[-1] if said else f"git {words[0]} failed")
        return done.stdout

    def _environment(self, making: bool) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
        return kept | {
            "GIT_DIR": str(self.repository),
            **({} if making else {"GIT_WORK_TREE": str(self.root)}),
            "GIT_INDEX_FILE": str(self.index),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }


def repository_of(database: Path) -> Path:
    """Where the states that belong to a database's runs are kept."""
    return database.with_name(database.name + "-workspaces.git")


def is_kept(repository: Path) -> bool:
    """Whether there are states."""
    return (repository / "HEAD").is_file()


def looking(repository: Path) -> Trees:
    """For who compares kept states, and has no folder."""
    return Trees(repository, repository, repository / "index-of-nothing")


def workspace_folder(path: str) -> Path:
    """A workspace as it was asked for. Raises UsageError."""
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir():
        raise UsageError(f"--workspace {path}: there is no such folder")
    if folder == Path(folder.anchor):
        raise UsageError(f"--workspace {path}: name a narrower folder")
    return folder


def _change(head: str, path: str) -> Change:
    old_mode, new_mode, old, new, word = head.lstrip(":").split(" ")
    return Change("M" if word == "T" else word[:1], path, (old_mode, old), (new_mode, new))


def _escaped(path: str) -> str:
    return "".join(f"\\{sign}" if sign in "*?[]\\! #" else sign for sign in path)


def _is_inside(name: object) -> bool:
    return isinstance(name, str) and not os.path.isabs(name) and ".." not in Path(name).parts
