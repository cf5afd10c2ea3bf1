"""Quick copies of plain JSON, and the bytes made of them later."""

import copy
import enum
import json
import math
from collections import OrderedDict, defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.capture.plaincopy import Copier, NotPlain
from tracer.capture.values import encode_watched, encode_whole

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text().filter(lambda key: key != "$t"), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


class Colour(str, enum.Enum):  # noqa: UP042 - as programs of older Pythons write it
    RED = "red"


class Text(str):
    """A string with more to it."""


def deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


@given(plain)
def test_a_copy_is_equal_and_shares_nothing(value: Any) -> None:
    before = copy.deepcopy(value)
    made = Copier().copy(value)
    assert json.dumps(made) == json.dumps(value)
    _spoil(value)
    assert made == before


def _spoil(value: Any) -> None:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _spoil(item)
        value.clear()


@given(plain)
def test_bytes_are_of_what_was_read(value: Any) -> None:
    expected = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    made = encode_whole(value)
    _spoil(value)
    assert made.data == expected.encode("utf-8", "surrogatepass")
    assert (made.fidelity, made.plain, made.degraded) == ("exact", True, False)


@pytest.mark.parametrize(
    "value",
    [
        (1,), {1}, b"x", math.nan, math.inf, 1j, Colour.RED, Text("x"), {1: "x"}, {"$t": "x"},
        defaultdict(list), OrderedDict(), object(), deep(40), {"in": [(1,)]}, {Text("key"): 1},
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_not_plain_is_refused(value: Any) -> None:
    with pytest.raises(NotPlain):
        Copier().copy(value)
    made, numbers = encode_watched(value)
    assert not made.plain and not numbers
    json.loads(made.data)


def test_what_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.extend([loop, loop])
    with pytest.raises(NotPlain):
        Copier().copy(loop)
    assert b"<contains itself>" in encode_whole(loop).data


@pytest.mark.parametrize(
    ("value", "numbers"),
    [("x", False), (None, False), ([1], True), ({"a": True}, True), (0.5, True)],
)
def test_numbers_are_noticed(value: Any, numbers: bool) -> None:
    assert encode_watched(value)[1] is numbers


def test_numbers_too_long_to_print_are_not_lost_silently() -> None:
    assert encode_whole(10**1000).fidelity == "exact"
    assert encode_whole({"n": 10**5000}).fidelity == "opaque"


def test_size_counts_text() -> None:
    assert encode_whole({"a": "x" * 1000, "b": ["y" * 500]}).size == 1500
    assert encode_whole("x" * 10).size == 10
