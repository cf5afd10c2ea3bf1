"""Numbers as they are written on pages."""

import pytest

from tracer_ui import formats


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (None, "–"),
        (0, "<1 ms"),
        (0.4, "<1 ms"),
        (1, "1 ms"),
        (820.4, "820 ms"),
        (999.6, "1.00 s"),
        (2280, "2.28 s"),
        (9_996, "10.0 s"),
        (50_500, "50.5 s"),
        (59_960, "1 m 00 s"),
        (184_000, "3 m 04 s"),
        (7_500_000, "2 h 05 m"),
        (-820, "−820 ms"),
    ],
)
def test_durations(ms: float | None, shown: str) -> None:
    assert formats.duration(ms) == shown


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (None, "–"),
        (0, "$0"),
        (0.0054, "$0.0054"),
        (0.00047, "$0.00047"),
        (0.21, "$0.21"),
        (0.999, "$1.00"),
        (10.5, "$10.50"),
        (1234.5, "$1,234.50"),
        (-0.02, "−$0.020"),
        (1e-9, "$0.0000000010"),
    ],
)
def test_costs_keep_two_digits_and_never_say_less_than(usd: float | None, shown: str) -> None:
    assert formats.cost(usd) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (10_240, "10 kB"),
        (999_600, "1.0 MB"),
        (5_000_000, "5.0 MB"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    assert formats.size(count) == shown


def test_plurals_and_numbers() -> None:
    assert formats.plural(1, "step") == "1 step"
    assert formats.plural(1234, "step") == "1,234 steps"
    assert formats.plural(0, "reply", "replies") == "0 replies"
    assert formats.number(None) == "–"
    assert formats.number(105_556) == "105,556"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('"standard"', "standard"),
        ('""', '""'),
        ('" a"', '" a"'),
        ("5", "5"),
        ('"a\\nb"', '"a\\nb"'),
        ("null", "null"),
    ],
)
def test_json_strings_lose_their_quotes_only_where_nothing_hides(text: str, shown: str) -> None:
    assert formats.unquoted(text) == shown


@pytest.mark.parametrize("ns", [0, -1, 10**30, -(10**30), 1 << 62])
def test_no_time_is_too_odd_to_show(ns: int) -> None:
    assert formats.iso(ns).endswith("Z")
    assert formats.clock(ns)
    assert formats.moment(ns)
    assert formats.when(ns, 1_790_000_000 * 10**9)


def test_when_says_as_much_as_is_needed() -> None:
    day = 86_400 * 10**9
    now = 1_790_000_000 * 10**9
    assert len(formats.when(now, now)) == len("10:00:02")
    assert ":" in formats.when(now - 3 * day, now)
    assert formats.when(now - 800 * day, now).count("-") == 2
