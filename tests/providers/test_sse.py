"""Server-sent events: what the standard says, and round trips under any chunking."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.providers.sse import SseEvent, SseParser, emit, parse

_names = st.none() | st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1
).filter(lambda name: not name.startswith(" "))
_data = st.text(st.characters(codec="utf-8", exclude_characters="\r"))
_events = st.lists(st.tuples(_names, _data))


def _said(events: list[SseEvent]) -> list[tuple[str | None, str]]:
    return [(event.event, event.data) for event in events]


@given(_events)
def test_emitted_events_are_parsed_again(events: list[tuple[str | None, str]]) -> None:
    assert _said(parse(emit(events))) == events


@given(_events, st.sampled_from(["\n", "\r", "\r\n"]), st.lists(st.integers(0, 40)))
def test_chunk_edges_change_nothing(
    events: list[tuple[str | None, str]], line_end: str, sizes: list[int]
) -> None:
    body = b"\xef\xbb\xbf" + emit(events).replace(b"\n", line_end.encode())
    parser, parsed, start = SseParser(), list[SseEvent](), 0
    for size in sizes:
        parsed += parser.feed(body[start : start + size])
        start += size
    parsed += parser.feed(body[start:]) + parser.finish()
    assert parsed == parse(body)
    assert _said(parsed) == events


@given(_events, st.sampled_from(["\n", "\r", "\r\n"]))
def test_the_end_of_an_event_cuts_the_stream_behind_it(
    events: list[tuple[str | None, str]], line_end: str
) -> None:
    body = emit(events).replace(b"\n", line_end.encode())
    parsed = parse(body)
    for i, event in enumerate(parsed):
        assert parse(body[: event.end]) == parsed[: i + 1]
        assert event.whole
    assert not parsed or parsed[-1].end == len(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b": ping\n\ndata: a\n\n", [(None, "a")]),
        (b"data: a\ndata:b\ndata\n\n", [(None, "a\nb\n")]),
        (b"event: x\n\ndata: a\n\n", [(None, "a")]),
        (b"id: 1\nretry: 5\nevent: x\ndata:  a\n\n", [("x", " a")]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [(None, "a"), (None, "b"), (None, "c")]),
        (b"data: \xff\xc3\n\n", [(None, "\ufffd\ufffd")]),
        (b"", []),
    ],
)
def test_the_standard(body: bytes, expected: list[tuple[str | None, str]]) -> None:
    assert _said(parse(body)) == expected


def test_a_character_cut_in_two_is_whole() -> None:
    parser = SseParser()
    assert parser.feed(b"data: \xe2\x98") == []
    assert _said(parser.feed(b"\x80\n\n")) == [(None, "\u2600")]


def test_a_cut_last_event_is_marked() -> None:
    whole, cut = parse(b"data: a\n\ndata: b\n")
    assert (whole.whole, whole.end) == (True, 9)
    assert (cut.whole, cut.data, cut.end) == (False, "b", 17)


def test_an_event_is_told_as_soon_as_it_is_complete() -> None:
    assert _said(SseParser().feed(b"data: a\n\n")) == [(None, "a")]


def test_many_small_chunks_take_time_in_proportion() -> None:
    parser = SseParser()
    events = [e for _ in range(200_000) for e in parser.feed(b"x")]
    assert events == []
    assert _said(parser.feed(b"\ndata: a\n\n")) == [(None, "a")]
