"""Replies without their secrets, as a client can still read them: whole, or in the pieces it came.

A secret in a model's words is spread over many events of a stream; these are put together first.
"""

from collections.abc import Sequence
from dataclasses import replace

from tracer.capture.redaction import Calls
from tracer.capture.secrets import Secrets
from tracer.core.marks import apply_pieces
from tracer.providers import eventstream, fragments
from tracer.store.writes import Reply

_STREAMS = ("text/event-stream", "application/x-ndjson", "application/jsonl")
# What says something of the body's bytes, and would be a lie of other ones.
_DIGESTS = ("content-md5", "digest", "repr-digest", "content-digest", "x-goog-hash")


def is_stream(reply: Reply) -> bool:
    """Whether a reply says that it is a stream of documents."""
    kind = next((v.lower() for n, v in reply.headers if n.lower() == "content-type"), "")
    return kind.startswith(_STREAMS)


def cleaned(reply: Reply, secrets: Secrets, calls: Calls = (), *, spread: bool) -> Reply:
    """The reply without secrets; `spread`: they may be spread over the events of a stream."""
    body = b"".join(reply.chunks)
    pieces: Sequence[bytes] = reply.chunks
    frames = eventstream.is_stream(body)
    if not (frames or spread or calls or secrets.asks(body)):
        return _replaced(reply, secrets.without_forms(pieces))  # without reading it as JSON
    streamed = frames or fragments.is_streamed(body)
    if streamed and spread:
        edits = fragments.edits(
            body, lambda found: secrets.clean_pieces(found, "reply", calls=calls)
        )
        pieces = apply_pieces(pieces, edits)
        body = b"".join(pieces)
    if frames:
        edits = fragments.each(body, lambda document: secrets.clean(document, "reply"))
        pieces = apply_pieces(pieces, edits)
    elif streamed:
        pieces = secrets.without_forms(pieces)
    else:
        pieces = secrets.clean_pieces(pieces, "reply", calls=calls)
    return _replaced(reply, pieces)


def _replaced(reply: Reply, pieces: Sequence[bytes]) -> Reply:
    if tuple(pieces) == reply.chunks:
        return reply
    grown = sum(map(len, pieces)) - sum(map(len, reply.chunks))
    # An empty chunk would be taken for the end.
    kept = [
        (new, time)
        for new, old, time in zip(pieces, reply.chunks, reply.times_us, strict=True)
        if new or not old
    ]
    return replace(
        reply,
        headers=tuple(_headers(reply.headers, grown)),
        chunks=tuple(new for new, _ in kept),
        times_us=tuple(time for _, time in kept),
    )


def _headers(headers: Sequence[tuple[str, str]], grown: int) -> list[tuple[str, str]]:
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        lower = name.lower()
        if lower in _DIGESTS or lower.startswith("x-amz-checksum-"):
            continue
        if lower == "content-length" and value.strip().isdigit():
            kept.append((name, str(int(value) + grown)))
        else:
            kept.append((name, value))
    return kept
