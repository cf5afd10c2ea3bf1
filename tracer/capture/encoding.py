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
DECODED = ":content-encoding"  # beside the headers: the coding that the body came in
Headers = Sequence[tuple[str, str]]


_Decoder = Callable[[bytes], bytes]


def decode_chunks(
    chunks: Sequence[bytes], headers: Headers, asked: Headers = (("accept-encoding", "*"),)
) -> tuple[list[bytes], tuple[tuple[str, str], ...]]:
    """Decoded chunks (as many as came) and the headers that still hold.

    Only a coding that the request (`asked`: its headers) offered to read is decoded: of another
    one the client reads the bytes as they are. What was decoded is named by the header `DECODED`.
    """
    coding = next((v.strip().lower() for n, v in headers if n.lower() == "content-encoding"), "")
    kept = tuple((n, v) for n, v in headers if n.lower() not in _DROPPED)
    if coding in ("", "identity"):
        return list(chunks), kept
    if chunks:  # else its length is that of a body which was not sent
        kept = tuple((n, v) for n, v in kept if n.lower() != "content-length")
    decoder = _decoder(coding) if _offers(asked, coding) else None
    if decoder is not None:
        try:
            return [decoder(chunk) for chunk in chunks], (*kept, (DECODED, coding))
        except Exception:  # a declared encoding that isn't there: keep the bytes and the header
            pass
    return list(chunks), (*kept, ("content-encoding", coding))


def _offers(asked: Headers, coding: str) -> bool:
    offered = ",".join(v.lower() for n, v in asked if n.lower() == "accept-encoding")
    words = [word.split(";")[0].strip() for word in offered.split(",")]
    return coding in words or "*" in words


def encode_chunks(chunks: Sequence[bytes], coding: str, *, whole: bool) -> list[bytes]:
    """The chunks in a coding that `decode_chunks` knows, each readable when it has come.

    Raises ImportError where its package is missing.
    """
    if coding in ("br", "zstd"):
        compress, finish = _brotli_encoder() if coding == "br" else _zstd_encoder()
    else:
        compress, finish = _zlib_encoder(zlib.MAX_WBITS | (0 if coding == "deflate" else 16))
    made = [compress(chunk) for chunk in chunks]
    if whole and made:
        made[-1] += finish()
    return made


def _zlib_encoder(bits: int) -> tuple[_Decoder, Callable[[], bytes]]:
    made = zlib.compressobj(wbits=bits)
    return lambda data: made.compress(data) + made.flush(zlib.Z_SYNC_FLUSH), made.flush


def _brotli_encoder() -> tuple[_Decoder, Callable[[], bytes]]:
    made: Any = _brotli_module().Compressor()
    process = getattr(made, "process", None) or made.compress
    return lambda data: bytes(process(data) + made.flush()), made.finish


def _zstd_encoder() -> tuple[_Decoder, Callable[[], bytes]]:
    library = import_module("zstandard")
    made: Any = library.ZstdCompressor().compressobj()
    block = library.COMPRESSOBJ_FLUSH_BLOCK
    return lambda data: made.compress(data) + made.flush(block), made.flush


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


def _brotli_module() -> Any:
    try:
        return import_module("brotli")
    except ImportError:
        return import_module("brotlicffi")


def _brotli() -> _Decoder | None:
    try:
        decoder: Any = _brotli_module().Decompressor()
    except ImportError:
        return None
    method = getattr(decoder, "process", None) or decoder.decompress
    return lambda data: bytes(method(data))


def _zstd() -> _Decoder | None:
    try:
        decoder: Any = import_module("zstandard").ZstdDecompressor().decompressobj()
    except ImportError:
        return None
    return lambda data: bytes(decoder.decompress(data))
