"""The scalars of JSON, where they stand; and what changed between two texts."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tracer.core.changes import changes
from tracer.core.jsonspans import is_document, literal, scalars
from tracer.core.marks import Edit, apply, apply_pieces, in_order

_scalars = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
_documents = st.recursive(
    _scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
).filter(lambda value: isinstance(value, list | dict))


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for at, item in enumerate(value) for leaf in _leaves(item, (*path, at))]
    return [(path, value)]


@given(_documents, st.booleans(), st.sampled_from([None, 2]))
def test_each_scalar_has_its_path_and_its_place(
    value: Any, ascii: bool, indent: int | None
) -> None:
    data = json.dumps(value, ensure_ascii=ascii, indent=indent).encode("utf-8", "surrogatepass")
    assert is_document(data)
    found = list(scalars(data))
    assert [(s.path, json.loads(data[s.start : s.end])) for s in found] == _leaves(value)
    assert all(s.text == json.loads(data[s.start : s.end]) for s in found if s.quoted)
    new = apply(data, [Edit(s.start, s.end, literal("new")) for s in found])
    assert [path for path, said in _leaves(json.loads(new)) if said == "new"] == [
        s.path for s in found
    ]


@given(st.binary())
def test_what_is_no_json_raises_nothing(data: bytes) -> None:
    list(scalars(data))


@given(st.text(), st.text(), st.text(), st.text())
def test_changes_give_both_texts_back(head: str, old: str, new: str, tail: str) -> None:
    before, after = head + old + tail, head + new + tail
    found = list(changes(before, after))
    assert "".join(pair[0] for pair in found) == before
    assert "".join(pair[1] for pair in found) == after


_edits = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.binary(max_size=4)))


@given(st.binary(max_size=30), st.lists(st.integers(0, 8)), _edits)
def test_edits_of_pieces_are_those_of_the_whole(
    data: bytes, cuts: list[int], given_edits: list[tuple[int, int, bytes]]
) -> None:
    found = [Edit(min(a, b), max(a, b), new) for a, b, new in given_edits]
    edits = in_order(e for e in found if e.start < e.end <= len(data))
    pieces, rest = list[bytes](), data
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    made = apply_pieces([*pieces, rest], edits)
    assert len(made) == len(pieces) + 1
    expected, at = b"", 0
    for edit in edits:
        expected += data[at : edit.start] + edit.new
        at = edit.end
    assert b"".join(made) == expected + data[at:]
