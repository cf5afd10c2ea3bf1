"""Values as tagged JSON and back: round trips, the user's classes, and hostile data."""

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import sqlite3
import sys
import uuid
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from tests.support.agents import Bench
from tracer.capture.functions import encode_result
from tracer.capture.rebuild import CannotRebuild, rebuild, return_annotation
from tracer.capture.values import decode, encode, plain

# Texts include lone surrogates, which JSON of the outside world may hold.
TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | TEXT
    | st.binary(max_size=20)
    | st.binary(max_size=5).map(bytearray)
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC)).map(lambda t: t.replace(fold=0))
    | st.dates()
    | st.times().map(lambda t: t.replace(fold=0))
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | TEXT.filter(lambda text: "\0" not in text).map(pathlib.Path)
)
HASHABLE = st.none() | st.integers() | TEXT | st.binary(max_size=9) | st.dates() | st.uuids()
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(TEXT, inner, max_size=4)
        | st.dictionaries(HASHABLE | st.tuples(HASHABLE, HASHABLE), inner, max_size=4)
        | st.dictionaries(st.just("$t"), inner, max_size=1)
        | st.sets(HASHABLE, max_size=4)
        | st.frozensets(HASHABLE, max_size=4)
    ),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    """Equal, and of the same types all the way down (1, 1.0 and True differ; so do -0.0 and 0)."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(map(repr, a)) == list(map(repr, b)) and all(
            same(x, y) for x, y in zip(a.values(), b.values(), strict=True)
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float):
        return math.copysign(1, a) == math.copysign(1, b) and a == b
    return bool(a == b)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_values_come_back_equal_and_of_the_same_type(value: Any) -> None:
    data, fidelity = encode(value)
    assert fidelity == "exact"
    assert same(rebuild(data, None), value)
    assert encode(rebuild(data, None))[0] == data
    json.dumps(plain(data))


@given(st.sets(st.text(max_size=5) | st.integers(), max_size=8))
@settings(max_examples=50, deadline=None)
def test_equal_sets_are_equal_bytes_whatever_their_order(values: set[Any]) -> None:
    other: set[Any] = set()
    for item in sorted(values, key=repr, reverse=True):
        other.add(item)
    assert encode(values)[0] == encode(other)[0]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Mood(enum.Enum):
    RED = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    label: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    points: list[Point]
    colour: Colour = Colour.RED
    at: datetime.datetime | None = None


@dataclasses.dataclass
class Drawing:
    lines: dict[str, Line]
    notes: list["Note"] = dataclasses.field(default_factory=list)
    made: int = dataclasses.field(init=False, default=7)


class Note(BaseModel):
    """A pydantic model with an alias and a constraint."""

    text: str
    score: float = Field(default=0.5, ge=0, le=1)
    origin: Line | None = None


class Aliased(BaseModel):
    long_name: str = Field(alias="ln", default="")


LINE = Line(
    [Point(1, "a"), Point(2)], Colour.BLUE, datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC)
)
DRAWING = Drawing({"one": LINE}, [Note(text="n", origin=LINE)])


def _function(annotation: Any) -> Callable[[], Any]:
    def function() -> Any: ...

    function.__annotations__ = {"return": annotation}
    return function


KEPT: list[tuple[Any, Any]] = [
    (LINE, Line),
    (DRAWING, Drawing),
    (DRAWING, "Drawing"),
    (Note(text="x", score=1.0), Note),
    ([LINE, None], list[Line | None]),
    ({"a": [LINE]}, dict[str, Sequence[Line]]),
    ({"a": [LINE]}, Mapping[str, list[Line]]),
    ((1, LINE), tuple[int, Line]),
    ((LINE, LINE), tuple[Line, ...]),
    (Point(3, "p"), Annotated[Point, "meta"]),
    ({Colour.RED: LINE}, dict[Colour, Line]),
    ({Colour.RED, Colour.BLUE}, set[Colour]),
    (frozenset({Colour.RED}), frozenset[Colour]),
    (Mood.RED, Colour | Mood),
    (Access.READ | Access.WRITE, Access),
    (Line([]), Note | Line),
    ([Point(1), Point(2)], Iterator[Point]),
]


@pytest.mark.parametrize(("value", "annotation"), KEPT)
def test_objects_come_back_through_the_functions_annotation(value: Any, annotation: Any) -> None:
    function = _function(annotation)
    data, fidelity = encode_result(value, function)
    assert fidelity == "exact"
    back = rebuild(data, return_annotation(function))
    assert type(back) is type(value) and back == value


class Private:
    """Nothing tracer knows how to store."""


class Loud(dict[str, Any]):
    """A dict with a method that an agent may call."""

    def shout(self) -> str:
        return "!"


def _cursor() -> sqlite3.Cursor:
    with sqlite3.connect(":memory:") as connection:
        return connection.cursor()


REFUSED: list[tuple[str, Any, Any]] = [
    ("no annotation", LINE, None),
    ("another class", LINE, Note),
    ("only the outside is named", [LINE], list),
    ("an enum nobody names", Colour.RED, str),
    ("an enum of that member, not of that class", Mood.RED, Colour),
    ("an enum in a set", {Colour.RED}, set),
    ("an enum as key", {Colour.RED: 1}, dict[str, int]),
    ("a plain object", Private(), Private),
    ("a list with one", [1, Private()], list[Any]),
    ("a cursor", _cursor(), None),
    ("a generator", (n for n in [1]), None),
    ("an object behind a key", {Point(1): Private()}, dict[Point, Any]),
    ("a lambda", lambda: 1, None),
    ("a number too long for JSON", 10**5000, int),
]


@pytest.mark.parametrize(("why", "value", "annotation"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_can_not_come_back_is_known_to_be_opaque(
    why: str, value: Any, annotation: Any
) -> None:
    data, fidelity = encode_result(value, _function(annotation))
    assert fidelity == "opaque", why
    with pytest.raises(CannotRebuild):
        rebuild(data, annotation)
    json.dumps(plain(data))


LOSSY: list[tuple[Any, Any]] = [
    (Loud(a=1), {"a": 1}),
    (collections.defaultdict(list, a=[1]), {"a": [1]}),
    (collections.OrderedDict(a=1), {"a": 1}),
    (type("Number", (float,), {})(1.5), 1.5),
    (type("Words", (str,), {})("w"), "w"),
    (pathlib.PureWindowsPath("a"), pathlib.Path("a")),
    (
        datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Oslo")),
        datetime.datetime(2026, 7, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
    ),
]


@pytest.mark.parametrize(("value", "base"), LOSSY, ids=lambda v: type(v).__name__)
def test_subclasses_come_back_as_their_base_and_are_called_lossy(value: Any, base: Any) -> None:
    data, fidelity = encode_result(value, _function(type(value)))
    assert fidelity == "lossy"
    assert rebuild(data, None) == base


def test_a_pydantic_model_keeps_which_fields_were_set() -> None:
    for model in (Note(text="t"), Note(text="t", score=0.5), Aliased(ln="kept"), Aliased()):
        data, fidelity = encode_result(model, _function(type(model)))
        back = rebuild(data, type(model))
        assert fidelity == "exact"
        assert back.model_dump(exclude_unset=True) == model.model_dump(exclude_unset=True)


class Shy(BaseModel):
    """Drops what it is given when it is made again without its validators."""

    kept: int = 1

    @classmethod
    def model_construct(cls, *_: Any, **__: Any) -> "Shy":
        return cls()


def test_what_comes_back_changed_is_opaque_not_served() -> None:
    assert encode_result(Shy(kept=5), _function(Shy))[1] == "opaque"


def test_cycles_and_wide_graphs_end() -> None:
    loop: dict[str, Any] = {"n": 1}
    loop["left"] = loop["right"] = loop
    assert encode(loop)[1] == "opaque"
    wide: Any = []
    for _ in range(60):
        wide = [wide, wide]  # 2**60 leaves when written out
    assert encode(wide)[1] == "opaque"
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert encode(deep)[1] == "opaque"
    shared = [1]
    assert encode([shared, shared]) == (b"[[1],[1]]", "exact")


class Hostile:
    """Raises at every look."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError("repr")


def test_hostile_objects_are_survived() -> None:
    data, fidelity = encode({"a": Hostile()})
    assert fidelity == "opaque"
    json.dumps(plain(data))


HOSTILE_JSON = [
    '{"$t": "object", "c": "os.system", "v": {"command": "touch /tmp/pwned"}}',
    '{"$t": "object", "c": "__import__(\'os\')", "v": {}}',
    '{"$t": "enum", "c": "Colour", "n": "__class__", "v": 1}',
    '{"$t": "decimal", "v": "not a number"}',
    '{"$t": "uuid", "v": 5}',
    '{"$t": "bytes", "v": "%%%"}',
    '{"$t": "timedelta", "v": "soon"}',
    '{"$t": "datetime", "v": []}',
    '{"$t": "dict", "v": [[[], 1]]}',
    '{"$t": "dict", "v": [1, 2]}',
    '{"$t": "set", "v": [[]]}',
    '{"$t": "tuple"}',
    '{"$t": []}',
    '{"$t": {"$t": "x"}, "v": 1}',
    '{"$t": "unknown", "v": 1}',
    '{"$t": "float", "v": "0x"}',
    '{"$t": "object", "c": "Line", "v": 5}',
    '{"$t": "object", "c": "Line", "v": {"__class__": 1, "points": {"$t": "opaque"}}}',
    "[" * 900 + "]" * 900,
    '{"$t":"tuple","v":[' * 400 + "]}" * 400,
    "nonsense",
    "",
    '"\\ud800"',
]


@pytest.mark.parametrize("text", HOSTILE_JSON, ids=range(len(HOSTILE_JSON)))
def test_hostile_data_imports_nothing_and_raises_only_value_error(text: str) -> None:
    before = set(sys.modules)
    for annotation in (None, Line, Colour, list[Line], Note | Line):
        try:
            rebuild(text.encode(), annotation)
        except ValueError:
            pass
    try:
        decode(text.encode())
    except ValueError:
        pass
    plain(text.encode())
    assert set(sys.modules) == before


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | TEXT | st.just("Line"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.fixed_dictionaries(
                {"$t": st.sampled_from(["tuple", "set", "dict", "enum", "object", "bytes", "float",
                                        "datetime", "timedelta", "opaque", "path"]),
                 "v": inner},
                optional={"c": st.sampled_from(["Line", "Colour"]) | inner, "n": inner},
            )
        ),
        max_leaves=8,
    )
)  # fmt: skip
def test_any_tagged_tree_is_read_or_refused(tree: Any) -> None:
    data = json.dumps(tree).encode()
    for annotation in (None, Line, Colour, dict[Colour, Line]):
        try:
            rebuild(data, annotation)
        except ValueError:
            pass
    json.dumps(plain(data))


def test_special_numbers() -> None:
    values = [math.nan, math.inf, -math.inf, -0.0, 1e-320, sys.float_info.max]
    data, fidelity = encode(values)
    assert fidelity == "exact"
    assert repr(rebuild(data, None)) == repr(values)
    assert (
        decimal.Decimal("NaN").is_nan()
        and rebuild(encode(decimal.Decimal("NaN"))[0], None).is_nan()
    )
    assert rebuild(encode(uuid.UUID(int=5))[0], None) == uuid.UUID(int=5)


def test_plain_is_readable(bench: Bench) -> None:
    data, _ = encode({"line": LINE, "key": {1: {2}}, "b": b"\xff", "p": Private})
    shown = plain(data)
    assert shown["line"]["points"] == [{"x": 1, "label": "a"}, {"x": 2, "label": ""}]
    assert shown["line"]["colour"] == "blue"
    assert shown["key"] == {"1": [2]}
    assert shown["p"].startswith("<type: ")
