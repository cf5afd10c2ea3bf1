"""The wall clock as `datetime.now`, `utcnow` and `date.today` read it. The classes stay.

These methods read the system's clock in C. Their entries in the classes are exchanged for ones
that give functions of ours, which look like theirs; what was bound before (a `default_factory`) is
found and switched once. Both stay from then on; outside runs they read the real clock.
"""

import copy
import ctypes
import gc
import sys
import warnings
import weakref
from collections.abc import Callable
from datetime import UTC, date, datetime
from types import BuiltinFunctionType
from typing import Any

from tracer.capture.ambient import reads
from tracer.capture.ambient.clock import real_now
from tracer.capture.ambient.reads import moment
from tracer.capture.ambient.swap import Builtin, Unswitchable, bound

_OWN: dict[str, Any] = {}  # entries of the classes as they were
_UTCNOW_WARNS = sys.version_info >= (3, 12)
_modified = ctypes.pythonapi["PyType_Modified"]
_modified.argtypes, _modified.restype = [ctypes.py_object], None


def _now(self: Any, *args: Any, **kwargs: Any) -> Any:
    if not reads.watching or len(args) + len(kwargs) > 1 or (kwargs and "tz" not in kwargs):
        return self.real(*args, **kwargs)
    now = moment(real_now)
    if now is None:
        return self.real(*args, **kwargs)
    return _from(self.cls, now, *args, **kwargs)


def _utcnow(self: Any, *args: Any, **kwargs: Any) -> Any:
    if args or kwargs:
        return self.real(*args, **kwargs)
    if _UTCNOW_WARNS:  # said here, because it names who called
        warnings.warn(
            "datetime.datetime.utcnow() is deprecated and scheduled for removal in a future "
            "version. Use timezone-aware objects to represent datetimes in UTC: "
            "datetime.datetime.now(datetime.UTC).",
            DeprecationWarning,
            stacklevel=2,
        )
    now = moment(real_now)
    return datetime.replace(_from(self.cls, real_now() if now is None else now, UTC), tzinfo=None)


def _today(self: Any, *args: Any, **kwargs: Any) -> Any:
    now = None if args or kwargs or not reads.watching else moment(real_now)
    return self.real(*args, **kwargs) if now is None else self.cls.fromtimestamp(now / 1e9)


def _from(cls: type[datetime], now: int, *args: Any, **kwargs: Any) -> Any:
    """The moment in a class and time zone, cut to microseconds as the clock's readers do."""
    make = _OWN["fromtimestamp"].__get__(None, cls)
    return make(now // 1000 / 1e6, *args, **kwargs)


_CALLS: dict[str, tuple[type, Callable[..., Any]]] = {
    "now": (datetime, _now),
    "utcnow": (datetime, _utcnow),
    "today": (date, _today),
}


def _stand_in(name: str, cls: type) -> Any:
    """What a method is bound to instead of the class; prints and pickles as the class would."""
    members = {
        "__call__": _CALLS[name][1],
        "__qualname__": cls.__qualname__,
        "__reduce__": lambda self: (copy.copy, (self.cls,)),  # gives the class itself
    }
    made = type("type", (), members)()
    made.cls = cls
    made.real = _OWN[name].__get__(None, cls)
    return made


class _Entry:
    """Stands in a class where its method stood."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._of = _CALLS[name][0]
        self.plain = self._make(self._of)
        self._others: weakref.WeakKeyDictionary[type, BuiltinFunctionType] = (
            weakref.WeakKeyDictionary()
        )

    def __get__(self, instance: object, owner: type | None = None) -> BuiltinFunctionType:
        cls = type(instance) if owner is None else owner
        if cls is self._of:
            return self.plain
        found = self._others.get(cls)
        if found is None:
            found = self._others[cls] = self._make(cls)
        return found

    def _make(self, cls: type) -> BuiltinFunctionType:
        return bound(_OWN[self._name].__get__(None, cls), _stand_in(self._name, cls))


def put_in_place() -> Callable[[], None]:
    """Exchange the entries, for good; what takes it all back. Raises Unswitchable."""
    _OWN["fromtimestamp"] = datetime.__dict__["fromtimestamp"]
    for name, (cls, _) in _CALLS.items():
        _OWN[name] = cls.__dict__[name]
    switches = _bound_before()
    entries = {name: _Entry(name) for name in _CALLS}
    for switch in switches:
        switch.on()
    _put(entries)

    def take_back() -> None:
        _put({name: _OWN[name] for name in entries})
        for switch in switches:
            switch.off()

    if not all(getattr(_CALLS[name][0], name) is one.plain for name, one in entries.items()):
        take_back()
        raise Unswitchable("classes of datetime don't show what was put into them")
    return take_back


def _put(entries: dict[str, Any]) -> None:
    for name, entry in entries.items():
        cls = _CALLS[name][0]
        # The dictionary behind the read-only view that `__dict__` gives.
        (members,) = gc.get_referents(cls.__dict__)
        members[name] = entry
        _modified(cls)
    _modified(datetime)


def _bound_before() -> list[Builtin]:
    """Methods that were taken from the classes before: `default_factory=datetime.now`."""
    found = []
    for one in gc.get_referrers(datetime, date):
        if type(one) is BuiltinFunctionType and one.__name__ in _CALLS:
            cls: Any = one.__self__
            found.append(Builtin(one, _stand_in(one.__name__, cls)))
    return found
