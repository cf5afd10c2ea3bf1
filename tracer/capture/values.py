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

from tracer.capture.plaincopy import MAX_CONTAINERS, Copier, NotPlain, printable
from tracer.core.records import Fidelity

MAX_DEPTH = 64
MAX_REPR = 200
_PLAIN = (str, int, bool, type(None))


class _Encoder:
    """One encoding; remembers whether something in it was an object or could not be encoded.

    `degraded`: something was stored as less than it was (a subclass as its base), so what comes
    back is equal at best. `size`: characters of its strings, roughly.
    """

    def __init__(self) -> None:
        self.fidelity: Fidelity = "exact"
        self.degraded = False
        self.size = 0
        self._nodes = 0
        self._around: set[int] = set()  # the containers around the value being encoded

    def encode(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            if kind is str:
                self.size += len(value)
            elif kind is int:
                printable(value)
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$t": "float", "v": repr(value)}
        tagged = _SIMPLE.get(kind)
        if tagged is not None:
            return tagged(value)
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_CONTAINERS:
            return self._opaque(value, "<too deep or too large>")
        if id(value) in self._around:
            return self._opaque(value, "<contains itself>")
        self._around.add(id(value))
        tree = self._container(value, kind, depth)
        self._around.discard(id(value))
        return tree

    def _container(self, value: Any, kind: type, depth: int) -> Any:
        if kind is list:
            return [self.encode(item, depth + 1) for item in value]
        if kind is dict:
            return self._mapping(value, depth)
        if kind is tuple:
            return {"$t": "tuple", "v": [self.encode(item, depth + 1) for item in value]}
        if kind in (set, frozenset):
            items = [self.encode(item, depth + 1) for item in value]
            # A set has no order of its own: equal sets get equal bytes, whatever the hash seed.
            return {"$t": kind.__name__, "v": sorted(items, key=json.dumps)}
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
            if type(value) is not type(pathlib.Path()):
                self._degrade()
            return {"$t": "path", "v": str(value)}
        if type(value) in (datetime.datetime, datetime.time):
            return self._time(value)
        fields = fields_of(value)
        if fields is None:
            return self._subclass(value, depth)
        self._lower("lossy")
        encoded = {name: self.encode(item, depth + 1) for name, item in fields.items()}
        tree = {"$t": "object", "c": type(value).__qualname__, "v": encoded}
        given = getattr(value, "model_fields_set", None)
        if isinstance(given, set) and given != set(fields):
            # pydantic models remember what was set; SDKs send only that.
            tree["s"] = sorted(given)
        return tree

    def _time(self, value: Any) -> Any:
        # A zone's name and the second of two equal hours are not in the ISO form.
        if value.fold or not isinstance(value.tzinfo, datetime.timezone | None):
            self._degrade()
        return {"$t": type(value).__name__, "v": value.isoformat()}

    def _subclass(self, value: Any, depth: int) -> Any:
        """An instance of a subclass of a JSON type (numpy scalar, defaultdict) as its base."""
        bases: tuple[Any, ...] = (str, int, float, dict, list)
        for base in bases:
            if isinstance(value, base):
                self._degrade()
                return self.encode(base(value), depth + 1)
        return self._opaque(value)

    def _opaque(self, value: Any, said: str | None = None) -> Any:
        self.fidelity = "opaque"
        try:
            text = said or repr(value)[:MAX_REPR]
        except Exception:  # a broken __repr__ is the agent's business, not a fault of ours
            text = "<no repr>"
        return {"$t": "opaque", "c": type(value).__qualname__, "v": text}

    def _degrade(self) -> None:
        self.degraded = True
        self._lower("lossy")

    def _lower(self, to: Fidelity) -> None:
        if self.fidelity == "exact":
            self.fidelity = to


_DUMPS = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_SIMPLE: dict[type, Callable[[Any], Any]] = {
    bytes: lambda v: {"$t": "bytes", "v": base64.b64encode(v).decode()},
    bytearray: lambda v: {"$t": "bytearray", "v": base64.b64encode(v).decode()},
    datetime.date: lambda v: {"$t": "date", "v": v.isoformat()},
    datetime.timedelta: lambda v: {"$t": "timedelta", "v": [v.days, v.seconds, v.microseconds]},
    decimal.Decimal: lambda v: {"$t": "decimal", "v": str(v)},
    uuid.UUID: lambda v: {"$t": "uuid", "v": str(v)},
}


def fields_of(value: Any) -> dict[str, Any] | None:
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


class Encoded:
    """A value as tagged JSON; `fidelity` and `degraded` as in `encode` and `_Encoder`.

    What was read of the value is kept as a tree of its own; the bytes are made of it when they
    are first asked for: usually on the writer's thread. `size` is roughly how many they will be.
    `plain`: the tree is an exact copy of the value. Trees must not be changed.
    """

    __slots__ = ("_data", "degraded", "fidelity", "plain", "size", "tree")

    def __init__(
        self,
        data: bytes | None,
        fidelity: Fidelity,
        degraded: bool = False,
        *,
        tree: Any = None,
        plain: bool = False,
        size: int = 0,
    ) -> None:
        self._data = data
        self.tree = tree
        self.plain = plain
        self.fidelity: Fidelity = fidelity
        self.degraded = degraded
        self.size = size if data is None else len(data)

    @property
    def data(self) -> bytes:
        """The UTF-8 text."""
        if self._data is None:
            # Two threads may both do this, and find the same.
            text = _DUMPS(self.tree)
            self._data = text.encode("utf-8", "surrogatepass")
        return self._data


def encode_whole(value: Any) -> Encoded:
    """`encode`, with all that is known of it. Never raises."""
    return encode_watched(value)[0]


def encode_watched(value: Any) -> tuple[Encoded, bool]:
    """`encode_whole`, and whether numbers are in the value when it is plain."""
    try:
        try:
            copier = Copier()
            tree = copier.copy(value)
            made = Encoded(None, "exact", tree=tree, plain=True, size=copier.size)
            return made, copier.numbers
        except NotPlain:
            encoder = _Encoder()
            tree = encoder.encode(value)
            fidelity, degraded, size = encoder.fidelity, encoder.degraded, encoder.size
            return Encoded(None, fidelity, degraded, tree=tree, size=size), False
    except Exception:  # mutated while being read by another thread, a hostile __getattr__, ...
        fallback = {"$t": "opaque", "c": type(value).__qualname__, "v": "<could not be read>"}
        return Encoded(json.dumps(fallback).encode(), "opaque"), False


def encode(value: Any) -> tuple[bytes, Fidelity]:
    """Tagged JSON of a value, as UTF-8, and how much of it survives.

    `exact`: decodes to an equal value by itself; `lossy`: objects inside need the annotation of
    the function that returned them, or come back as their base class; `opaque`: something inside
    could not be stored. Never raises.
    """
    made = encode_whole(value)
    return made.data, made.fidelity


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
    given: frozenset[str] | None = None  # of a pydantic model: the fields that were set


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
        given = None if "s" not in tree else frozenset(map(str, tree["s"]))
        return Fields(str(tree["c"]), {k: _decode(item) for k, item in value.items()}, given)
    if tag == "opaque":
        return Opaque(str(tree["c"]), str(value))
    raise ValueError(f"unknown tag {tag!r}")


def plain(data: bytes) -> Any:
    """Tagged JSON as plain JSON for people and `--json`: tags become what they stand for."""
    try:
        return _plain(json.loads(data.decode("utf-8", "surrogatepass")))
    except (ValueError, TypeError, RecursionError):  # damaged or hostile
        return data.decode("utf-8", "replace")


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
