"""Amazon event streams: round trips, corruption, truncation, every header type."""

import base64
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.providers import eventstream
from tracer.providers.eventstream import parse

_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
_values = st.text(st.characters(codec="utf-8"), max_size=40) | st.binary(max_size=40)
_frames = st.lists(st.tuples(st.dictionaries(_names, _values, max_size=4), st.binary()), min_size=1)

# As a service sends it: one frame, made by hand from the description of the format.
_HEADERS = b"\x0b:event-type\x07\x00\x0cmessageStart\x0d:message-type\x07\x00\x05event"
_PRELUDE = struct.pack(">II", 16 + len(_HEADERS) + 2, len(_HEADERS))
_BODY = _PRELUDE + struct.pack(">I", zlib.crc32(_PRELUDE)) + _HEADERS + b"{}"
KNOWN = _BODY + struct.pack(">I", zlib.crc32(_BODY))


def test_a_known_frame_is_read_and_written() -> None:
    [frame] = parse(KNOWN).frames
    assert frame.headers == {":event-type": "messageStart", ":message-type": "event"}
    assert (frame.payload, frame.end, frame.sound) == (b"{}", len(KNOWN), True)
    assert (
        eventstream.frame({":event-type": "messageStart", ":message-type": "event"}, b"{}") == KNOWN
    )


@given(_frames)
def test_round_trip(frames: list[tuple[dict[str, str | bytes], bytes]]) -> None:
    pieces = [eventstream.frame(headers, payload) for headers, payload in frames]
    found = parse(b"".join(pieces))
    assert [(frame.headers, frame.payload) for frame in found.frames] == frames
    assert all(frame.sound for frame in found.frames)
    assert (found.cut, found.broken) == (False, False)
    assert [frame.end for frame in found.frames] == [
        sum(map(len, pieces[: i + 1])) for i in range(len(pieces))
    ]


@given(_frames, st.data())
def test_a_cut_stream_gives_its_whole_frames(
    frames: list[tuple[dict[str, str | bytes], bytes]], data: st.DataObject
) -> None:
    pieces = [eventstream.frame(headers, payload) for headers, payload in frames]
    body = b"".join(pieces)
    size = data.draw(st.integers(0, len(body) - 1))
    found = parse(body[:size])
    ends = [frame.end for frame in parse(body).frames]
    assert [frame.end for frame in found.frames] == [end for end in ends if end <= size]
    assert found.cut == (size not in (0, *ends))
    assert not found.broken


def test_a_frame_may_be_cut_anywhere() -> None:
    for size in range(1, len(KNOWN)):
        found = parse(KNOWN + KNOWN[:size])
        assert (len(found.frames), found.cut, found.broken) == (1, True, False), size


@given(_frames, st.data())
def test_one_wrong_byte_is_noticed(
    frames: list[tuple[dict[str, str | bytes], bytes]], data: st.DataObject
) -> None:
    body = bytearray(b"".join(eventstream.frame(headers, payload) for headers, payload in frames))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    found = parse(bytes(body))
    assert found.broken or not all(frame.sound for frame in found.frames)


@given(st.binary())
def test_odd_bytes_are_no_frames(data: bytes) -> None:
    for body in (data, KNOWN + data):
        found = parse(body)
        assert [frame.payload for frame in found.frames][: body.startswith(KNOWN)] == [b"{}"] * (
            body.startswith(KNOWN)
        )
        assert found.cut or found.broken or sum(1 for _ in found.frames) * 16 <= len(body)
        eventstream.is_stream(body)


def test_lengths_that_contradict_each_other_end_the_stream() -> None:
    for total, headers in ((15, 0), (20, 5), (0, 0)):
        prelude = struct.pack(">II", total, headers)
        body = KNOWN + prelude + struct.pack(">I", zlib.crc32(prelude)) + b"\0" * 20
        found = parse(body)
        assert (len(found.frames), found.broken) == (1, True)


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        (0, b"", True),
        (1, b"", False),
        (2, b"\xff", -1),
        (3, b"\x01\x00", 256),
        (4, b"\x00\x00\x01\x00", 256),
        (5, b"\x7f" + b"\xff" * 7, 2**63 - 1),
        (6, b"\x00\x02\x00\xff", b"\x00\xff"),
        (7, b"\x00\x03a\xc3\xa9", "aé"),
        (8, b"\x00" * 7 + b"\x05", 5),
        (9, bytes(range(16)), bytes(range(16))),
    ],
)
def test_header_types(kind: int, data: bytes, value: object) -> None:
    after = b"\x01z\x07\x00\x01y"
    header = b"\x01a" + bytes((kind,)) + data
    [frame] = parse(_framed(header + after)).frames
    assert frame.headers == {"a": value, "z": "y"}
    assert frame.text("z") == "y"
    assert frame.text("missing") == ""


@pytest.mark.parametrize(
    "header", [b"\x09a", b"\x01a\x63", b"\x01a\x07\x00\x09b", b"\x01a\x04\x00"]
)
def test_headers_that_do_not_add_up_are_left_out(header: bytes) -> None:
    [frame] = parse(_framed(header)).frames
    assert (frame.headers, frame.payload, frame.sound) == ({}, b"{}", True)


def _framed(headers: bytes) -> bytes:
    prelude = struct.pack(">II", 16 + len(headers) + 2, len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + b"{}"
    return body + struct.pack(">I", zlib.crc32(body))


def test_a_frame_with_another_payload_is_sealed_again() -> None:
    body = eventstream.emit([("a", b'{"text":"my secret"}')])
    [before] = parse(body).frames
    head = body[: before.end - 4 - len(before.payload)]
    [after] = parse(eventstream.reframed(head, b'{"text":"much longer than it was"}')).frames
    assert (after.sound, after.headers) == (True, before.headers)
    assert after.payload == b'{"text":"much longer than it was"}'
    assert eventstream.reframed(head, before.payload) == body


def test_pieces_of_base64_are_joined_by_their_bytes() -> None:
    pieces = [base64.b64encode(piece).decode() for piece in (b"a", b"bcd", b"ef")]
    assert base64.b64decode(eventstream.joined_base64(pieces)) == b"abcdef"
    assert eventstream.joined_base64(["?", "!"]) == "?!"
    assert eventstream.joined_base64(["YQ"]) == "YQ"  # to the letter, even if it is odd
