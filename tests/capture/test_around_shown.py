"""Values as text: nothing of the program's own runs, whatever its classes do."""

import enum
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.capture.around.shown import exception_text, filled, shown


class Raises:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__
    __iter__ = __len__ = __format__ = __repr__  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("asked")


class Hangs:
    def __repr__(self) -> str:
        time.sleep(3600)
        return ""


class Wrong:
    def __repr__(self) -> str:
        return 3  # type: ignore[return-value]


class Lies:
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("asked")

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("asked")


class Mapping(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("asked")

    __iter__ = __len__ = __getitem__ = items  # type: ignore[assignment]


class Meta(type):
    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError("asked")


class Made(metaclass=Meta):
    pass


class Slots:
    __slots__ = ("a", "never_set", "secret")

    def __init__(self) -> None:
        self.a, self.secret = 1, "hunter2"


class Colour(enum.Enum):
    RED = 1


@dataclass
class Order:
    number: str
    token: str
    total: float


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (Raises, "<Raises>"),
        (Hangs, "<Hangs>"),
        (Wrong, "<Wrong>"),
        (Lies, "<Lies>"),
        (Made, "<Made>"),
        (lambda: Mapping(a=1), "Mapping({'a': 1})"),
        (Slots, "Slots(a=1, secret=[redacted])"),
        (lambda: Colour.RED, "Colour.RED"),
        (lambda: Order("A-1", "abc", 2.5), "Order(number='A-1', token=[redacted], total=2.5)"),
        (lambda: Broken("boom", 1), "Broken('boom', 1)"),
        (lambda: [Raises(), 1], "[<Raises>, 1]"),
        (lambda: {"max_tokens": 5, "api_key": "abc"}, "{'max_tokens': 5, 'api_key': [redacted]}"),
        (lambda: {b"PASSWORD": b"abc"}, "{b'PASSWORD': [redacted]}"),
        (lambda: (1,), "(1,)"),
        (set, "set()"),
        (lambda: frozenset({1}), "frozenset({1})"),
        (lambda: deque([1]), "deque([1])"),
        (lambda: Path("/x"), "PosixPath('/x')"),
        (lambda: 10**5000, "<16610 bit int>"),
        (lambda: Order, "<class Order>"),
        (lambda: len, "<function len>"),
        (lambda: pytest, "<module pytest>"),
    ],
    ids=lambda _: "",  # pytest would ask the values
)
def test_shown(make: Callable[[], Any], text: str) -> None:
    assert shown(make()) == text


def test_large_values_are_not_shown_whole() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    endless: list[Any] = []
    endless.append(endless)
    for value in ("x" * 10**7, b"x" * 10**7, [[i] * 1000 for i in range(1000)], deep, endless,
                  {i: "y" * 1000 for i in range(10_000)}):  # fmt: skip
        assert len(shown(value)) < 1_500


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    )
)
def test_any_data_is_shown_in_bounds(value: Any) -> None:
    assert 0 < len(shown(value)) < 3_000


@pytest.mark.parametrize(
    ("message", "arguments", "text"),
    [
        ("a %s %d %r", ("x", 1, None), "a x 1 None"),
        ("%(name)s", {"name": "x"}, "x"),
        ("%d", ("x",), "%d ('x',)"),
        ("%s %s", ("x",), "%s %s ('x',)"),
        ("%s", (Wrong(),), "<Wrong>"),
        ("%s", (Broken("boom"),), "Broken: boom"),
        (Wrong(), (), "<Wrong>"),
        ("100%", (), "100%"),
        ("%", (1,), "% (1,)"),
    ],
)
def test_messages_filled(message: Any, arguments: Any, text: str) -> None:
    assert filled(message, arguments) == text


def test_exceptions_are_not_asked() -> None:
    assert exception_text(Broken("boom", 2)) == "Broken: boom, 2"
    assert exception_text(ValueError()) == "ValueError"
