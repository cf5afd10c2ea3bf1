"""Content decoding of recorded replies, chunk by chunk, so that chunk boundaries keep their times.

gzip and deflate are in the standard library; br and zstd are decoded when the package that let
the client ask for them is installed. What can't be decoded is kept as it came, with its header,
and still replays.
"""

import zlib
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

_DROPPED = frozenset({"content-encoding", "transfer-encoding", "connection"})
Headers = tuple[tuple[str, str], ...]


_Decoder = Callable[[bytes], bytes]


def decode_chunks(chunks: Sequence[bytes], headers: Headers) -> tuple[list[bytes], Headers]:
    """Decoded chunks (as many as came) and the headers that still hold."""
    coding = next((v.strip().lower() for n, v in headers if n.lower() == "content-encoding"), "")
    kept = tuple((n, v) for n, v in headers if n.lower() not in _DROPPED)
    if coding in ("", "identity"):
        return list(chunks), kept
    length = tuple((n, v) for n, v in kept if n.lower() == "content-length")
    # Of the body as it was sent; a request for headers alone is answered with nothing else.
    kept = tuple(pair for pair in kept if pair not in length) + (() if chunks else length)
    decoder = _decoder(coding)
    if decoder is not None:
        try:
            return [decoder(chunk) for chunk in chunks], kept
        except Exception:  # a declared encoding that isn't there: keep the bytes and the header
            pass
    return list(chunks), (*kept, ("content-encoding", coding))


def _decoder(coding: str) -> _Decoder | None:
    if coding in ("gzip", "x-gzip"):
        gzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return gzip.decompress
    if coding == "deflate":
        plain = zlib.decompressobj()
        return plain.decompress
    # Optional packages, present exactly when the client could ask for their encoding.
    if coding == "br":
        return _brotli()
    if coding == "zstd":
        return _zstd()
    return None


def _brotli() -> _Decoder | None:
    for name in ("brotli", "brotlicffi"):
        try:
            decoder: Any = import_module(name).Decompressor()
        except ImportError:
            continue
        method = getattr(decoder, "process", None) or decoder.decompress
        return lambda data: bytes(method(data))
    return None


def _zstd() -> _Decoder | None:
    try:
        decoder: Any = import_module("zstandard").ZstdDecompressor().decompressobj()
    except ImportError:
        return None
    return lambda data: bytes(decoder.decompress(data))
