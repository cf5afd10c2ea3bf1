"""The filter language: what is typed, what it means, and that nothing typed breaks it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.core.querywords import AMOUNTS, MOMENTS, amount
from tracer.core.runquery import (
    CHOICES,
    ORDERS,
    PATTERNS,
    QueryError,
    RunOrder,
    RunQuery,
    Sign,
    Term,
    parse,
    parse_order,
)

# Any text a value may be: no control characters and halves of characters, which are spaces.
VALUES = (
    st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1)
    | st.text(st.sampled_from(' ",\\:*-ab'), min_size=1)
).filter(lambda text: text.strip() != "")
WORDS = VALUES.filter(lambda text: any(char.isalnum() for char in text))
SIGNS: tuple[Sign, ...] = ("", ">", ">=", "<", "<=")


@st.composite
def terms(draw: st.DrawFn) -> Term:
    """Terms as a query may hold them."""
    negated = draw(st.booleans())
    field = draw(st.sampled_from(["", *CHOICES, *PATTERNS, *AMOUNTS, *MOMENTS]))
    if field == "":
        return Term("", (draw(WORDS),), phrase=True, negated=negated)
    if field in CHOICES:
        some = st.lists(st.sampled_from(CHOICES[field]), min_size=1, max_size=3, unique=True)
        return Term(field, tuple(draw(some)), negated=negated)
    if field in AMOUNTS:
        numbers = st.integers(0, 10**9).map(str)
        if draw(st.booleans()):
            return Term(field, (draw(numbers), draw(numbers)), "..", negated=negated)
        return Term(field, (draw(numbers),), draw(st.sampled_from(SIGNS)), negated=negated)
    if field in MOMENTS:
        moment = st.dates().filter(lambda day: 1971 <= day.year <= 2261).map(str)
        ages = st.sampled_from(["7d", "90m", "2w", "today", "yesterday", "2026-11-01T14:30"])
        return Term(field, (draw(moment | ages),), negated=negated)
    values = st.lists(VALUES, min_size=1, max_size=3, unique=True)
    return Term(field, tuple(draw(values)), negated=negated)


@given(st.lists(terms(), max_size=6, unique=True).map(tuple))
def test_what_is_written_is_read_as_the_same(found: tuple[Term, ...]) -> None:
    query = RunQuery(found)
    assert parse(str(query)) == query


SIGNIFICANT = st.text(st.sampled_from(string.ascii_letters[:6] + '0189:,"\\-<>=.*$ \t\0é退'))


@given(st.text() | SIGNIFICANT | st.lists(SIGNIFICANT).map("status:".join))
def test_anything_typed_is_read_or_refused_in_one_sentence(text: str) -> None:
    try:
        query = parse(text)
    except QueryError as error:
        sentence = str(error)
        assert sentence
        assert "\n" not in sentence
        assert len(sentence) < 400
    else:
        assert parse(str(query)) == query


@given(SIGNIFICANT, st.sampled_from(list(AMOUNTS)))
def test_an_amount_is_a_number_or_none(text: str, field: str) -> None:
    found = amount(field, text)
    assert found is None or found >= 0


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("  refund lamp ", [Term("", ("refund",)), Term("", ("lamp",))]),
        ('"two words"', [Term("", ("two words",), phrase=True)]),
        ("-lamp", [Term("", ("lamp",), negated=True)]),
        ("STATUS:Failed", [Term("status", ("failed",))]),
        ("-status:error,stopped", [Term("status", ("error", "stopped"), negated=True)]),
        ("model:gpt*", [Term("model", ("gpt*",))]),
        ('name:"nightly triage",x', [Term("name", ("nightly triage", "x"))]),
        ('tag:"a\\"b\\\\"', [Term("tag", ('a"b\\',))]),
        ("cost:>$0.1", [Term("cost", ("$0.1",), ">")]),
        ("tokens:=5k", [Term("tokens", ("5k",))]),
        ("duration:1m..5m", [Term("duration", ("1m", "5m"), "..")]),
        ("after:TODAY", [Term("after", ("today",))]),
        # What somebody pastes is text: an error, an address, a time.
        ("KeyError: 'x'", [Term("", ("KeyError:",)), Term("", ("'x'",))]),
        ("https://api.example/v1", [Term("", ("https://api.example/v1",))]),
        ("12:30", [Term("", ("12:30",))]),
        ("shop.RefundRefused:no", [Term("", ("shop.RefundRefused:no",))]),
        ("lamp lamp", [Term("", ("lamp",))]),
    ],
)
def test_what_is_meant(text: str, terms: list[Term]) -> None:
    assert list(parse(text).terms) == terms


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("stauts:error", "there is no filter stauts: write status:, or put double quotes"),
        ("colour:red", "there is no filter colour: there are status, has, is, name, agent"),
        ("status:", "status: has no value; write status:ok"),
        ("status:good", "status:good fits no run: status is one of ok, error, running"),
        ("name:a,,b", 'name: has no value; write name:word or name:"two words"'),
        ("cost:>much", "cost:>much is no amount: write dollars, as in cost:>0.1"),
        ("tokens:>5,000", "tokens:>5,000 is no amount: write a number, as in tokens:>5000"),
        ("tokens:$5", "tokens:$5 is no amount"),
        ("duration:", "duration: is no amount: write a number with ms, s, m or h"),
        ("after:soon", "after:soon is no time: write after:2026-11-01"),
        ("before:2026-02-30", "before:2026-02-30 is no time"),
        ("after:0001-01-01", "after:0001-01-01 is no time"),
        ('say "hello', "the quotation mark before hello is not closed; put one at the end"),
        ("-", "- holds no letter or digit to search for; leave it out"),
        ("x" * 2001, "the filter has 2,001 characters; 2,000 are the most"),
        (" ".join(f"w{n}" for n in range(41)), "the filter has 41 terms; 40 are the most"),
    ],
)
def test_what_means_nothing_is_said(text: str, sentence: str) -> None:
    with pytest.raises(QueryError) as raised:
        parse(text)
    assert str(raised.value).startswith(sentence)


def test_terms_are_taken_away_and_added() -> None:
    query = parse("status:error lamp")
    error, lamp = query.terms
    assert str(query.without(lamp)) == "status:error"
    assert str(query.plus(error)) == "lamp status:error"
    assert query.asks("status", "error")
    assert not parse("-is:deleted").asks("is", "deleted")
    assert not parse("")


def test_orders() -> None:
    assert parse_order("") == RunOrder()
    for by in ORDERS:
        assert parse_order(by) == RunOrder(by)
        assert parse_order(str(RunOrder(by, up=True))) == RunOrder(by, up=True)
    for odd in ("colour", "cost-", "cost-down", "-cost", "cost up"):
        with pytest.raises(QueryError, match=r"can't be sorted by .*: write started, duration"):
            parse_order(odd)
