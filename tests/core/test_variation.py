"""What varies by itself: dates, ids, order; and the rules that ignore it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.core.diff import Change, json_changes
from tracer.core.variation import Ignore, likely_cause, rule_for
from tracer.errors import UsageError

EARLIEST, LATEST = datetime(1990, 1, 1), datetime(2090, 1, 1)  # noqa: DTZ001 - as drawn
MOMENTS = st.datetimes(EARLIEST, LATEST)
FORMS = st.sampled_from(
    [
        "%Y-%m-%d",
        "%Y-%m-%dT%H:%M:%S.%fZ",
        "%Y-%m-%d %H:%M:%S+00:00",
        "%A, %d %B %Y, %H:%M",
        "%B %d, %Y at %I:%M %p",
        "%d.%m.%Y",
        "%a %b %d %H:%M:%S %Y",
    ]
)


def cause(old: object, new: object) -> str | None:
    found = likely_cause(Change("x", old, new))
    return None if found is None else found[0]


@given(MOMENTS, MOMENTS, FORMS)
def test_dates_in_a_sentence_are_told(one: datetime, other: datetime, form: str) -> None:
    old, new = (f"Today is {at.strftime(form)}, be brief." for at in (one, other))
    if old != new:
        assert cause(old, new) == "date"
        assert Ignore.parse("date").settles(Change("x", old, new))
    assert not Ignore.parse("date").settles(Change("x", old, new + " Please."))


@given(st.uuids(), st.uuids(), st.booleans())
def test_uuids_are_told(one: UUID, other: UUID, plain: bool) -> None:
    old, new = (f"session {u.hex if plain else u}" for u in (one, other))
    if old != new:
        assert cause(old, new) == "uuid"


def test_seconds_since_1970_are_a_time() -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    old, new = (f"at {(now + timedelta(seconds=n)).timestamp()}" for n in (0, 5))
    assert cause(old, new) == "date"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("call_abc123XYZ", "call_zzz999AAA", "id"),
        ("pid 17", "pid 42", "number"),
        (17, 42.5, "number"),
        ("a, b and c", "c, b and a", "order"),
        ("refund it", "don't refund it", None),
        (True, False, None),
        (1, "1", None),
        ({"a": 1}, {"a": 2}, None),
    ],
)
def test_other_causes(old: object, new: object, expected: str | None) -> None:
    assert cause(old, new) == expected


def test_what_is_new_or_gone_has_no_cause() -> None:
    assert likely_cause(Change("x", None, "2026-01-01", added=True)) is None
    assert not Ignore.parse("date").settles(Change("x", "2026-01-01", None, removed=True))


OLD = {"messages": [{"parts": [{"content": "at 10:00"}]}, {"parts": [{"content": "hi"}]}], "n": 1}


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("messages[0].parts[0].content", ["messages[1].parts[0].content", "n"]),
        ("messages[*]", ["n"]),
        ("messages", ["n"]),
        ("message", ["messages[0].parts[0].content", "messages[1].parts[0].content", "n"]),
        ("n", ["messages[0].parts[0].content", "messages[1].parts[0].content"]),
        ("/h./", ["messages[0].parts[0].content", "n"]),
        ("date", ["messages[1].parts[0].content", "n"]),
        ("number", ["messages[1].parts[0].content"]),
        (".n", ["messages[0].parts[0].content", "messages[1].parts[0].content"]),
        (".", []),
    ],
)
def test_a_rule_settles_its_place_and_no_other(rule: str, left: list[str]) -> None:
    new = {"messages": [{"parts": [{"content": "at 11:30"}]}, {"parts": [{"content": "ho"}]}]}
    changes = json_changes(OLD, {**new, "n": 2})
    assert len(changes) == 3
    found = Ignore.parse(rule)
    assert [change.path for change in changes if not found.settles(change)] == left


@pytest.mark.parametrize("path", ["date", "id", "messages[0].parts[0].content", ""])
def test_the_rule_for_a_place_settles_it_whatever_it_is_called(path: str) -> None:
    rule = Ignore.parse(rule_for(path))
    assert rule.settles(Change(path, "Oslo", "Rome"))
    assert rule.settles(Change(f"{path}.x" if path else "x", None, "Rome", added=True))
    if path:
        assert not rule.settles(Change(f"other_{path}", "Oslo", "Rome"))


@pytest.mark.parametrize("rule", ["/(/", "", "  "])
def test_a_rule_that_is_none_is_refused_with_the_remedy(rule: str) -> None:
    with pytest.raises(UsageError, match="--ignore"):
        Ignore.parse(rule)
