"""Bars as the templates draw them: numbers in the units of the drawing, no markup. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 100.0
_WIDTH = 10.0  # of one place, the gap included
_GAP = 2.0
_LEAST = 2.0  # what is there can be seen
_MOST = 1e300  # the costs of a hostile file may be infinite together


@dataclass(frozen=True, slots=True)
class Amount:
    """One piece of a bar. `tone` is its colour's name."""

    value: float
    tone: str


@dataclass(frozen=True, slots=True)
class Place:
    """One bar to draw: pieces from the bottom up, what it says, where it leads."""

    words: str
    href: str
    pieces: tuple[Amount, ...]
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A drawn bar; `x` and `width` are those of its whole place, which can be clicked."""

    x: float
    width: float
    words: str
    href: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars beside each other. `most` is what the highest stands for, `legend` tones and words."""

    title: str
    most: str
    first: str
    last: str
    width: float
    bars: tuple[Bar, ...]
    legend: tuple[tuple[str, str], ...]


def bars(places: Sequence[Place], *, beside: bool = False) -> tuple[tuple[Bar, ...], float]:
    """The bars, and the width of the drawing. Pieces stand on each other, with `beside` before
    each other: the larger comes first.
    """
    most = min(max((_height(place, beside) for place in places), default=0.0), _MOST)
    drawn = tuple(
        Bar(
            at * _WIDTH,
            _WIDTH,
            place.words,
            place.href,
            _pieces(place, at * _WIDTH + _GAP / 2, HEIGHT / most if most else 0.0, beside),
        )
        for at, place in enumerate(places)
    )
    return drawn, max(len(places), 1) * _WIDTH


def share(pieces: Sequence[Amount], most: float) -> tuple[Piece, ...]:
    """A bar that lies, as part of 100: for a line of a table."""
    found, x, most = list[Piece](), 0.0, min(most, _MOST)
    for piece in pieces:
        width = round(min(max(100 * piece.value / most, 0), 100), 2) if most > 0 else 0.0
        if width > 0:
            found.append(Piece(round(x, 2), 0, max(width, 1), 10, piece.tone))
        x += width
    return tuple(found)


def _height(place: Place, beside: bool) -> float:
    values = [piece.value for piece in place.pieces] or [0.0]
    return max(values) if beside else sum(values)


def _pieces(place: Place, x: float, scale: float, beside: bool) -> tuple[Piece, ...]:
    found, below = list[Piece](), 0.0
    for piece in place.pieces:
        height = max(round(min(piece.value * scale, HEIGHT), 2), _LEAST) if piece.value > 0 else 0.0
        if height:
            y = round(max(HEIGHT - below - height, 0), 2)
            found.append(Piece(x, y, _WIDTH - _GAP, height, piece.tone))
        below += 0 if beside else height
    if place.unknown:
        top = round(max(HEIGHT - below - 8, 0), 2)
        found.append(Piece(x, top, _WIDTH - _GAP, 6, "unknown"))
    return tuple(found)
