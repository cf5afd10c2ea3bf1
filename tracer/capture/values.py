"""Python values as tagged JSON and back: what tools are given and return, without pickle.

JSON values stand for themselves. Other types are `{"$t": tag, ...}`: bytes, datetime, date, time,
timedelta, decimal, uuid, path, set, frozenset, tuple, float (nan, inf), enum, object (dataclass,
pydantic model: a display name and fields), dict (keys that aren't strings, or a `$t` key) and
opaque (anything else: a class name and a short repr). Nothing named in the data is ever imported:
objects are rebuilt only from the return annotation of the user's own function (`rebuild.py`).
"""

import base64
import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import uuid
from collections.abc import Callable
from typing import Any

from tracer.model.records import Fidelity

MAX_DEPTH = 64
MAX_REPR = 200
_PLAIN = (str, int, bool, type(None))


class _Encoder:
    """One encoding; remembers whether something in it was an object or could not be encoded."""

    def __init__(self) -> None:
        self.fidelity: Fidelity = "exact"

    def encode(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$t": "float", "v": repr(value)}
        if depth > MAX_DEPTH:
            return self._opaque(value)
        if kind is list:
            return [self.encode(item, depth + 1) for item in value]
        if kind is dict:
            return self._mapping(value, depth)
        tagged = _SIMPLE.get(kind)
        if tagged is not None:
            return tagged(value)
        if kind in (tuple, set, frozenset):
            items = [self.encode(item, depth + 1) for item in value]
            return {"$t": kind.__name__, "v": items}
        return self._object(value, depth)

    def _mapping(self, value: dict[Any, Any], depth: int) -> Any:
        if "$t" not in value and all(type(key) is str for key in value):
            return {key: self.encode(item, depth + 1) for key, item in value.items()}
        pairs = [
            [self.encode(key, depth + 1), self.encode(item, depth + 1)]
            for key, item in value.items()
        ]
        return {"$t": "dict", "v": pairs}

    def _object(self, value: Any, depth: int) -> Any:
        if isinstance(value, enum.Enum):
            self._lower("lossy")
            inner = self.encode(value.value, depth + 1)
            return {"$t": "enum", "c": type(value).__qualname__, "n": value.name, "v": inner}
        if isinstance(value, pathlib.PurePath):
            return {"$t": "path", "v": str(value)}
        fields = _fields_of(value)
        if fields is None:
            return self._subclass(value, depth)
        self._lower("lossy")
        encoded = {name: self.encode(item, depth + 1) for name, item in fields.items()}
        return {"$t": "object", "c": type(value).__qualname__, "v": encoded}

    def _subclass(self, value: Any, depth: int) -> Any:
        """An instance of a subclass of a JSON type (numpy scalar, defaultdict) as its base."""
        for base in (str, bool, int, float, dict, list):
            if isinstance(value, base):
                self._lower("lossy")
                return self.encode(base(value), depth + 1)
        return self._opaque(value)

    def _opaque(self, value: Any) -> Any:
        self.fidelity = "opaque"
        try:
            text = repr(value)[:MAX_REPR]
        except Exception:  # a broken __repr__ is the agent's business, not a fault of ours
            text = "<no repr>"
        return {"$t": "opaque", "c": type(value).__qualname__, "v": text}

    def _lower(self, to: Fidelity) -> None:
        if self.fidelity == "exact":
            self.fidelity = to


_SIMPLE: dict[type, Callable[[Any], Any]] = {
    bytes: lambda v: {"$t": "bytes", "v": base64.b64encode(v).decode()},
    bytearray: lambda v: {"$t": "bytearray", "v": base64.b64encode(v).decode()},
    datetime.datetime: lambda v: {"$t": "datetime", "v": v.isoformat()},
    datetime.date: lambda v: {"$t": "date", "v": v.isoformat()},
    datetime.time: lambda v: {"$t": "time", "v": v.isoformat()},
    datetime.timedelta: lambda v: {"$t": "timedelta", "v": [v.days, v.seconds, v.microseconds]},
    decimal.Decimal: lambda v: {"$t": "decimal", "v": str(v)},
    uuid.UUID: lambda v: {"$t": "uuid", "v": str(v)},
}


def _fields_of(value: Any) -> dict[str, Any] | None:
    """Fields of a dataclass instance, named tuple or pydantic model; None for anything else."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name, None) for f in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=False))
    fields = getattr(type(value), "model_fields", None)
    if isinstance(fields, dict) and hasattr(value, "model_dump"):
        extra = getattr(value, "model_extra", None) or {}
        return {name: getattr(value, name, None) for name in fields} | dict(extra)
    return None


def encode(value: Any) -> tuple[bytes, Fidelity]:
    """Tagged JSON of a value, as UTF-8, and how much of it survives.

    `exact`: decodes to an equal value by itself; `lossy`: objects inside need the annotation of
    the function that returned them; `opaque`: something inside could not be stored. Never raises.
    """
    encoder = _Encoder()
    try:
        tree = encoder.encode(value)
        text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "surrogatepass"), encoder.fidelity
    except Exception:  # mutated while being read by another thread, a hostile __getattr__, ...
        fallback = {"$t": "opaque", "c": type(value).__qualname__, "v": "<could not be read>"}
        return json.dumps(fallback).encode(), "opaque"


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "bytes": base64.b64decode,
    "bytearray": lambda v: bytearray(base64.b64decode(v)),
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda v: datetime.timedelta(*v),
    "decimal": decimal.Decimal,
    "uuid": uuid.UUID,
    "path": pathlib.Path,
    "float": float,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Fields:
    """A stored object as its fields; becomes the user's class only through an annotation."""

    class_name: str
    fields: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class EnumMember:
    """A stored enum member; becomes one again only through an annotation."""

    class_name: str
    name: str
    value: Any


@dataclasses.dataclass(frozen=True, slots=True)
class Opaque:
    """What could not be stored: a class name and the start of its repr."""

    class_name: str
    text: str


def decode(data: bytes) -> Any:
    """The value of tagged JSON; objects come back as `Fields`, `EnumMember`, `Opaque`.

    Raises ValueError for what isn't tagged JSON (a damaged or hostile file).
    """
    try:
        return _decode(json.loads(data.decode("utf-8", "surrogatepass")))
    except (KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"not a stored value: {error}") from None


def _decode(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_decode(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "$t" not in tree:
        return {key: _decode(item) for key, item in tree.items()}
    tag, value = tree["$t"], tree["v"]
    if tag in _DECODERS:
        return _DECODERS[tag](value)
    if tag == "tuple":
        return tuple(_decode(item) for item in value)
    if tag in ("set", "frozenset"):
        items = [_decode(item) for item in value]
        return set(items) if tag == "set" else frozenset(items)
    if tag == "dict":
        return {_decode(key): _decode(item) for key, item in value}
    if tag == "enum":
        return EnumMember(str(tree["c"]), str(tree["n"]), _decode(value))
    if tag == "object":
        return Fields(str(tree["c"]), {key: _decode(item) for key, item in value.items()})
    if tag == "opaque":
        return Opaque(str(tree["c"]), str(value))
    raise ValueError(f"unknown tag {tag!r}")


def plain(data: bytes) -> Any:
    """Tagged JSON as plain JSON for people and `--json`: tags become what they stand for."""
    try:
        tree = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")
    return _plain(tree)


def _plain(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_plain(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "$t" not in tree or "v" not in tree:
        return {key: _plain(item) for key, item in tree.items()}
    value = tree["v"]
    if tree["$t"] == "dict" and isinstance(value, list):
        pairs = (pair for pair in value if isinstance(pair, list) and len(pair) == 2)
        return {_key(_plain(key)): _plain(item) for key, item in pairs}
    if tree["$t"] == "opaque":
        return f"<{tree.get('c')}: {value}>"
    return _plain(value)


def _key(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
