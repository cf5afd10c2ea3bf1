"""Small packed forms: the times of a reply's chunks, and headers that name the body's length."""

import json
from collections.abc import Sequence

from tracer.core import varints
from tracer.core.records import JSON

Headers = tuple[tuple[str, str], ...]


def pack_chunks(chunks: Sequence[bytes], times_us: Sequence[int]) -> bytes:
    """Length and time since the chunk before, two varints a chunk (the times zigzag)."""
    packed = bytearray()
    before = 0
    for chunk, time_us in zip(chunks, times_us, strict=True):
        varints.put(packed, len(chunk))
        varints.put(packed, varints.zigzag(time_us - before))
        before = time_us
    return bytes(packed)


def unpack_chunks(packed: bytes, body: bytes) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """The chunks of a body and their times. Raises ValueError when they don't fit together."""
    chunks: list[bytes] = []
    times: list[int] = []
    at = offset = now = 0
    while at < len(packed):
        length, at = varints.get(packed, at)
        step, at = varints.get(packed, at)
        now += varints.unzigzag(step)
        chunks.append(body[offset : offset + length])
        times.append(now)
        offset += length
    if offset != len(body):
        raise ValueError(f"chunks of {offset} bytes for a body of {len(body)}")
    return tuple(chunks), tuple(times)


def pack_headers(headers: Headers, body_length: int) -> JSON:
    """`[[name, value], ...]`; a content length that tells the truth becomes null.

    It is the one header that differs between the calls of a conversation: without it their
    headers are equal and stored once.
    """
    length = str(body_length)
    return [
        [name, None if value == length and name.lower() == "content-length" else value]
        for name, value in headers
    ]


def unpack_headers(packed: bytes, body_length: int) -> Headers:
    """The headers of `pack_headers`; `body_length` fills in what it left out."""
    return tuple(
        (name, str(body_length) if value is None else value) for name, value in json.loads(packed)
    )
