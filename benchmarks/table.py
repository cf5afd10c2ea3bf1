"""The rows as a table for people and as JSON for programs."""

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.rows import Row

_HEADINGS = ("", "tracer", "other", "unit", "ratio", "spread", "target", "met")
_RIGHT = (1, 2, 4)
FORMAT = 1


def as_json(rows: Sequence[tuple[str, Row]], *, quick: bool) -> str:
    """`{"format", "at", "quick", "machine", "load", "missed", "rows"}`."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": _machine(),
        "load": list(os.getloadavg()),
        "missed": [row.name for _, row in rows if row.met is False],
        "rows": [{"group": group} | row.as_json() for group, row in rows],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_text(rows: Sequence[tuple[str, Row]], *, quick: bool) -> str:
    """The table, and below it what was compared and what was missed."""
    against = list(dict.fromkeys(row.against for _, row in rows))
    lines = [_HEADINGS, *(_cells(row, against.index(row.against) + 1) for _, row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(_HEADINGS))]
    text = [_line(line, widths) for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    text.append("")
    text += [f"[{at}] against {other}" for at, other in enumerate(against, 1)]
    text.append(f"{_machine()}; spread: quartiles of the ratio over the rounds")
    missed = [f"{row.name} ({row.shortfall()})" for _, row in rows if row.met is False]
    text.append(f"MISSED: {'; '.join(missed)}" if missed else "every target is met")
    if quick:
        text.append("QUICK: too few rounds and steps; these numbers mean nothing")
    return "\n".join(text)


def _cells(row: Row, against: int) -> tuple[str, ...]:
    low, high = row.spread
    return (
        f"{row.name} [{against}]",
        _number(row.value),
        _number(row.other),
        row.unit,
        f"{row.ratio:.2f}x",
        f"{low:.2f}–{high:.2f} ({row.rounds})",
        "" if row.target is None else str(row.target),
        {True: "yes", False: "NO", None: ""}[row.met],
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.rjust(width) if at in _RIGHT else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()


def _machine() -> str:
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} processors"
    )
