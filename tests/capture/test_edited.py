"""Calls with other arguments than their code gave: of functions, and within frameworks' methods."""

import dataclasses
import datetime
import enum
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.capture.boundary import Call
from tracer.capture.edited import Arguments, editor
from tracer.capture.functions import Parameters
from tracer.core.records import Slot


@dataclasses.dataclass
class Customer:
    name: str
    age: int


class Mood(enum.Enum):
    GOOD = 1


def make(
    function: Callable[..., Any],
    *args: Any,
    method: Arguments | None = None,
    named: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Call:
    """A call of a function, ready to be edited where it can be."""
    parameters = Parameters(function)
    call = Call("tool", "t", Slot("", "tool", 0))
    found = parameters.by_name(args, kwargs) if named is None else named
    call.edit = editor(call, parameters, found, (args, kwargs), method)
    return call


def edited(call: Call, changes: dict[str, Any], *removed: str) -> Arguments:
    assert call.edit is not None
    call.edit(changes, [*removed])
    assert call.edited is not None
    return call.edited


def pay(amount: int, who: Customer, *notes: str, at: Any = None, **more: Any) -> None: ...


def test_what_is_not_touched_stays_the_same_object() -> None:
    ana, handle = Customer("Ana", 40), object()
    call = make(pay, 5, ana, "a", "b", at=handle, extra=1)
    args, kwargs = edited(call, {"amount": 7, "notes": ["c"]})
    assert args == (7, ana, "c") and args[1] is ana
    assert kwargs["at"] is handle and kwargs["extra"] == 1
    assert call.input is not None and b'"amount":7' in call.input


def test_an_object_is_made_again_in_its_class() -> None:
    (_, who), _ = edited(make(pay, 5, Customer("Ana", 40)), {"who": {"name": "Bo", "age": 40}})
    assert who == Customer("Bo", 40) and isinstance(who, Customer)


@pytest.mark.parametrize("value", [datetime.date(2026, 1, 2), Mood.GOOD, {1, 2}, b"x"])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="answer in its place"):
        edited(make(pay, 5, Customer("Ana", 40), at=value), {"at": "other"})


def test_a_method_keeps_its_object_and_unknown_names_are_refused() -> None:
    class Shop:
        def sell(self, item: str, count: int = 1) -> None: ...

    shop = Shop()
    call = make(Shop.sell, shop, "lamp", 3)
    args, _ = edited(call, {"item": "sofa"}, "count")
    assert args == (shop, "sofa")
    with pytest.raises(ValueError, match="no parameter 'price'"):
        edited(call, {"price": 3})


NAMED = {"city": "Bergen", "days": 2}


@pytest.mark.parametrize(
    ("method", "after"),
    [
        (((object, dict(NAMED)), {}), ({"city": "Alta", "days": 2},)),
        ((("self", json.dumps(NAMED)), {"x": 1}), (json.dumps({"city": "Alta", "days": 2}),)),
    ],
    ids=["object", "text"],
)
def test_a_frameworks_method_gets_them_where_it_had_them(
    method: Arguments, after: tuple[Any, ...]
) -> None:
    args, kwargs = edited(make(pay, method=method, named=dict(NAMED)), {"city": "Alta"})
    assert args[1:] == after and args[0] is method[0][0] and kwargs == method[1]


def test_by_name_and_by_place() -> None:
    city = "Ber" + "gen".lower()
    method: Arguments = ((None, city), {"days": 2, "config": None})
    call = make(pay, method=method, named={"city": city, "days": 2})
    args, kwargs = edited(call, {"city": "Alta", "days": 3, "more": True})
    assert (args, kwargs) == ((None, "Alta"), {"days": 3, "config": None, "more": True})
    assert edited(call, {}, "days")[1] == {"config": None}
    with pytest.raises(ValueError, match="city can't be left out here"):
        edited(call, {}, "city")


def test_where_they_are_not_found_nothing_can_be_edited() -> None:
    same = "x" * 3
    for named, args in (
        ({"a": same, "b": same}, (same, same)),  # which of the two?
        ({"a": 10**9}, (object(),)),
        ({"a": 1}, ('{"a": 1', [1])),
    ):
        assert make(pay, method=(args, {}), named=named).edit is None


@given(
    st.dictionaries(st.text(min_size=1), st.integers() | st.text() | st.none()),
    st.dictionaries(st.text(min_size=1), st.integers() | st.text()),
)
def test_what_is_changed_arrives_and_the_rest_stays(
    named: dict[str, Any], changes: dict[str, Any]
) -> None:
    for inner in (dict(named), json.dumps(named)):
        call = make(pay, method=((inner,), {}), named=named)
        ((made,), _) = edited(call, changes)
        assert (json.loads(made) if isinstance(made, str) else made) == named | changes
    assert inner == json.dumps(named), "what the framework holds is not changed"
