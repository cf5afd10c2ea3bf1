"""Values of the program as short text, without running any of the program's code.

No `__repr__`, `__str__`, `__iter__` or property of a user's class is called: one may raise, take
for ever or ask a database. Objects are shown as their class and attributes, containers by their
first items. What is named like a secret is not shown.
"""

import sys
from collections import deque
from itertools import islice
from types import (
    BuiltinFunctionType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

from tracer.capture import config, redact
from tracer.core.marks import REDACTED

_DEPTH = 4
_OBJECT_DEPTH = 2  # of objects in objects
_ITEMS = 20
_PLAIN = (int, float, complex, bool, type(None), type(Ellipsis), range, slice)
# Classes of the standard library whose own text is short, true and harmless.
_TRUSTED = {
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "uuid": ("UUID",),
    "pathlib": ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path"),
    "ipaddress": ("IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network"),
    "re": ("Pattern",),
}
_LISTS: tuple[tuple[type, str, str], ...] = (
    (list, "[", "]"), (tuple, "(", ")"), (set, "{", "}"), (frozenset, "{", "}"), (deque, "[", "]"),
)  # fmt: skip
_qualname = type.__dict__["__qualname__"].__get__
_mro = type.__dict__["__mro__"].__get__
_namespace = type.__dict__["__dict__"].__get__
_arguments = BaseException.__dict__["args"].__get__


def shown(value: Any, chars: int = 500) -> str:
    """A value in about so many characters. Never raises."""
    try:
        return _Showing(chars).of(value, 0)
    except Exception:  # changed by another thread while it was looked at
        return f"<{class_name(value)}>"


def class_name(value: Any) -> str:
    """The name of a value's class, whatever the class says."""
    return str(_qualname(type(value)))


def exception_text(error: BaseException) -> str:
    """`ValueError: bad order`, without calling the exception."""
    arguments = _arguments(error)
    words = ", ".join(_word(one) for one in arguments[:5])
    return f"{class_name(error)}: {words}" if words else class_name(error)


def _word(value: Any) -> str:
    return str(value) if type(value) is str else shown(value)


class _Safe:
    """Stands in for an argument of a message, so that formatting calls nothing of its class."""

    __slots__ = ("_text",)

    def __init__(self, value: Any) -> None:
        self._text = exception_text(value) if _is(value, BaseException) else shown(value)

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def filled(message: Any, arguments: Any) -> str:
    """A log record's message with its arguments filled in; where they don't fit, beside it."""
    text: str = message if type(message) is str else str(_Safe(message))
    if not arguments:
        return text
    if type(arguments) is dict:
        safe: Any = {name: _safe(value) for name, value in arguments.items()}
    else:
        safe = tuple(_safe(value) for value in arguments)
    try:
        return str(text % safe)
    except Exception:  # the program's mistake: what it meant is all here
        return f"{text} {shown(arguments)}"


def _safe(value: Any) -> Any:
    kind = type(value)
    return value if kind is str or kind in _PLAIN else _Safe(value)


class _Showing:
    """One text under way; `_room` is how much may still be said."""

    def __init__(self, room: int) -> None:
        self._room = room

    def of(self, value: Any, depth: int) -> str:
        """A value at some depth of another."""
        if self._room <= 0:
            return "…"
        text = self._text_of(value, depth)
        self._room -= min(len(text), 40)  # what is inside was counted already
        return text

    def _text_of(self, value: Any, depth: int) -> str:
        kind = type(value)
        if kind is int:
            return repr(value) if value.bit_length() < 4000 else f"<{value.bit_length()} bit int>"
        if kind in _PLAIN:
            return repr(value)
        if _is(value, str):
            return self._string(str.__str__(value))
        if _is(value, bytes | bytearray):
            size = bytes.__len__(value) if _is(value, bytes) else bytearray.__len__(value)
            return self._cut(repr(bytes(memoryview(value)[: self._room])), size, "bytes")
        if _is_trusted(kind):
            return self._string_free(repr(value))
        if depth >= _DEPTH:
            return f"<{class_name(value)}>"
        if _is(value, dict):
            return self._mapping(value, kind, depth)
        for base, left, right in _LISTS:
            if _is(value, base):
                return self._items(value, base, left, right, depth)
        return self._object(value, depth)

    def _string(self, text: str) -> str:
        if len(text) <= self._room:
            self._room -= len(text)
            return repr(redact.text(text))
        clean = redact.without_secrets_at(text, self._room)
        cut = repr(redact.text(clean[: self._room]))
        return self._cut(cut, len(text), "characters")

    def _cut(self, text: str, size: int, unit: str) -> str:
        if size <= self._room:
            self._room -= size
            return text
        self._room = 0
        return f"{text}… ({size:,} {unit})"

    def _string_free(self, text: str) -> str:
        return text if len(text) <= 200 else text[:200] + "…"

    def _mapping(self, value: Any, kind: type, depth: int) -> str:
        size = dict.__len__(value)
        pairs = []
        for key, item in islice(dict.items(value), _ITEMS):
            if self._room <= 0:
                break
            pairs.append(f"{self.of(key, depth + 1)}: {self._named(_name(key), item, depth)}")
        inner = ", ".join(pairs) + _more(size - len(pairs), pairs)
        return f"{{{inner}}}" if kind is dict else f"{_qualname(kind)}({{{inner}}})"

    def _items(self, value: Any, base: Any, left: str, right: str, depth: int) -> str:
        size = base.__len__(value)
        texts: list[str] = []
        for item in islice(base.__iter__(value), _ITEMS):
            if self._room <= 0:
                break
            texts.append(self.of(item, depth + 1))
        inner = ", ".join(texts) + _more(size - len(texts), texts)
        if base is tuple and size == 1:
            inner += ","
        text = f"{left}{inner}{right}"
        if type(value) in (list, tuple) or (type(value) is set and size):
            return text
        return f"{class_name(value)}({text if size else ''})"

    def _object(self, value: Any, depth: int) -> str:
        special = _special(value)
        if special is not None:
            return special
        if _is(value, BaseException):
            arguments = (self.of(one, depth + 1) for one in _arguments(value)[:5])
            return f"{class_name(value)}({', '.join(arguments)})"
        if depth >= _OBJECT_DEPTH:
            return f"<{class_name(value)}>"
        attributes = _attributes(value)
        if "_name_" in attributes and "_value_" in attributes:  # a member of an Enum
            return f"{class_name(value)}.{attributes['_name_']}"
        texts: list[str] = []
        for name, item in islice(attributes.items(), _ITEMS):
            if self._room <= 0:
                break
            texts.append(f"{name}={self._named(name, item, depth)}")
        if not texts:
            return f"<{class_name(value)}>"
        return (
            f"{class_name(value)}({', '.join(texts)}{_more(len(attributes) - len(texts), texts)})"
        )

    def _named(self, name: str, value: Any, depth: int) -> str:
        return hidden(name, value) or self.of(value, depth + 1)


def hidden(name: str, value: Any) -> str | None:
    """What stands for a value whose name says that it is secret; None for others."""
    if name.lower() in config.get().redact.fields:
        return REDACTED
    if _is(value, bool | int | float | None) or not redact.is_secret_name(name):
        return None
    return REDACTED


def _name(key: Any) -> str:
    if _is(key, bytes):
        return bytes(key).decode("latin-1")
    return str.__str__(key) if _is(key, str) else ""


def _more(count: int, texts: list[str]) -> str:
    return "" if count <= 0 else f"{', ' if texts else ''}… {count:,} more"


def _is_trusted(kind: type) -> bool:
    return any(
        getattr(sys.modules.get(module), name, None) is kind
        for module, names in _TRUSTED.items()
        for name in names
    )


def _is(value: Any, base: Any) -> bool:
    """`isinstance` by the real class: a class may answer otherwise, by code of its own."""
    return issubclass(type(value), base)


def _special(value: Any) -> str | None:
    """What has a name of its own, and what is better not looked into."""
    if _is(value, ModuleType):
        return f"<module {ModuleType.__getattribute__(value, '__name__')}>"
    if _is(value, type):
        return f"<class {_qualname(value)}>"
    if _is(value, FunctionType | BuiltinFunctionType):
        return f"<function {value.__qualname__}>"
    if _is(value, MethodType):
        called = value.__func__
        name = called.__name__ if _is(called, FunctionType) else class_name(called)
        return f"<method {class_name(value.__self__)}.{name}>"
    logging: Any = sys.modules.get("logging")
    if logging is not None and _is(value, logging.Logger):
        return f"<logger {object.__getattribute__(value, 'name')}>"
    name = class_name(value)
    if name == "_Environ":
        return "<environment variables>"  # their values are nobody's business
    arrays: Any = sys.modules.get("numpy")
    if arrays is not None and type(value) is getattr(arrays, "ndarray", None):
        return f"<ndarray {value.shape} {value.dtype}>"
    return None


def _attributes(value: Any) -> dict[str, Any]:
    """Instance attributes as they are stored, those in slots too."""
    found: dict[str, Any] = {}
    try:
        own = object.__getattribute__(value, "__dict__")
    except Exception:  # none, or a property of that name
        own = None
    for kind in _mro(type(value)):
        for name, descriptor in _namespace(kind).items():
            if _is(descriptor, MemberDescriptorType) and not name.startswith("__"):
                try:
                    found[name] = descriptor.__get__(value)
                except Exception:  # not set
                    continue
    if type(own) is dict:
        found |= {str(name): item for name, item in own.items() if not str(name).startswith("__")}
    return found
