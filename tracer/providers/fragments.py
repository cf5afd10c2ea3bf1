"""Texts that a stream brings in pieces, put together, changed, and put back into its events.

A model's words come a few letters an event, so that no event holds a whole secret. What stands at
the same place of events of one kind (the same path, and the same `index` or id on the way there)
is one text. This needs no provider's format, and what it doesn't touch keeps its bytes.
"""

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tracer.core.jsonspans import Scalar, is_document, literal, scalars
from tracer.core.marks import Edit, apply, in_order
from tracer.providers import eventstream

Pieces = list[bytes]
Clean = Callable[[Sequence[bytes]], Pieces]

_LINE = re.compile(rb"(?:^|(?<=\r))(?:data:[ ]?)?(\{[^\r\n]*\})[ ]*(?=[\r\n]|\Z)", re.MULTILINE)
# What tells events of one kind apart; of other fields a stream may have any number.
_INDEXES = frozenset(
    (
        *("index", "content_index", "output_index", "summary_index", "contentBlockIndex"),
        *("item_id", "type"),
    )
)
_WHOLE = 8  # bytes of a text that is no piece of one
_CODED = re.compile(rb'"bytes"\s*:\s*"([A-Za-z0-9+/]+=*)"')  # what invoke wraps events in


@dataclass(frozen=True, slots=True)
class _Event:
    """A document in a body: `body[start:end]` becomes `wrap(document)`."""

    start: int
    end: int
    document: bytes
    wrap: Callable[[bytes], bytes]


def edits(body: bytes, clean: Clean) -> list[Edit]:
    """Changes to a stream, so that each of its texts is what `clean` makes of its pieces."""
    events = list(_events(body))
    groups: dict[object, list[tuple[int, Scalar]]] = defaultdict(list)
    for number, event in enumerate(events):
        found = list(scalars(event.document))
        marks = [scalar for scalar in found if _tells(scalar)]
        for scalar in found:
            if scalar.quoted and scalar.text and not _tells(scalar):
                groups[_group(scalar, marks)].append((number, scalar))
    changed: dict[int, list[Edit]] = defaultdict(list)
    for members in groups.values():
        for number, edit in _changes(members, clean):
            changed[number].append(edit)
    made = []
    for number, changes in sorted(changed.items()):
        event = events[number]
        new = event.wrap(apply(event.document, in_order(changes)))
        made.append(Edit(event.start, event.end, new))
    return made


def _changes(members: list[tuple[int, Scalar]], clean: Clean) -> Iterator[tuple[int, Edit]]:
    pieces = [scalar.text.encode("utf-8", "surrogatepass") for _, scalar in members]
    if len(pieces[0]) >= _WHOLE and len(set(pieces)) == 1:  # the same in each event, as an id is
        made = clean(pieces[:1]) * len(pieces)
    else:
        made = clean(pieces)
    for (number, scalar), old, new in zip(members, pieces, made, strict=True):
        if old != new:
            said = literal(new.decode("utf-8", "surrogatepass"))
            yield number, Edit(scalar.start, scalar.end, said)


def each(body: bytes, clean: Callable[[bytes], bytes]) -> list[Edit]:
    """Changes to an event stream, so that each document in it is what `clean` makes of it."""
    made = []
    for event in _frames(body):
        new = clean(event.document)
        if new != event.document:
            made.append(Edit(event.start, event.end, event.wrap(new)))
    return made


def is_streamed(body: bytes) -> bool:
    """Whether a body is a stream of JSON documents."""
    if body.lstrip()[:1] == b"[":
        return True
    return _LINE.search(body) is not None and not is_document(body)


def _tells(scalar: Scalar) -> bool:
    return bool(scalar.path) and scalar.path[-1] in _INDEXES


def _group(scalar: Scalar, marks: list[Scalar]) -> object:
    """What the text of an event is called; the place of the event in an array is no part of it."""
    path = scalar.path
    skip = isinstance(path[0], int) if path else 0
    on_the_way = (
        (mark.path[skip:], mark.text)
        for mark in marks
        if path[: len(mark.path) - 1] == mark.path[:-1]
    )
    return path[skip:], tuple(on_the_way)


def _events(body: bytes) -> Iterator[_Event]:
    if eventstream.is_stream(body):
        yield from _frames(body)
    elif body.lstrip()[:1] == b"[" and is_document(body):  # one long array
        yield _Event(0, len(body), body, _same)
    else:
        for line in _LINE.finditer(body):
            yield _Event(*line.span(1), line.group(1), _same)


def _same(document: bytes) -> bytes:
    return document


def _frames(body: bytes) -> Iterator[_Event]:
    start = 0
    for frame in eventstream.parse(body).frames:
        at, end = frame.end - 4 - len(frame.payload), frame.end
        head, payload = body[start:at], frame.payload
        coded = _CODED.search(payload)
        inner = None if coded is None else _decoded(coded.group(1))
        if coded is None or inner is None or inner[:1] != b"{":
            yield _Event(start, end, payload, _framed(head, b"", b""))
        else:
            before, after = payload[: coded.start(1)], payload[coded.end(1) :]
            yield _Event(start, end, inner, _framed(head, before, after, coded=True))
        start = end


def _framed(
    head: bytes, before: bytes, after: bytes, *, coded: bool = False
) -> Callable[[bytes], bytes]:
    """A frame around another document, with the headers it had."""

    def wrap(document: bytes) -> bytes:
        inner = base64.b64encode(document) if coded else document
        return eventstream.reframed(head, before + inner + after)

    return wrap


def _decoded(coded: bytes) -> bytes | None:
    try:
        return base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        return None
