"""How a stream's pieces of JSON are told apart. A piece is an `SseEvent` in each framing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tracer.providers import sse
from tracer.providers.base import HttpReply
from tracer.providers.sse import SseEvent
from tracer.providers.wire import STREAM_TYPE, is_stream

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


SSE = Framing(STREAM_TYPE, is_stream, sse.parse, sse.emit)
