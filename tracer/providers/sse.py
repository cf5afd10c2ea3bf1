"""Server-sent events: bytes to events and back, on complete bodies and chunk by chunk.

Source: WHATWG HTML, "Server-sent events". Lines end in CR, LF or CRLF; `data` lines of one event
join with a newline; comments and fields without meaning here (`id`, `retry`) are ignored.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r")
_TEXT_LINE_END = re.compile(r"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event: `event` is its name (None when unnamed), `data` its joined data lines.

    `end` counts the bytes from the start of the stream to the end of the blank line that closes
    the event. `whole` is False for a last event that the stream's end cut before that line.
    """

    event: str | None
    data: str
    end: int
    whole: bool = True


class SseParser:
    """Incremental parser: `feed` chunks cut anywhere, then `finish`; both return what is complete.

    The events, with their `end`, do not depend on where the chunks were cut.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._scanned = 0  # bytes of _pending known to hold no line end
        self._consumed = 0  # bytes of the stream before _pending
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that `chunk` completes."""
        self._pending += chunk
        return self._lines(last=False)

    def finish(self) -> list[SseEvent]:
        """The rest at the end of the stream; an event without its blank line has `whole=False`."""
        events = self._lines(last=True)
        if self._pending:
            line = bytes(self._pending)
            self._line(line if self._consumed else line.removeprefix(_BOM))
            self._consumed += len(self._pending)
            self._pending.clear()
        if self._data:
            events.append(self._dispatch(self._consumed, whole=False))
        return events

    def _lines(self, *, last: bool) -> list[SseEvent]:
        events: list[SseEvent] = []
        start = 0
        for match in _LINE_END.finditer(self._pending, self._scanned):
            if match.group() == b"\r" and match.end() == len(self._pending) and not last:
                break  # the LF of a CRLF may be the first byte of the next chunk
            line = bytes(self._pending[start : match.start()])
            if self._consumed == 0 and start == 0:
                line = line.removeprefix(_BOM)
            start = match.end()
            if line:
                self._line(line)
            elif self._data:
                events.append(self._dispatch(self._consumed + start, whole=True))
            else:
                self._event = ""
        del self._pending[:start]
        self._consumed += start
        # One byte is looked at again: it may be a CR that waits for its LF.
        self._scanned = max(0, len(self._pending) - 1)
        return events

    def _line(self, line: bytes) -> None:
        name, _, value = line.decode("utf-8", errors="replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value

    def _dispatch(self, end: int, *, whole: bool) -> SseEvent:
        event = SseEvent(self._event or None, "\n".join(self._data), end, whole)
        self._event, self._data = "", []
        return event


def parse(body: bytes) -> list[SseEvent]:
    """All events of a complete body, a cut last one included (`whole=False`)."""
    parser = SseParser()
    return parser.feed(body) + parser.finish()


def emit(events: Iterable[tuple[str | None, str]]) -> bytes:
    """A stream of `(event name or None, data)`; line ends inside `data` become newlines."""
    out: list[str] = []
    for name, data in events:
        if name:
            out.append(f"event: {_TEXT_LINE_END.sub(' ', name)}\n")
        out.extend(f"data: {line}\n" for line in _TEXT_LINE_END.split(data))
        out.append("\n")
    return "".join(out).encode("utf-8", errors="replace")
