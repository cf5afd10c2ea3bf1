import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracer.core.fingerprint import (
    TAG,
    canonical_document,
    canonical_json,
    digest,
    fingerprint,
)

# A loaded machine is no failure.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Small and bounded: what matters is nesting and odd text, not size.
scalars = (
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=8) | st.floats()
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@patient
@given(values)
def test_white_space_and_key_order_do_not_matter(value: Any) -> None:
    def turned(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: turned(item[key]) for key in reversed(item)}
        return [turned(part) for part in item] if isinstance(item, list) else item

    tight = json.dumps(value, separators=(",", ":"))
    wide = json.dumps(turned(value), indent=3, ensure_ascii=False)
    if "\ud800" <= max(wide, default="") <= "\udfff":
        wide = json.dumps(turned(value), indent=3)
    assert canonical_document(tight) == canonical_document(wide)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("1.0", "1.00"),
        ("1e5", "100000"),
        ('"1"', "1"),
        ("[1,2]", "[2,1]"),
        ("null", '"null"'),
        ("{}", "[]"),
        ('"e\u0301"', '"\u00e9"'),  # not normalised: the provider sees different bytes too
    ],
)
def test_what_means_something_else_is_something_else(one: str, other: str) -> None:
    assert canonical_document(one) != canonical_document(other)


def test_an_escape_and_the_letter_are_the_same() -> None:
    assert canonical_document('"\\u00e9"') == canonical_document('"é"')
    assert canonical_document(b'{"a":1}') == canonical_document('{"a":1}')


def test_lone_surrogates_survive() -> None:
    assert canonical_document('"\\ud800"') != canonical_document('"\\ud801"')
    assert fingerprint("\ud800") != fingerprint("\ud801")


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nul", '{"a":1} x', "1" * 5000])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        canonical_document(text)


def test_what_is_no_json_value_is_refused() -> None:
    with pytest.raises(TypeError):
        canonical_json({"a": object()})


@patient
@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_parts_do_not_run_together(one: list[bytes], other: list[bytes]) -> None:
    assert (digest(one) == digest(other)) == (one == other)


def test_the_format_stays() -> None:
    """These values are in databases: a change here needs a new tag."""
    assert TAG == "b2:"
    assert fingerprint("POST", b"/v1/messages") == "b2:9cb0d54337e734331bad00f947bee13f"
    assert canonical_document('{"b":[1.50,"é"],"a":null}') == (
        '{"a":null,"b":["\\u0000f1.50","é"]}'.encode()
    )
