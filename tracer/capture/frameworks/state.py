"""What a tool changes in the objects a framework hands it (state, dependencies, session).

A tool answered from a recording does not run, so what it wrote there would be missing in what
follows. Plain data is kept with the step and put back when it is answered; anything else that
changed is named with the step, as other changes of memory are.
"""

import itertools
import re
from collections.abc import Callable
from typing import Any

from tracer.capture.memory import mark_of
from tracer.capture.values import encode_whole, fields_of

_ADDRESS = re.compile(rb"0x[0-9a-f]+")
_MOST = 50  # attributes or keys of one object
_MOST_ITEMS = 5000  # of one of them: it is written down twice at each call
_LONG = 100  # characters that count as an item


class State:
    """The attributes, or the keys, of some objects, by a name for each."""

    def __init__(self, **objects: Any) -> None:
        self._objects = objects
        self._before = {name: _marks(_slots_of(_now(obj))) for name, obj in objects.items()}

    def kept(self) -> tuple[dict[str, dict[str, Any]], list[str]]:
        """What is different now and can be put back, and the places of what can't."""
        found: dict[str, dict[str, Any]] = {}
        lost: list[str] = []
        for name, obj in self._objects.items():
            slots = _slots_of(_now(obj))
            for slot, (mark, exact) in _marks(slots).items():
                if self._before[name].get(slot) == (mark, exact):
                    continue
                if exact:
                    found.setdefault(name, {})[slot] = slots[slot]
                else:
                    lost.append(f"{name}.{slot}")
        return found, lost

    def restore(self, kept: Any) -> None:
        """Put back what another process kept; what doesn't fit is left."""
        for name, slots in kept.items():
            if name in self._objects:
                for slot, value in slots.items():
                    _put(_now(self._objects[name]), slot, value)


class Changing:
    """An object that is replaced when it changes: where to look for it."""

    def __init__(self, look: Callable[[], Any]) -> None:
        self.look = look


def _now(obj: Any) -> Any:
    return obj.look() if isinstance(obj, Changing) else obj


def _slots_of(obj: Any) -> dict[str, Any]:
    slots = obj if isinstance(obj, dict) else getattr(obj, "__dict__", None) or {}
    named = ((name, value) for name, value in list(slots.items()) if isinstance(name, str))
    return dict(itertools.islice(named, _MOST))


def _marks(slots: dict[str, Any]) -> dict[str, tuple[Any, bool]]:
    marks: dict[str, tuple[Any, bool]] = {}
    for name, value in slots.items():
        if not _is_small(value):
            marks[name] = (mark_of(value), False)
            continue
        made = encode_whole(value)
        exact = made.fidelity == "exact"
        # A copy of an object is no change, and its text may tell where in memory it is.
        marks[name] = (made.data if exact else _ADDRESS.sub(b"", made.data), exact)
    return marks


def _is_small(value: Any) -> bool:
    """Whether a value can be written down in no time; only as much of it is looked at."""
    left, waiting = _MOST_ITEMS, [value]
    while waiting and left > 0:
        one = waiting.pop()
        left -= 1
        if isinstance(one, str | bytes | bytearray):
            left -= len(one) // _LONG
        elif isinstance(one, list | tuple | set | frozenset | dict):
            left -= len(one)
            if left > 0:
                waiting += one.values() if isinstance(one, dict) else one
        elif (fields := fields_of(one)) is not None:
            waiting += fields.values()
    return left > 0


def _put(obj: Any, slot: str, value: Any) -> None:
    """Set it, in place where it is a container that others may hold too."""
    slots = obj if isinstance(obj, dict) else getattr(obj, "__dict__", {})
    now = slots.get(slot)
    if isinstance(now, list) and isinstance(value, list):
        now[:] = value
    elif isinstance(now, dict | set) and type(now) is type(value):
        now.clear()
        now.update(value)
    else:
        slots[slot] = value
