"""Amazon event streams (`application/vnd.amazon.eventstream`): bytes to frames and back.

A frame is `[total length u32][header length u32][CRC of these 8 bytes][headers][payload][CRC of
all before]`, numbers big-endian, CRC-32 as in zlib. A header is a name with its length in one byte,
a type and a value. Nothing here raises on odd bytes.
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CONTENT_TYPE = "application/vnd.amazon.eventstream"

HeaderValue = str | bytes | int | bool

_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")
_OVERHEAD = 16  # bytes of a frame without headers and payload
_TRUE, _FALSE, _BYTES, _STRING = 0, 1, 6, 7
_LENGTH = struct.Struct(">H")
_NUMBERS = {2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}  # 8: milliseconds since the epoch
_UUID, _UUID_SIZE = 9, 16


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `end` counts the bytes from the start of the stream to the frame's end.

    `sound` is False where the frame's own checksum does not fit; its content is given all the same.
    """

    headers: Mapping[str, HeaderValue]
    payload: bytes
    end: int
    sound: bool = True

    def text(self, name: str) -> str:
        """The header called `name`, "" when there is none or it is no text."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a body, and how it ended.

    `cut`: the body stops inside a frame. `broken`: what follows the frames is none (a checksum of
    lengths that does not fit, lengths that contradict each other), so nothing after it is read.
    """

    frames: tuple[Frame, ...]
    cut: bool = False
    broken: bool = False


def parse(body: bytes) -> Frames:
    """All frames of a complete or cut body."""
    frames: list[Frame] = []
    start = 0
    while start < len(body):
        rest = len(body) - start
        if rest < _OVERHEAD - 4:  # not even the lengths and their checksum
            return Frames(tuple(frames), cut=True)
        if not _has_prelude(body, start):
            return Frames(tuple(frames), broken=True)
        total, headers_size = _PRELUDE.unpack_from(body, start)
        if total < _OVERHEAD + headers_size:
            return Frames(tuple(frames), broken=True)
        end = start + total
        if end > len(body):
            return Frames(tuple(frames), cut=True)
        payload = start + 12 + headers_size
        (checksum,) = _CRC.unpack_from(body, end - 4)
        headers = _read_headers(body[start + 12 : payload])
        sound = zlib.crc32(body[start : end - 4]) == checksum
        frames.append(Frame(headers or {}, body[payload : end - 4], end, sound))
        start = end
    return Frames(tuple(frames))


def is_stream(body: bytes) -> bool:
    """Whether a body begins as an event stream does: with lengths whose checksum fits."""
    return len(body) >= 12 and _has_prelude(body, 0)


def frame(headers: Mapping[str, str | bytes], payload: bytes) -> bytes:
    """One frame. Header texts that do not fit are cut: names at 255, values at 32767 bytes."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    prelude = _PRELUDE.pack(_OVERHEAD + len(head) + len(payload), len(head))
    body = prelude + _CRC.pack(zlib.crc32(prelude)) + head + payload
    return body + _CRC.pack(zlib.crc32(body))


def emit(events: Iterable[tuple[str, bytes]]) -> bytes:
    """A stream of JSON events, as `(event type, payload)`."""
    return b"".join(
        frame(
            {":event-type": name, ":content-type": "application/json", ":message-type": "event"},
            payload,
        )
        for name, payload in events
    )


def exception(name: str, payload: bytes) -> bytes:
    """The frame with which a service breaks a stream off; `name` as in `throttlingException`."""
    headers = {
        ":exception-type": name,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return frame(headers, payload)


def reframed(head: bytes, payload: bytes) -> bytes:
    """A frame with another payload; `head` is the old one's beginning, up to its payload."""
    headers = head[12:]
    prelude = _PRELUDE.pack(_OVERHEAD + len(headers) + len(payload), len(headers))
    body = prelude + _CRC.pack(zlib.crc32(prelude)) + headers + payload
    return body + _CRC.pack(zlib.crc32(body))


def joined_base64(pieces: list[str]) -> str:
    """One base64 text for the bytes of several, which end in padding each."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        return base64.b64encode(
            b"".join(base64.b64decode(piece, validate=True) for piece in pieces)
        ).decode()
    except (binascii.Error, ValueError):
        return "".join(pieces)


def _has_prelude(body: bytes, start: int) -> bool:
    (checksum,) = _CRC.unpack_from(body, start + 8)
    return bool(zlib.crc32(body[start : start + 8]) == checksum)


def _header(name: str, value: str | bytes) -> bytes:
    key = _fitting(name.encode("utf-8", "replace"), 255)
    kind = _BYTES if isinstance(value, bytes) else _STRING
    data = value if isinstance(value, bytes) else value.encode("utf-8", "replace")
    data = _fitting(data, 32767)
    return bytes((len(key),)) + key + bytes((kind,)) + _LENGTH.pack(len(data)) + data


def _fitting(data: bytes, size: int) -> bytes:
    return data[:size]


def _read_headers(data: bytes) -> dict[str, HeaderValue] | None:
    """The headers, None where they do not add up."""
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(data):
            name_end = at + 1 + data[at]
            name, kind = data[at + 1 : name_end].decode("utf-8", "replace"), data[name_end]
            headers[name], at = _value(data, kind, name_end + 1)
    except (IndexError, struct.error):
        return None
    return headers


def _value(data: bytes, kind: int, at: int) -> tuple[HeaderValue, int]:
    """A header's value and where it ends. Raises IndexError or struct.error where it is cut."""
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    if kind in _NUMBERS:
        number: int
        (number,) = struct.unpack_from(_NUMBERS[kind], data, at)
        return number, at + struct.calcsize(_NUMBERS[kind])
    if kind == _UUID:
        size = _UUID_SIZE
    elif kind in (_BYTES, _STRING):
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
    else:
        raise IndexError(f"no header type {kind}")
    value = data[at : at + size]
    if len(value) < size:
        raise IndexError("a header's value is cut")
    return value.decode("utf-8", "replace") if kind == _STRING else value, at + size
