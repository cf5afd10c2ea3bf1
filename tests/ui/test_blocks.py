"""What a page shows of payloads of any size and shape."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_ui.blocks import Room, embedded, text_block, value_block
from tracer_ui.delta import delta, is_echo
from tracer_ui.jsonlines import STRING, dump, json_block, shape
from tracer_ui.messages import brief, message_views, part_value, parts_of
from tracer_ui.tracebacks import folds

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5)
    ),
    max_leaves=25,
)


def joined(value: Any) -> str:
    block = json_block(value, 10_000)
    return "\n".join("".join(token.text for token in line) for line in block.lines)


@given(JSON)
def test_whole_values_are_exact_json(value: Any) -> None:
    assert json.loads(joined(value)) == value


@given(JSON, st.integers(1, 20))
def test_never_more_lines_than_asked(value: Any, limit: int) -> None:
    block = json_block(value, limit)
    assert 1 <= len(block.lines) <= limit
    whole = joined(value).count("\n") + 1
    assert block.hidden == (whole > limit)


def test_shapes() -> None:
    assert shape({"customer": "CUS-1", "count": 684, "orders": [1] * 684, "none": None}) == (
        '{customer: "CUS-1", count: 684, orders: Array(684), none: null}'
    )
    assert shape({str(n): n for n in range(9)}).endswith("… 3 more}")
    assert shape([]) == "[]"
    assert shape("x" * 99) == json.dumps("x" * 39 + "…", ensure_ascii=False)


def test_deep_and_long_values_stay_small() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    text = joined(deep)
    assert "nested deeper" in text
    assert len(text) < 5000
    assert f"{STRING + 5:,} characters" in joined("x" * (STRING + 5))
    lines = json_block(list(range(1_000_000)), 100).lines
    assert len(lines) == 100


def test_text_keeps_its_end() -> None:
    text = "\n".join(f"line {n}" for n in range(1000))
    block = text_block(text, Room(), "out.0.0")
    assert block.text is not None
    assert block.more
    assert block.text.head.startswith("line 0\n")
    assert block.text.tail.endswith("line 999")
    assert "lines folded" in block.text.gap


@given(st.text(max_size=12_000))
def test_folded_text_loses_nothing_it_shows(text: str) -> None:
    block = text_block(text, Room())
    assert block.text is not None
    assert text.startswith(block.text.head)
    assert text.endswith(block.text.tail)
    assert len(block.text.head) + len(block.text.tail) <= max(len(text), 0)
    assert block.more == (block.text.head != text)


def test_one_long_line_is_folded_by_characters() -> None:
    block = text_block("x" * 5_000_000, Room())
    assert block.text is not None
    assert len(block.text.head) + len(block.text.tail) < 4001
    assert block.text.gap == "4,996,000 characters folded"


def test_a_page_has_only_so_much_room() -> None:
    room = Room()
    blocks = [text_block("word " * 700, room) for _ in range(40)]
    shown = sum(len(b.text.head) + len(b.text.tail) for b in blocks if b.text)
    assert shown < 40_000
    room = Room()
    lines = sum(
        len(b.json.lines)
        for b in [value_block(list(range(500)), room) for _ in range(40)]
        if b.json
    )
    assert lines < 500


def test_json_in_strings_is_shown_as_json() -> None:
    assert embedded(' {"a": 1}') == {"a": 1}
    assert embedded("[1]") == [1]
    for text in ("1", '"x"', "{broken", "text", "", "[" * 100_000):
        assert embedded(text) is None
    assert embedded('{"n": ' + "9" * 5000 + "}") == {"n": "9" * 5000}


@pytest.mark.parametrize(
    "message",
    [
        None,
        5,
        "text",
        [],
        {},
        {"parts": None},
        {"parts": 7},
        {"parts": ["x", None, 3]},
        {"role": 5, "parts": []},
        {
            "role": "user",
            "parts": [{"type": "text"}, {"type": "text", "content": [1]}, {"content": {}}],
        },
        {
            "role": "assistant",
            "parts": [{"type": "tool_call"}, {"type": "tool_call", "arguments": "{"}],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": {"a": 1}, "response": None}],
        },
        {
            "role": "user",
            "parts": [{"type": "blob", "content": "AAAA", "mime_type": None}, {"type": "uri"}],
        },
    ],
)
def test_odd_messages_are_shown_raw(message: Any) -> None:
    (view,) = message_views([message], Room(), "in")
    assert isinstance(brief(message), str)
    assert len(view.parts) == len(parts_of(message))
    for number in range(len(view.parts)):
        part_value([message], 0, number)


def test_a_growing_history() -> None:
    found = delta(["a", "b"], ["a", "b", "c", "d"])
    assert (found.kept, found.new, found.gone) == ((0, 1), (2, 3), 0)


def test_a_history_cut_at_the_front() -> None:
    found = delta(["s", 1, 2, 3, 4], ["s", 3, 4, 5])
    assert (found.kept, found.new, found.gone) == ((0, 1, 2), (3,), 2)


def test_a_rewritten_history() -> None:
    found = delta(["s", 1, 2], ["s", "1 and 2 in short", 9])
    assert (found.kept, found.new, found.gone) == ((0,), (1, 2), 2)
    assert delta([], [1]).new == (0,)
    assert delta([1, 2], []).gone == 2


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_deltas_account_for_every_message(before: list[int], now: list[int]) -> None:
    found = delta(before, now)
    assert sorted(found.kept + found.new) == list(range(len(now)))
    assert found.gone == len(before) - len(found.kept)


def test_an_answer_handed_back_is_an_echo() -> None:
    said = {
        "role": "assistant",
        "finish_reason": "stop",
        "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "yes"}],
    }
    assert is_echo({"role": "assistant", "parts": [{"type": "text", "content": "yes"}]}, [said])
    assert not is_echo({"role": "user", "parts": [{"type": "text", "content": "yes"}]}, [said])
    assert not is_echo({"role": "assistant", "parts": [{"type": "text", "content": "no"}]}, [said])
    assert not is_echo(None, [said])


TRACE = """Traceback (most recent call last):
  File "/home/ana/agent.py", line 3, in run
    call()
  File "/usr/lib/python3.12/site-packages/openai/_base.py", line 9, in request
    raise error
  File "/usr/lib/python3.12/site-packages/httpx/_client.py", line 8, in send
    raise error
  File "/home/ana/tools.py", line 7, in tool
    raise ValueError("no")
ValueError: no
"""


def test_library_frames_fold_and_the_end_stays() -> None:
    found = folds(TRACE)
    assert [(fold.library, fold.count) for fold in found] == [(False, 2), (True, 2), (False, 2)]
    assert found[-1].text.endswith("ValueError: no")
    assert "\n".join(fold.text for fold in found) == TRACE.rstrip("\n")


def test_an_endless_traceback_keeps_its_cause() -> None:
    found = folds("head\n" + '  File "a.py", line 1, in f\n    f()\n' * 9000 + "RecursionError: x")
    assert found[-1].text.endswith("RecursionError: x")
    assert "lines left out" in found[0].text
    assert sum(fold.text.count("\n") for fold in found) < 2100


def test_what_json_cannot_write_is_named() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert dump(deep) == "<list that can't be written>"
    assert dump(10**5000) == "<int that can't be written>"
    assert dump(float("nan")) == "NaN"
