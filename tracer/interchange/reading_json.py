"""Typed reading of JSON from a file nobody vouches for: every surprise is a BadFileError."""

import json
from typing import Any

from tracer.errors import BadFileError

MAX_NESTING = 64
MAX_STRING = 16 << 20
_MAX_INT = 2**63 - 1


def parse(data: bytes, where: str, *, nesting: int = MAX_NESTING) -> Any:
    """JSON of bounded depth, with bounded strings and no NaN. `where` names it in the message."""
    try:
        # Recorded text may hold halves of characters; they were stored in this way.
        text = data.decode("utf-8", "surrogatepass")
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadFileError(f"{where} is no JSON as tracer writes it") from None
    check_bounds(value, where, nesting)
    return value


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def check_bounds(value: Any, where: str, nesting: int) -> None:
    """Refuse what is nested deeper than `nesting` or holds a string over the limit."""
    level = [value]
    for _ in range(nesting + 1):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
                inner += item.keys()
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, str) and len(item) > MAX_STRING:
                raise BadFileError(f"{where} holds a text over {MAX_STRING >> 20} MB")
        if not inner:
            return
        level = inner
    if any(isinstance(item, dict | list) for item in level):
        raise BadFileError(f"{where} is nested deeper than {nesting} levels")


class Fields:
    """An object of a file, read key by key with the type each must have."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise BadFileError(f"{where} is damaged: an object was expected")
        self._value: dict[str, Any] = value
        self._where = where

    def damaged(self, what: str) -> BadFileError:
        """The error to raise for something wrong with this object."""
        return BadFileError(f"{self._where} is damaged: {what}")

    def _bad(self, key: str, expected: str) -> BadFileError:
        return self.damaged(f"{key} is not {expected}")

    def as_dict(self) -> dict[str, Any]:
        """The object as it is."""
        return self._value

    def any(self, key: str) -> Any:
        """Whatever is there; None if nothing."""
        return self._value.get(key)

    def text(self, key: str) -> str:
        """A text."""
        value = self._value.get(key)
        if not isinstance(value, str):
            raise self._bad(key, "a text")
        return value

    def text_or_none(self, key: str) -> str | None:
        """A text, or null."""
        return None if self._value.get(key) is None else self.text(key)

    def word(self, key: str, allowed: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self.text(key)
        if value not in allowed:
            raise self._bad(key, f"one of {', '.join(allowed)}")
        return value

    def integer(self, key: str, *, least: int = 0) -> int:
        """A whole number that a database can hold."""
        value = self._value.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MAX_INT:
            raise self._bad(key, "a number in range")
        return value

    def integer_or_none(self, key: str) -> int | None:
        """The same, or null."""
        return None if self._value.get(key) is None else self.integer(key)

    def number_or_none(self, key: str) -> float | None:
        """A finite number, or null."""
        value = self._value.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
            raise self._bad(key, "a number")
        return float(value)

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._value.get(key)
        if not isinstance(value, bool):
            raise self._bad(key, "true or false")
        return value

    def list(self, key: str) -> list[Any]:
        """A list."""
        value = self._value.get(key)
        if not isinstance(value, list):
            raise self._bad(key, "a list")
        return value

    def object(self, key: str) -> dict[str, Any]:
        """An object."""
        value = self._value.get(key)
        if not isinstance(value, dict):
            raise self._bad(key, "an object")
        return value

    def fields(self, key: str) -> "Fields":
        """An object, to be read in the same way."""
        return Fields(self._value.get(key), f"{self._where} ({key})")

    def fields_or_none(self, key: str) -> "Fields | None":
        """The same, or null."""
        return None if self._value.get(key) is None else self.fields(key)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """A list of [name, value] texts."""
        found: list[tuple[str, str]] = []
        for item in self.list(key):
            if not (isinstance(item, list) and len(item) == 2):
                raise self._bad(key, "a list of pairs")
            if not all(isinstance(part, str) for part in item):
                raise self._bad(key, "a list of pairs of texts")
            found.append((item[0], item[1]))
        return tuple(found)
