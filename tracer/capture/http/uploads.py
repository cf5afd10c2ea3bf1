"""Request bodies, looked at before they are sent, so that what is sent stays the same."""

import io
from collections.abc import Iterable
from typing import Any


def snapshot(body: Any) -> tuple[bytes, Any]:
    """A body's bytes, and the body to send now.

    Files are read from where they stand and put back; what can be read only once is sent from
    memory, in the same pieces. Raises what reading raises.
    """
    if body is None:
        return b"", None
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass"), body
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body), body
    if hasattr(body, "read"):
        return _file(body)
    try:
        return bytes(memoryview(body)), body
    except TypeError:
        pass
    if isinstance(body, Iterable):
        pieces = list(body)
        whole = b"".join(_bytes(piece) for piece in pieces)
        again = isinstance(body, list | tuple | dict | set)
        return whole, body if again else iter(pieces)
    return b"", body  # the client refuses it in its own words


def _file(file: Any) -> tuple[bytes, Any]:
    try:
        place = file.tell()
        file.seek(place)
    except Exception:  # a pipe, or something that only reads
        place = None
    content = file.read()
    if place is not None:
        file.seek(place)
        return _bytes(content), file
    again = io.StringIO(content) if isinstance(content, str) else io.BytesIO(content)
    return _bytes(content), again


def _bytes(piece: Any) -> bytes:
    return piece.encode("utf-8", "surrogatepass") if isinstance(piece, str) else bytes(piece)
