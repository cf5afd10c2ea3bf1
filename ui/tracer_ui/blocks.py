"""Recorded text and values as blocks a page can show, within the room a page has. Pure.

A fragment stays small whatever a payload weighs: a `Room` is spent as blocks are made, and what
no longer fits is shown as its first words with a link to the rest.
"""

import json
from dataclasses import dataclass
from typing import Any

from tracer_ui.formats import plural
from tracer_ui.jsonlines import JsonBlock, clip, dump, json_block, shape

WHOLE = 4_000  # characters of a text shown without a fold
HEAD_LINES, TAIL_LINES = 60, 20
HEAD_CHARS, TAIL_CHARS = 3_000, 1_000
_JSON_TEXT = 1_000_000  # longer strings aren't tried as JSON
_DIGITS = 4_000


@dataclass(slots=True)
class Room:
    """What may still be put on a page: characters of text, lines of JSON."""

    chars: int = 24_000
    lines: int = 360

    @property
    def full(self) -> bool:
        """Whether nothing more fits but first words."""
        return self.chars <= 0 or self.lines <= 0


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A text: whole in `head`, or `head`, a gap described by `gap`, and `tail`."""

    head: str
    gap: str = ""
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """One payload to show: exactly one of `text` and `json`. `brief` is it in one line.

    `more` is True when a part of it isn't on the page; `part` then addresses the whole.
    """

    brief: str
    text: TextBlock | None = None
    json: JsonBlock | None = None
    part: str = ""
    more: bool = False


def text_block(text: str, room: Room, part: str = "") -> Block:
    """A text with its middle folded when it is long."""
    brief = clip(" ".join(text[:400].split()), 160)
    whole = min(WHOLE, max(room.chars, 200))
    if len(text) <= whole and text.count("\n") <= HEAD_LINES + TAIL_LINES:
        room.chars -= len(text)
        return Block(brief, TextBlock(text), part=part)
    head = _first(text, HEAD_LINES, min(HEAD_CHARS, whole))
    tail = _last(text[len(head) :], TAIL_LINES, min(TAIL_CHARS, whole // 3))
    hidden = text[len(head) : len(text) - len(tail)]
    room.chars -= len(head) + len(tail)
    return Block(brief, TextBlock(head, _gap(hidden), tail), part=part, more=True)


def value_block(value: Any, room: Room, part: str = "") -> Block:
    """A JSON value; a string that holds a JSON document is shown as that document."""
    if isinstance(value, str):
        document = embedded(value)
        if document is None:
            return text_block(value, room, part)
        value = document
    block = json_block(value, max(min(room.lines, 120), 1))
    room.lines -= len(block.lines)
    room.chars -= sum(len(token.text) for line in block.lines for token in line)
    return Block(clip(block.shape, 160), json=block, part=part, more=block.hidden)


def embedded(text: str) -> Any | None:
    """The object or array a string holds as JSON text, None when it holds none."""
    if len(text) > _JSON_TEXT or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list)) else None


def one_line(value: Any) -> str:
    """A value in one line, for a row or a summary."""
    return clip(" ".join(value[:400].split()), 160) if isinstance(value, str) else shape(value)


def short_json(value: Any) -> str | None:
    """Compact JSON when it fits in one line of a list of arguments, else None."""
    if isinstance(value, (dict, list)) and len(value) > 8:
        return None
    text = dump(value)
    return text if len(text) <= 100 else None


def _integer(digits: str) -> int | str:
    # Python refuses to read or print integers of more than 4,300 digits.
    return int(digits) if len(digits) < _DIGITS else digits


def _first(text: str, lines: int, chars: int) -> str:
    head = text[:chars]
    pieces = head.split("\n")
    return head if len(pieces) <= lines else "\n".join(pieces[:lines])


def _last(text: str, lines: int, chars: int) -> str:
    tail = text[max(len(text) - chars, 0) :]
    pieces = tail.split("\n")
    return tail if len(pieces) <= lines else "\n".join(pieces[-lines:])


def _gap(hidden: str) -> str:
    lines = hidden.count("\n")
    if lines > 1:
        return f"{plural(lines, 'line')} folded"
    return f"{plural(len(hidden), 'character')} folded"
