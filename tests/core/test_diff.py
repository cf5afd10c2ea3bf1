"""Differences of JSON, texts and lists: what they say, that they are complete, that they end."""

import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.core.alignment import align, matching_blocks
from tracer.core.diff import json_changes, same_json, text_diff

# Small on purpose: shared keys and items are what makes a difference interesting.
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "b c"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "messages", "odd key"]), inner, max_size=3)
    ),
    max_leaves=12,
)
TEXT = st.text("ab \n.é", max_size=40)


def _paths(old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    return [(change.path, change.old, change.new) for change in json_changes(old, new)]


def test_paths_and_order() -> None:
    old = {"model": "a", "messages": [{"parts": [{"content": "x"}]}], "odd key": 1}
    new = {"model": "b", "messages": [{"parts": [{"content": "y"}]}], "odd key": 2}
    assert _paths(old, new) == [
        ("messages[0].parts[0].content", "x", "y"),
        ("model", "a", "b"),
        ('["odd key"]', 1, 2),
    ]
    assert _paths(1, 2) == [("", 1, 2)]


def test_an_item_put_in_front_is_one_change() -> None:
    (change,) = json_changes(
        [{"n": 1}, {"n": 2}, {"n": 3}], [{"n": 0}, {"n": 1}, {"n": 2}, {"n": 3}]
    )
    assert (change.path, change.as_json()) == ("[0]", {"path": "[0]", "new": {"n": 0}})
    assert change.added
    (change,) = json_changes({"a": 1, "b": None}, {"a": 1})
    assert change.as_json() == {"path": "b", "old": None}


def test_booleans_are_no_numbers_and_floats_are() -> None:
    assert not same_json(True, 1)
    assert not same_json([0], [False])
    assert same_json(1, 1.0)
    assert same_json({"a": None}, {"a": None})
    assert not same_json({"a": None}, {})


def test_capped() -> None:
    assert len(json_changes(list(range(500)), list(range(500, 1000)), limit=7)) == 7


def test_deep_values_end() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert len(json_changes(deep, [deep])) == 1
    assert json_changes({"a": 1}, {"a": deep})


@given(JSON, JSON)
def test_no_change_means_equal(old: Any, new: Any) -> None:
    equal = json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)
    assert same_json(old, new) == equal
    assert same_json(old, old)


@given(JSON, JSON)
def test_changes_go_both_ways(old: Any, new: Any) -> None:
    forth, back = json_changes(old, new, limit=999), json_changes(new, old, limit=999)
    assert bool(forth) == bool(back)


@given(TEXT, TEXT)
def test_text_spans_give_both_texts_back(old: str, new: str) -> None:
    spans = text_diff(old, new)
    assert "".join(span.text for span in spans if span.kind != "new") == old
    assert "".join(span.text for span in spans if span.kind != "old") == new
    assert all(span.text for span in spans)


def test_text_by_words() -> None:
    spans = text_diff("refund 480.00 EUR now", "refund 24.00 EUR")
    assert [(span.kind, span.text) for span in spans] == [
        ("same", "refund"),
        ("old", " 480"),
        ("new", " 24"),
        ("same", ".00 EUR"),
        ("old", " now"),
    ]


@given(st.lists(st.integers(0, 5), max_size=30), st.lists(st.integers(0, 5), max_size=30))
def test_alignment_holds_everything_in_order(a: list[int], b: list[int]) -> None:
    rows = align(a, b)
    assert [row.a for row in rows if row.a is not None] == list(range(len(a)))
    assert [row.b for row in rows if row.b is not None] == list(range(len(b)))
    for block in matching_blocks(a, b):
        size = block.size
        assert a[block.a_start :][:size] == b[block.b_start :][:size]


@given(st.lists(st.integers(), min_size=300, max_size=400, unique=True), st.data())
@settings(max_examples=15, deadline=None)
def test_long_lists_find_what_was_moved_in(a: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(a)))
    b = [*a[:at], "new", *a[at:]]
    assert sum(block.size for block in matching_blocks(a, b)) == len(a)
    assert sum(row.a is None for row in align(a, b)) == 1


def _words(letters: str, count: int) -> str:
    chosen = random.Random(7)
    return " ".join(chosen.choice(letters) for _ in range(count))


HOSTILE: dict[str, Callable[[], object]] = {
    "one word repeated": lambda: text_diff("a " * 9000, "b " + "a " * 9000),
    "few words": lambda: text_diff(_words("abc", 9000), _words("bcd", 9000)),
    "two kinds of steps": lambda: align(_words("xy", 10_000), _words("yx", 10_000)),
    "reversed": lambda: align(range(10_000), range(9_999, -1, -1)),
    "every second": lambda: align(range(10_000), [n if n % 2 else -n for n in range(10_000)]),
    "one long line": lambda: text_diff("x" * 5_000_000, "y" * 5_000_000),
    "long lists": lambda: json_changes(
        [{"n": n} for n in range(5000)], [{"n": -n} for n in range(4990)]
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_never_slow(case: str) -> None:
    began = time.process_time()
    HOSTILE[case]()
    # Far above what it takes here (0.3 s at most), far below anything quadratic.
    assert time.process_time() - began < 5
