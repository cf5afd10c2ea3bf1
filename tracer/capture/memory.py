"""What a call changed in the program's own memory: its object, its arguments, names around it.

A tool answered from a recording does not run, so such a change would be missing then. It is noted
with the step, and said before a re-execution. Looking is bounded: the first items of containers, a
few levels deep; what other functions change on its behalf is not seen.
"""

import dis
import itertools
from collections.abc import Callable
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
        cells = getattr(function, "__closure__", None) or ()
        self._cells = tuple(zip(code.co_freevars if code is not None else (), cells, strict=False))
        self._names, self._written = _globals_of(code) if code is not None else ((), ())

    def look(self, named: dict[str, Any], first: Any) -> dict[str, int]:
        """A mark of each place; `named` are the arguments, `first` the object of a method."""
        places: dict[str, Any] = {
            f"its argument {name}": value
            for name, value in named.items()
            if isinstance(value, _CONTAINERS)
        }
        if self._bound is not None:
            for name, value in list(getattr(first, "__dict__", {}).items()):
                if not name.startswith("__"):
                    places[f"{self._bound}.{name}"] = value
        for name, cell in self._cells:
            try:
                places[name] = cell.cell_contents
            except ValueError:  # not set yet
                continue
        for name in self._names:
            value = self._globals.get(name)
            if isinstance(value, _CONTAINERS) or name in self._written:
                places[name] = value
        if len(places) > _MOST_PLACES:
            places = dict(itertools.islice(places.items(), _MOST_PLACES))
        return {place: mark_of(value) for place, value in places.items()}


def altered(copies: dict[str, Any], named: dict[str, Any]) -> list[str]:
    """The arguments that aren't equal any more to the copies made of them."""
    return [f"its argument {name}" for name, copy in copies.items() if copy != named[name]]


def changed(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """The places that differ, new ones too."""
    return [place for place, mark in after.items() if before.get(place) != mark]


def _globals_of(code: CodeType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The global names that a function's own code reads or writes, and those that it writes."""
    used: dict[str, set[str]] = {"LOAD_GLOBAL": set(), "STORE_GLOBAL": set()}
    for instruction in dis.get_instructions(code):
        if instruction.opname in used:
            used[instruction.opname].add(str(instruction.argval))
    read, written = used["LOAD_GLOBAL"], used["STORE_GLOBAL"]
    names = tuple(name for name in code.co_names if name in read | written)
    return names, tuple(name for name in names if name in written)


def mark_of(value: Any) -> int:
    """A mark of one value, as `Watch.look` makes it of each place."""
    return _mark(value, [_MOST_ITEMS], 0)


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
