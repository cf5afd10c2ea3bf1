"""What a command prints: JSON documents, tables, coloured words. Results go to standard output,
everything else to standard error.
"""

import json
import math
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from tracer.cli.text import fit, pad, printable, width

GAP = "  "
_NARROWEST = 20  # columns the last cell of a row keeps, however narrow the terminal


Style = dict[str, Any]  # arguments of click.style


@dataclass(frozen=True, slots=True)
class Cell:
    """A word of a table, and how it is drawn."""

    text: str
    style: Style | None = None


RED: Style = {"fg": "red"}
GREEN: Style = {"fg": "green"}
YELLOW: Style = {"fg": "yellow"}
CYAN: Style = {"fg": "cyan"}
FAINT: Style = {"dim": True}
BOLD: Style = {"bold": True}
STATUS = {"error": RED, "ok": GREEN, "running": CYAN, "interrupted": YELLOW, "stopped": YELLOW}


def colours() -> bool:
    """Whether standard output takes colours: a terminal does, unless NO_COLOR is set."""
    if os.environ.get("NO_COLOR"):
        return False
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def columns() -> int | None:
    """Width of the terminal; None when nobody looks at one, then nothing is cut."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS"):
        return None
    return shutil.get_terminal_size().columns


def line(text: str = "", style: Style | None = None, *, whole: bool = False) -> None:
    """One line of the result, cut to the terminal unless `whole`."""
    limit = None if whole else columns()
    shown = printable(text)
    write(styled(shown if limit is None else fit(shown, limit), style))


def block(text: str, indent: str = "") -> None:
    """Text of several lines, as it is but harmless."""
    for row in printable(text, lines=True).split("\n"):
        write(f"{indent}{row}")


def write(text: str) -> None:
    """A line that is safe and styled already."""
    click.echo(text, color=True)


def styled(text: str, style: Style | None) -> str:
    """The text in colour where colours are taken."""
    return click.style(text, **style) if style and colours() else text


def say(text: str) -> None:
    """A message for the person: progress, warnings, what came of it."""
    click.echo(printable(text), err=True)


def table(rows: Sequence[Sequence[Cell]], right: frozenset[int] = frozenset()) -> None:
    """Rows in columns; those in `right` are aligned right, the last is cut to the terminal."""
    texts = [[printable(cell.text) for cell in row] for row in rows]
    if not texts:
        return
    last = len(texts[0]) - 1
    widths = [max(width(row[at]) for row in texts) for at in range(last)]
    used = sum(size + len(GAP) for size in widths)
    limit = columns()
    room = None if limit is None else max(_NARROWEST, limit - used)
    for row, shown in zip(rows, texts, strict=True):
        cells = [
            styled(pad(shown[at], widths[at], right=at in right), row[at].style)
            for at in range(last)
        ]
        end = shown[last] if room is None else fit(shown[last], room)
        write(GAP.join([*cells, styled(end, row[last].style)]).rstrip())


def write_json(value: Any) -> None:
    """One JSON document on standard output; whatever was recorded, it is valid JSON."""
    try:
        text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:  # halves of characters, or a terminal that isn't UTF-8
        text = json.dumps(_finite(value), indent=2)
    click.echo(text)


def _finite(value: Any) -> Any:
    """The value with NaN and infinities, which JSON has no word for, as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
