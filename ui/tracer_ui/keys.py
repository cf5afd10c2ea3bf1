"""The keyboard table: the one source of the key handler, the `?` dialog and the help page.

The `?` dialog of every page is made from the table, and the handler reads it there. A command is
a link or button with that `data-command`, which the key presses, or a movement in a list.
"""

from dataclasses import dataclass
from typing import Literal

Place = Literal["everywhere", "run", "runs", "fork", "compare"]
PLACES: dict[Place, str] = {
    "run": "Run page",
    "runs": "Run list",
    "compare": "Compare",
    "fork": "Fork editor",
    "everywhere": "Everywhere",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One command: `keys` as `KeyboardEvent.key` names or a sequence like "g r"."""

    command: str
    keys: tuple[str, ...]
    place: Place
    label: str


TABLE: tuple[Key, ...] = (
    Key("next", ("j", "ArrowDown"), "run", "Step into: next step"),
    Key("previous", ("k", "ArrowUp"), "run", "Step into, backwards: previous step"),
    Key("over", ("J",), "run", "Step over: next step at this depth or up"),
    Key("back-over", ("K",), "run", "Step over, backwards"),
    Key("out", ("h", "ArrowLeft"), "run", "Step out: who called this"),
    Key("into", ("l", "ArrowRight"), "run", "Into the first step inside this one"),
    Key("next-error", ("e",), "run", "Next error"),
    Key("previous-error", ("E",), "run", "Previous error"),
    Key("next-model", ("n",), "run", "Next model call of the same agent"),
    Key("previous-model", ("N",), "run", "Previous model call of the same agent"),
    Key("first-note", ("m",), "run", "First note"),
    Key("next-note", ("M",), "run", "Next note"),
    Key("asked", ("a",), "run", "Between a tool's result and the model call that asked for it"),
    Key("first", ("Home", "g g"), "run", "First step"),
    Key("last", ("End", "G"), "run", "Last step; follows a run that is under way"),
    Key("fork", ("f",), "run", "Re-execute from here"),
    Key("compare", ("c",), "run", "Compare with the parent run"),
    Key("detail", ("Enter",), "run", "From the list into the step"),
    Key("list-next", ("j", "ArrowDown"), "runs", "Next run"),
    Key("list-previous", ("k", "ArrowUp"), "runs", "Previous run"),
    Key("list-open", ("Enter",), "runs", "Open the run"),
    Key("list-select", ("x",), "runs", "Select the run"),
    Key("list-compare", ("c",), "runs", "Compare the two selected runs"),
    Key("list-unfold", ("l", "ArrowRight"), "runs", "Unfold what was re-executed from the run"),
    Key("list-fold", ("h", "ArrowLeft"), "runs", "Fold it again"),
    Key("list-pin", ("p",), "runs", "Pin the run, or take the pin away"),
    Key("list-label", ("t",), "runs", "Tags and note of the run"),
    Key("list-delete", ("d",), "runs", "Delete the selected runs, or this one"),
    Key("list-undo", ("u",), "runs", "Undo what was just deleted"),
    Key("row-next", ("j",), "compare", "Next row"),
    Key("row-previous", ("k",), "compare", "Previous row"),
    Key("difference-next", ("n",), "compare", "Next difference"),
    Key("difference-previous", ("N",), "compare", "Previous difference"),
    Key("difference-first", ("0",), "compare", "First divergence"),
    Key("swap", ("s",), "compare", "Swap the two runs"),
    Key("run-fork", ("Control+Enter",), "fork", "Run the fork"),
    Key("help", ("?",), "everywhere", "These keys"),
    Key("search", ("/",), "everywhere", "Search"),
    Key("runs", ("g r",), "everywhere", "All runs"),
    Key("overview", ("g o",), "everywhere", "Overview of the runs"),
    Key("escape", ("Escape",), "everywhere", "Close, leave the field, then up one level"),
)

_NAMES = {
    "ArrowDown": "↓",
    "ArrowUp": "↑",
    "ArrowLeft": "←",
    "ArrowRight": "→",
    "Control+Enter": "Ctrl+Enter",
    "Escape": "Esc",
}


def keys_of(command: str) -> str:
    """The keys of a command as `data-keys` holds them: alternatives separated by "|"."""
    return "|".join(_row(command).keys)


def shortcuts(command: str) -> str:
    """The keys of a command as `aria-keyshortcuts` wants them; sequences have no form there."""
    return " ".join(key for key in _row(command).keys if " " not in key)


def shown_keys(command: str) -> tuple[str, ...]:
    """The keys of a command as a person reads them."""
    return tuple(_NAMES.get(key, key) for key in _row(command).keys)


def by_place() -> dict[str, list[Key]]:
    """The table for the dialog: the label of each place with its commands."""
    return {label: [key for key in TABLE if key.place == place] for place, label in PLACES.items()}


def _row(command: str) -> Key:
    return next(key for key in TABLE if key.command == command)
