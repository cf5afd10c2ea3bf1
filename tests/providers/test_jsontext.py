"""Tolerant JSON: what comes back for hostile text, and what is passed on untouched."""

from typing import Any

import pytest

from tracer.providers.jsontext import (
    MAX_DEPTH,
    arguments_text,
    dumps,
    load_object,
    parse_arguments,
    same_json,
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('{"a": 1.5}', {"a": 1.5}),
        ("[1]", [1]),
        ("5", 5),
        ("null", None),
        ('"quoted"', '"quoted"'),  # text stays raw, or it could not be told from raw text
        ('{"a": ', '{"a": '),
        ("", ""),
        ('{"a": NaN}', '{"a": NaN}'),
        ('{"a": 1e999}', '{"a": 1e999}'),
        ("[" * 100_000, "[" * 100_000),
        ("9" * 5000, "9" * 5000),
        ({"a": 1}, {"a": 1}),
        (None, None),
    ],
)
def test_arguments_are_parsed_where_they_parse(raw: Any, expected: Any) -> None:
    parsed = parse_arguments(raw)
    assert same_json(parsed, expected)
    if isinstance(raw, str):
        assert same_json(parse_arguments(arguments_text(parsed)), expected)


def test_depth_is_limited() -> None:
    just_right = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert load_object(f'{{"a": {just_right}}}') is not None
    assert load_object(f'{{"a": [{just_right}]}}') is None
    wide = '{"a": [' + "[]," * 500 + "[]]}"
    assert load_object(wide) is not None


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff\xfe", b'"a"', b'{"a":' * 50_000])
def test_what_is_no_object_is_none(body: bytes) -> None:
    assert load_object(body) is None


def test_numbers_that_are_no_json_are_none() -> None:
    assert load_object(b'{"a": [NaN, -Infinity, 1e999, 2.5]}') == {"a": [None, None, None, 2.5]}


def test_lone_surrogates_can_be_written() -> None:
    value = load_object(b'{"a": "\\ud800 \xc3\xa9"}')
    text = dumps(value)
    assert load_object(text.encode()) == value
    assert "é" in dumps({"a": "é"})


def test_numbers_of_other_kinds_differ() -> None:
    assert same_json({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert not same_json(1, 1.0)
    assert not same_json(1, True)
