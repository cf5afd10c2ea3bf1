"""The wrapping of invoke streams: each frame holds one event of the vendor's format in base64."""

import base64
import binascii
import bisect
from dataclasses import dataclass, field, replace
from typing import Any

from tracer.core.records import Usage
from tracer.providers import eventstream, sse
from tracer.providers.base import HttpReply
from tracer.providers.bedrock_errors import broken_stream, frame_error, is_stream
from tracer.providers.eventstream import Frame
from tracer.providers.framing import Events, Framing
from tracer.providers.jsontext import JsonObject, as_dict, dumps, load_object
from tracer.providers.wire import STREAM_TYPE, text, without

METRICS = "amazon-bedrock-invocationMetrics"
_DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A reply in the vendor's own framing. `ends` pairs each event's end in it and in the outer
    body; `metrics` = what the service counted; `cut` = the outer body stops inside a frame."""

    reply: HttpReply
    ends: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    metrics: JsonObject = field(default_factory=dict)
    cut: bool = False

    def outer_offset(self, inner: int | None) -> int | None:
        """Where the event that ends at `inner` ends in the outer body."""
        if inner is None or not self.ends[0]:
            return inner
        place = bisect.bisect_left(self.ends[0], inner)
        return self.ends[1][min(place, len(self.ends[1]) - 1)]


def unwrapped(reply: HttpReply, *, frames_events: bool) -> Unwrapped:
    """The stream as the vendor sends it: server-sent events, or with `frames_events` frames."""
    found = eventstream.parse(reply.body)
    body, ends, metrics = bytearray(), ([0][:0], [0][:0]), JsonObject()
    for frame in found.frames:
        event = _event(frame)
        value = load_object(event) or {}
        metrics = as_dict(value.get(METRICS)) or metrics
        body += _framed(value, event) if frames_events else _sse(value, event)
        ends[0].append(len(body))
        ends[1].append(frame.end)
    error = broken_stream(found)
    if error:
        value = _error(error.type, error.message)
        body += _framed(value, dumps(value)) if frames_events else _sse(value, dumps(value))
    content_type = eventstream.CONTENT_TYPE if frames_events else STREAM_TYPE
    others = [pair for pair in reply.headers if pair[0].lower() != "content-type"]
    headers = [("content-type", content_type), *others]
    inner = replace(reply, headers=headers, body=bytes(body))
    return Unwrapped(inner, ends, metrics, found.cut)


def wrapped(body: bytes, metrics: JsonObject, *, frames_events: bool) -> bytes:
    """A vendor's stream as invoke sends it: `metrics`, if any, join the last event."""
    if frames_events:
        frames = eventstream.parse(body).frames
        events: list[Any] = [{f.text(":event-type"): load_object(f.payload)} for f in frames]
    else:
        data = [event.data for event in sse.parse(body) if event.data != _DONE]
        events = [load_object(entry) for entry in data]
    events = [event for event in events if isinstance(event, dict)]
    if events and metrics:
        events[-1] = {**without(events[-1], METRICS), METRICS: metrics}
    return eventstream.emit(("chunk", _chunk(dumps(event))) for event in events)


def without_metrics(body: bytes) -> bytes:
    """A JSON body without what only streams tell."""
    if METRICS.encode() not in body:
        return body
    value = load_object(body)
    return dumps(without(value, METRICS)).encode() if value and METRICS in value else body


def metrics_in(usage: Usage | None) -> JsonObject:
    """What the service would have counted, {} where that is not known."""
    if usage is None:
        return {}
    return {
        "inputTokenCount": usage.input_tokens or 0,
        "outputTokenCount": usage.output_tokens or 0,
        "invocationLatency": 0,
        "firstByteLatency": 0,
    }


def _chunk(event: str) -> bytes:
    data = base64.b64encode(event.encode("utf-8", "replace"))
    return dumps({"bytes": data.decode()}).encode()


def _event(frame: Frame) -> str:
    """The vendor's event as text; of an exception, the event that tells of it."""
    error = frame_error(frame)
    if error:
        return dumps(_error(error.type, error.message))
    return _decoded(frame.payload)


def _decoded(payload: bytes) -> str:
    value = load_object(payload)
    if value is None:
        return payload.decode("utf-8", "replace")
    try:
        return base64.b64decode(value.get("bytes") or b"", validate=True).decode("utf-8", "replace")
    except (binascii.Error, TypeError, ValueError):
        return dumps(value)


def _error(kind: str, message: str) -> JsonObject:
    return {"type": "error", "error": {"type": kind, "message": message}}


def _sse(value: JsonObject, event: str) -> bytes:
    return sse.emit([(text(value.get("type")), event)])


def _framed(value: JsonObject, event: str) -> bytes:
    """One frame; `value` names its type with its first key. What is no event breaks as such."""
    if value.get("type") == "error":
        error = as_dict(value.get("error"))
        return eventstream.exception(str(error.get("type")), dumps(error).encode())
    kind = next((key for key in value if key != METRICS), None)
    if kind is None:
        return eventstream.emit([("chunk", event.encode("utf-8", "replace"))])
    return eventstream.emit([(kind, dumps(value[kind]).encode())])


def _parse(body: bytes) -> list[sse.SseEvent]:
    frames = eventstream.parse(body).frames
    return [sse.SseEvent(None, _decoded(frame.payload), frame.end) for frame in frames]


def _emit(events: Events) -> bytes:
    return eventstream.emit(("chunk", _chunk(data)) for _, data in events)


CHUNKS = Framing(eventstream.CONTENT_TYPE, is_stream, _parse, _emit)
