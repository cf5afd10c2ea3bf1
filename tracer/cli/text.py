"""Recorded text on a terminal: of known width, cut where the line ends."""

import unicodedata

from tracer.core.printable import printable

__all__ = ["count", "cut", "duration", "fit", "money", "pad", "printable", "size", "width"]


def width(text: str) -> int:
    """Columns the text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def fit(text: str, columns: int) -> str:
    """The text cut to so many columns, with an ellipsis where something is missing."""
    if width(text) <= columns:
        return text
    kept: list[str] = []
    used = 1  # the ellipsis
    for char in text:
        used += _char_width(char)
        if used > columns:
            break
        kept.append(char)
    return "".join(kept) + "…"


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """The text filled up with spaces; `right` aligns it there."""
    spaces = " " * (columns - width(text))
    return spaces + text if right else text + spaces


def cut(text: str, limit: int) -> tuple[str, int]:
    """The first `limit` characters, and how many are left out."""
    return text[:limit], max(0, len(text) - limit)


def duration(ms: float | None) -> str:
    """`250 ms`, `4.8 s`, `2 m 05 s`, `1 h 02 m`; `…` while it still runs."""
    if ms is None:
        return "…"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 99_950:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    if minutes < 60:
        return f"{minutes} m {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m"


def money(dollars: float | None) -> str:
    """`$0.0063`, `$1.20`; nothing when not known."""
    if dollars is None:
        return ""
    if dollars >= 1:
        return f"${dollars:.2f}"
    if 0 < dollars < 0.0001:
        return "<$0.0001"
    return f"${dollars:.2g}"


def count(number: int, what: str) -> str:
    """`1 step`, `9 steps`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def size(amount: int) -> str:
    """`512 B`, `7 kB`, `2.3 MB`."""
    if amount < 1000:
        return f"{amount} B"
    if amount < 999_500:
        return f"{amount / 1000:.0f} kB"
    return f"{amount / 1e6:,.1f} MB"
