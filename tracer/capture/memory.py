"""What a call changed in the program's own memory: its object, its arguments, names around it.

A tool answered from a recording does not run, so such a change would be missing then. It is noted
with the step, and said before a re-execution. Looking is bounded: the first items of containers, a
few levels deep; what other functions change on its behalf is not seen.
"""

import dis
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

_MOST_ITEMS = 100  # of each place that is looked at
_MOST_PLACES = 30
_DEPTH = 8
_CONTAINERS = (list, dict, set, bytearray)
_PLAIN = (str, int, float, bool, bytes, type(None))


class Watch:
    """The places one function can reach; made once for each decorated function."""

    def __init__(self, function: Callable[..., Any], bound: str | None) -> None:
        self._bound = bound  # "self" or "cls", when the first parameter is that
        code: CodeType | None = getattr(function, "__code__", None)
        self._globals: dict[str, Any] = getattr(function, "__globals__", {})
        self._cells = tuple(getattr(function, "__closure__", None) or ())
        self._free = code.co_freevars if code is not None else ()
        self._read = tuple(code.co_names) if code is not None else ()
        self._written = frozenset(_stored_globals(code)) if code is not None else frozenset()

    def look(self, named: dict[str, Any], first: Any) -> dict[str, int]:
        """A mark of each place; `named` are the arguments, `first` the object of a method."""
        return {
            place: _mark(value, [_MOST_ITEMS], 0)
            for (place, value), _ in zip(
                self._places(named, first), range(_MOST_PLACES), strict=False
            )
        }

    def _places(self, named: dict[str, Any], first: Any) -> Iterator[tuple[str, Any]]:
        for name, value in named.items():
            if isinstance(value, _CONTAINERS):
                yield f"its argument {name}", value
        if self._bound is not None:
            for name, value in list(getattr(first, "__dict__", {}).items()):
                if not name.startswith("__"):
                    yield f"{self._bound}.{name}", value
        for name, cell in zip(self._free, self._cells, strict=False):
            try:
                yield name, cell.cell_contents
            except ValueError:  # not set yet
                continue
        for name in self._read:
            value = self._globals.get(name)
            if isinstance(value, _CONTAINERS) or name in self._written:
                yield name, value


def changed(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """The places that differ, new ones too."""
    return [place for place, mark in after.items() if before.get(place) != mark]


def _stored_globals(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "STORE_GLOBAL":
            yield str(instruction.argval)


def _mark(value: Any, left: list[int], depth: int) -> int:
    """A hash of a value's beginning; objects count by identity alone."""
    kind = type(value)
    if kind in _PLAIN:
        return hash((kind, value))
    if kind not in (*_CONTAINERS, tuple, frozenset) or depth >= _DEPTH:
        return hash((kind, id(value)))
    marks: list[Any] = [kind, len(value)]
    if kind is bytearray:
        return hash((kind, bytes(value[:4096]), len(value)))
    items = value.items() if kind is dict else value
    unordered = 0
    for item in list(items) if kind in (set, frozenset) else items:
        if left[0] <= 0:
            break
        left[0] -= 1
        mark = _mark(item, left, depth + 1)
        if kind in (set, frozenset):
            unordered ^= mark
        else:
            marks.append(mark)
    return hash((*marks, unordered))
