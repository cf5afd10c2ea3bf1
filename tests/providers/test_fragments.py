"""A secret that a stream brings letter by letter is found, and the stream stays one."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.core.marks import Edit, apply, apply_pieces
from tracer.providers import eventstream, fragments

SECRET = 's3cr\u00e9t-"4711"'
MARK = b"[redacted:abcdefghijkl]"


def _clean(pieces: Sequence[bytes]) -> list[bytes]:
    whole, secret = b"".join(pieces), SECRET.encode()
    edits: list[Edit] = []
    at = whole.find(secret)
    while at >= 0:
        edits.append(Edit(at, at + len(secret), MARK))
        at = whole.find(secret, at + len(secret))
    return apply_pieces(pieces, edits)


def _sse(events: list[Any]) -> bytes:
    said = "".join(f"event: e\ndata: {json.dumps(event)}\n\n" for event in events)
    return f": hello\n\n{said}data: [DONE]\n\n".encode()


def _read_sse(body: bytes) -> list[Any]:
    lines = body.replace(b"\r", b"\n").split(b"\n")
    return [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]


def _frames(events: list[Any]) -> bytes:
    return eventstream.emit([("e", json.dumps(event).encode()) for event in events])


def _read_frames(body: bytes) -> list[Any]:
    frames = eventstream.parse(body).frames
    assert all(frame.sound for frame in frames)
    return [json.loads(frame.payload) for frame in frames]


def _coded(events: list[Any]) -> bytes:
    coded = [base64.b64encode(json.dumps(event).encode()).decode() for event in events]
    return _frames([{"bytes": code, "p": "abc"} for code in coded])


def _read_coded(body: bytes) -> list[Any]:
    return [json.loads(base64.b64decode(event["bytes"])) for event in _read_frames(body)]


def _read_lines(body: bytes) -> list[Any]:
    return [json.loads(line) for line in body.splitlines()]


FRAMINGS: dict[str, tuple[Callable[[list[Any]], bytes], Callable[[bytes], list[Any]]]] = {
    "sse": (_sse, _read_sse),
    "sse, crlf": (lambda events: _sse(events).replace(b"\n", b"\r\n"), _read_sse),
    "sse, cr": (lambda events: _sse(events).replace(b"\n", b"\r"), _read_sse),
    "lines": (lambda e: "".join(f"{json.dumps(v)}\n" for v in e).encode(), _read_lines),
    "array": (lambda events: json.dumps(events, indent=1).encode(), json.loads),
    "event stream": (_frames, _read_frames),
    "event stream of base64": (_coded, _read_coded),
}
# Made of the piece and the number of the text it belongs to; and how to get at the piece.
SHAPES: dict[str, tuple[Callable[[str, int], Any], Callable[[Any], tuple[int, str]]]] = {
    "chat": (
        lambda piece, n: {"id": "c", "choices": [{"index": n, "delta": {"content": piece}}]},
        lambda e: (e["choices"][0]["index"], e["choices"][0]["delta"]["content"]),
    ),
    "messages": (
        lambda piece, n: {"type": "delta", "index": n, "delta": {"type": "t", "text": piece}},
        lambda e: (e["index"], e["delta"]["text"]),
    ),
    "responses": (
        lambda piece, n: {"type": "delta", "output_index": n, "delta": piece, "sequence": 1},
        lambda e: (e["output_index"], e["delta"]),
    ),
}


@pytest.mark.parametrize("framing", FRAMINGS)
@given(
    shape=st.sampled_from(sorted(SHAPES)),
    texts=st.tuples(st.text(max_size=9), st.text(max_size=9)),
    cuts=st.lists(st.integers(1, 5), max_size=12),
)
def test_a_secret_in_pieces(
    framing: str, shape: str, texts: tuple[str, str], cuts: list[int]
) -> None:
    emit, read = FRAMINGS[framing]
    make, take = SHAPES[shape]
    whole = texts[0] + SECRET + texts[1]
    pieces, rest = list[str](), whole
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    events: list[Any] = []
    for piece in [*pieces, rest]:
        events += [make(piece, 0), make("other", 1)]  # two texts, in turns
    body = emit(events)
    clean = apply(body, fragments.edits(body, _clean))
    said = [take(event) for event in read(clean)]
    assert len(said) == len(events)
    joined = "".join(piece for number, piece in said if number == 0)
    assert joined == _clean([whole.encode()])[0].decode()
    assert {piece for number, piece in said if number == 1} == {"other"}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_stream_without_secrets_keeps_its_bytes(framing: str) -> None:
    body = FRAMINGS[framing][0]([{"a": "one"}, {"a": "two", "n": 1.50}])
    assert fragments.edits(body, _clean) == []


@given(st.binary())
def test_odd_bytes_raise_nothing(data: bytes) -> None:
    fragments.edits(data, _clean)
    fragments.is_streamed(data)
