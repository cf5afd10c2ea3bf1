"""JSON values as lines of coloured tokens, as many as a page can bear, and their shape in a word.

Walks only what is shown: a payload of any size costs what its first lines cost. Pure.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

LINES = 120
STRING = 2_000  # characters of one string shown in place
_SHAPE_ITEMS = 6
_SHAPE_STRING = 40
_DEPTH = 40
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a line. `kind`: key, string, number, word (true, false, null), cut, or ""."""

    kind: str
    text: str


Line = tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class JsonBlock:
    """A value ready to show. `hidden` = there are more lines than `lines`."""

    shape: str
    lines: tuple[Line, ...]
    hidden: bool


def json_block(value: Any, limit: int = LINES) -> JsonBlock:
    """The first `limit` lines of a JSON value."""
    lines = tuple(islice(_lines(value, "", "", (), 0), limit + 1))
    return JsonBlock(shape(value), lines[:limit], len(lines) > limit)


def shape(value: Any) -> str:
    """A value in one line: short ones whole, containers as `{count: 684, orders: Array(684)}`."""
    if isinstance(value, dict):
        parts = [
            f"{clip(str(key), _SHAPE_STRING)}: {_brief(item)}"
            for key, item in islice(value.items(), _SHAPE_ITEMS)
        ]
        more = len(value) - len(parts)
        return "{" + ", ".join(parts) + (f", … {more} more" if more > 0 else "") + "}"
    return _brief(value)


def scalar(value: Any) -> str | None:
    """JSON text of a value that is no container, None for containers."""
    return None if isinstance(value, (dict, list)) else dump(value)


def dump(value: Any) -> str:
    """Compact JSON text; what JSON has no word for (a NaN, an odd object) is written as it is."""
    try:
        return json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError):  # endless nesting, an integer of thousands of digits
        return f"<{type(value).__name__} that can't be written>"


def clip(text: str, length: int) -> str:
    """The first characters of a text; an ellipsis says that there is more."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return f"Object({len(value)})" if value else "{}"
    if isinstance(value, list):
        return f"Array({len(value)})" if value else "[]"
    return dump(clip(value, _SHAPE_STRING)) if isinstance(value, str) else dump(value)


def _lines(value: Any, indent: str, end: str, head: Line, depth: int) -> Iterator[Line]:
    start = (Token("", indent), *head) if indent else head
    if isinstance(value, (dict, list)) and value:
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        if depth >= _DEPTH:
            yield (*start, Token("cut", f"{opening} … nested deeper {closing}"), Token("", end))
            return
        yield (*start, Token("", opening))
        yield from _items(value, indent + _INDENT, depth + 1)
        yield (Token("", indent + closing + end),)
    else:
        yield (*start, *_leaf(value), *((Token("", end),) if end else ()))


def _items(value: dict[Any, Any] | list[Any], indent: str, depth: int) -> Iterator[Line]:
    last = len(value) - 1
    if isinstance(value, dict):
        for index, (key, item) in enumerate(value.items()):
            head = (Token("key", dump(clip(str(key), STRING))), Token("", ": "))
            yield from _lines(item, indent, "," if index < last else "", head, depth)
    else:
        for index, item in enumerate(value):
            yield from _lines(item, indent, "," if index < last else "", (), depth)


def _leaf(value: Any) -> Line:
    if isinstance(value, str):
        if len(value) <= STRING:
            return (Token("string", dump(value)),)
        cut = Token("cut", f" … {len(value):,} characters")
        return (Token("string", dump(value[:STRING])[:-1]), cut)
    if isinstance(value, bool) or value is None:
        return (Token("word", dump(value)),)
    if isinstance(value, (int, float)):
        return (Token("number", dump(value)),)
    return (Token("", dump(value)),)
