"""Copies of plain JSON values: what most steps are given and return, and so made quickly."""

import math
from typing import Any

MAX_CONTAINERS = 1_000_000
_MAX_DEPTH = 24
_LONG_INT = 2000  # bits; Python refuses to print integers from some length on


class NotPlain(Exception):
    """The value isn't JSON as it stands, or is too deep or too large for a quick copy."""


def printable(number: int) -> int:
    """The number; ValueError for one that JSON text can't be made of."""
    if number.bit_length() > _LONG_INT:
        str(number)
    return number


class Copier:
    """Copies one value. `numbers`: whether a number or bool was in it; `size`: characters of its
    strings, roughly.
    """

    __slots__ = ("_containers", "numbers", "size")

    def __init__(self) -> None:
        self.numbers = False
        self.size = 0
        self._containers = 0

    def copy(self, value: Any, depth: int = 0) -> Any:
        """A copy that shares no container with the value. Raises NotPlain, or what comes of a
        container that another thread changes meanwhile.
        """
        kind = type(value)
        if kind is str:
            self.size += len(value)
            return value
        if kind is not dict and kind is not list:
            return self._scalar(value, kind)
        self._containers += 1
        # Depth also ends what contains itself.
        if depth > _MAX_DEPTH or self._containers > MAX_CONTAINERS:
            raise NotPlain
        if kind is list:
            return [self.copy(item, depth + 1) for item in value]
        copied = {}
        size = 0
        for key, item in value.items():
            if type(key) is not str or key == "$t":
                raise NotPlain
            if type(item) is str:  # by far the most frequent
                size += len(item)
                copied[key] = item
            else:
                copied[key] = self.copy(item, depth + 1)
        self.size += size
        return copied

    def _scalar(self, value: Any, kind: type) -> Any:
        if value is None:
            return None
        if kind is int:
            printable(value)
        elif kind is float:
            if not math.isfinite(value):
                raise NotPlain
        elif kind is not bool:
            raise NotPlain
        self.numbers = True
        return value
