"""How a stream's pieces of JSON are told apart: server-sent events, lines, or one long array.

A piece is an `SseEvent` in each of them; only server-sent events have names.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tracer.providers import sse
from tracer.providers.base import HttpReply
from tracer.providers.jsontext import load_object, loads_at
from tracer.providers.sse import SseEvent
from tracer.providers.wire import JSON_TYPE, STREAM_TYPE, header, is_stream

LINES_TYPE = "application/x-ndjson"
Events = Iterable[tuple[str | None, str]]


@dataclass(frozen=True, slots=True)
class Framing:
    """One way to frame a stream. `emit` is given `(name or None, data)`, `data` without newlines.

    `fits` tells whether a reply is a stream of this framing, `parse` reads a whole body or a cut
    one, whose last event has `whole=False`.
    """

    content_type: str
    fits: Callable[[HttpReply], bool]
    parse: Callable[[bytes], list[SseEvent]]
    emit: Callable[[Events], bytes]


def parse_lines(body: bytes) -> list[SseEvent]:
    """The lines of a body, empty ones left out."""
    events: list[SseEvent] = []
    end = 0
    for line in body.splitlines(keepends=True):
        end += len(line)
        data = line.decode("utf-8", errors="replace").strip()
        if data:
            events.append(SseEvent(None, data, end, whole=line.endswith((b"\n", b"\r"))))
    return events


def parse_array(body: bytes) -> list[SseEvent]:
    """The elements of a JSON array, as far as they can be read; the rest is one last event."""
    # Surrogates stand for bytes that are no UTF-8, so that places in the text can be counted back.
    text = body.decode("utf-8", errors="surrogateescape")
    events: list[SseEvent] = []
    at, counted, end = _skip(text, 0, "\ufeff["), 0, 0
    while at < len(text) and text[at] != "]":
        try:
            _, stop = loads_at(text, at)
        except ValueError:
            rest = text[at:].rstrip()
            events.append(SseEvent(None, _clean(rest), len(body), whole=rest.endswith("]")))
            break
        end += len(text[counted:stop].encode("utf-8", "surrogateescape"))
        counted = stop
        events.append(SseEvent(None, _clean(text[at:stop]), end))
        at = _skip(text, stop, ",")
    return events


def _clean(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _skip(text: str, at: int, signs: str) -> int:
    while at < len(text) and (text[at].isspace() or text[at] in signs):
        at += 1
    return at


def is_array(reply: HttpReply) -> bool:
    """Whether the body is one JSON array."""
    return reply.body.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(b"[")


def _is_lines(reply: HttpReply) -> bool:
    if header(reply.headers, "content-type").startswith(LINES_TYPE):
        return True
    lines = parse_lines(reply.body)[:2]
    return len(lines) > 1 and load_object(lines[0].data) is not None


def _emit_crlf(events: Events) -> bytes:
    return sse.emit(events).replace(b"\n", b"\r\n")


def _emit_lines(events: Events) -> bytes:
    return "".join(f"{data}\n" for _, data in events).encode("utf-8", errors="replace")


def _emit_array(events: Events) -> bytes:
    said = "\n,\r\n".join(data for _, data in events)
    return f"[{said}\n]".encode("utf-8", errors="replace")


SSE = Framing(STREAM_TYPE, is_stream, sse.parse, sse.emit)
SSE_CRLF = Framing("text/event-stream", is_stream, sse.parse, _emit_crlf)
LINES = Framing(LINES_TYPE, _is_lines, parse_lines, _emit_lines)
ARRAY = Framing(f"{JSON_TYPE}; charset=UTF-8", is_array, parse_array, _emit_array)
