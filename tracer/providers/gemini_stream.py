"""Gemini streams to the object that a request without streaming would have got.

Each chunk has the shape of a whole reply. Texts grow from chunk to chunk; two text parts in one
chunk are two parts. An error may follow the chunks as bare JSON, without the framing of events.
"""

from typing import Any

from tracer.core.records import ErrorInfo
from tracer.providers.base import HttpReply
from tracer.providers.errors import error_of, invalid_json
from tracer.providers.framing import ARRAY, SSE
from tracer.providers.gemini_calls import OpenCall
from tracer.providers.gemini_names import drop, get, many
from tracer.providers.gemini_parts import SIGNATURE, is_text, signature_of
from tracer.providers.jsontext import JsonObject, as_dict, load_object
from tracer.providers.reading import Reading
from tracer.providers.wire import text

_META = ("thought", SIGNATURE, "videoMetadata", "partMetadata", "mediaResolution")


def is_streamed(reply: HttpReply) -> bool:
    """Whether a reply is a stream in either framing."""
    return ARRAY.fits(reply) or SSE.fits(reply)


def aggregate(reply: HttpReply) -> Reading:
    """Reads a complete or cut stream; never raises."""
    reader = _Reader()
    framing = ARRAY if ARRAY.fits(reply) else SSE
    end = 0
    for event in framing.parse(reply.body):
        chunk = load_object(event.data)
        end = event.end
        if chunk is not None:
            reader.chunk(chunk, event.end)
        elif event.whole:
            reader.error = reader.error or invalid_json(event.data)
    rest = load_object(reply.body[end:]) if framing is SSE else None
    if rest is not None:
        reader.error = reader.error or error_of(200, rest)
    return reader.result()


def is_over(value: JsonObject) -> bool:
    """Whether every answer has said why it ended, or the question was blocked."""
    candidates = [as_dict(candidate) for candidate in many(value.get("candidates"))]
    if not candidates:
        return get(as_dict(get(value, "promptFeedback")), "blockReason") is not None
    return all(get(candidate, "finishReason") is not None for candidate in candidates)


class _Reader:
    def __init__(self) -> None:
        self.error: ErrorInfo | None = None
        self._value: JsonObject = {}
        self._candidates: dict[int, _Candidate] = {}
        self._first_content_offset: int | None = None

    def chunk(self, chunk: JsonObject, end: int) -> None:
        self.error = self.error or error_of(200, chunk)
        _lay_over(self._value, drop(chunk, "candidates", "error"))
        for place, entry in enumerate(many(chunk.get("candidates"))):
            candidate = as_dict(entry)
            index = candidate.get("index")
            key = index if isinstance(index, int) and not isinstance(index, bool) else place
            has_content = self._candidates.setdefault(key, _Candidate()).take(candidate)
            if has_content and self._first_content_offset is None:
                self._first_content_offset = end

    def result(self) -> Reading:
        candidates = [self._candidates[key].value() for key in sorted(self._candidates)]
        value = {"candidates": candidates, **self._value} if candidates else self._value
        is_complete = is_over(value) or self.error is not None
        return Reading(value, self.error, is_complete, self._first_content_offset)


class _Candidate:
    """One answer under way."""

    def __init__(self) -> None:
        self._fields: JsonObject = {}
        self._content: JsonObject | None = None
        self._parts: list[JsonObject | _Text | OpenCall] = []
        self._call: OpenCall | None = None

    def take(self, candidate: JsonObject) -> bool:
        """Takes one chunk's candidate in; True when it carries content."""
        _lay_over(self._fields, drop(candidate, "content"))
        content = candidate.get("content")
        if not isinstance(content, dict):
            return False
        self._content = self._content or {}
        _lay_over(self._content, drop(content, "parts"))
        has_content = False
        for place, part in enumerate(many(content.get("parts"))):
            has_content = self._part(part, is_first=place == 0) or has_content
        return has_content

    def _part(self, part: Any, *, is_first: bool) -> bool:
        if is_text(part):
            last = self._parts[-1] if self._parts and is_first else None
            if not (isinstance(last, _Text) and last.goes_on_with(part)):
                last = _Text(part)
                self._parts.append(last)
            last.take(part)
            return bool(part["text"])
        call = get(part, "functionCall") if isinstance(part, dict) else None
        if isinstance(call, dict) and text(call.get("name")):
            self._call = None  # a named one begins, whether or not the last was closed
        if isinstance(call, dict) and (self._call or _is_piece(call)):
            if self._call is None:
                self._call = OpenCall()
                self._parts.append(self._call)
            if not self._call.take(part, call):
                self._call = None
            return True
        self._parts.append(part)
        return bool(drop(part, *_META)) if isinstance(part, dict) else bool(part)

    def value(self) -> JsonObject:
        """The candidate as a JSON reply has it."""
        if self._content is None:
            return self._fields
        parts = [p.value() if isinstance(p, _Text | OpenCall) else p for p in self._parts]
        content = {**({"parts": parts} if parts else {}), **self._content}
        return {"content": content, **self._fields}


def _is_piece(call: JsonObject) -> bool:
    return get(call, "willContinue") is True or bool(get(call, "partialArgs"))


class _Text:
    """One text part under way, in pieces, because joining them anew is quadratic."""

    def __init__(self, first: JsonObject) -> None:
        self._fields = dict(first)
        self._pieces: list[str] = []
        self._is_signed = False

    def goes_on_with(self, part: JsonObject) -> bool:
        is_alike = bool(self._fields.get("thought")) == bool(part.get("thought"))
        return is_alike and not self._is_signed

    def take(self, part: JsonObject) -> None:
        self._pieces.append(part["text"])
        self._fields.update(part)
        self._is_signed = signature_of(part) is not None

    def value(self) -> JsonObject:
        return {**self._fields, "text": "".join(self._pieces)}


def _lay_over(into: JsonObject, new: JsonObject) -> None:
    into.update({key: value for key, value in new.items() if value is not None})
