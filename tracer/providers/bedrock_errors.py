"""What the two formats of Amazon Bedrock share: models in paths, event streams, errors."""

from dataclasses import replace
from urllib.parse import unquote

from tracer.core.records import ErrorInfo
from tracer.providers import eventstream
from tracer.providers.base import HttpReply
from tracer.providers.errors import error_of_reply, invalid_json
from tracer.providers.eventstream import Frame, Frames
from tracer.providers.failures import FailureForms
from tracer.providers.framing import Events, Framing
from tracer.providers.hosts import path_of
from tracer.providers.jsontext import load_object
from tracer.providers.sse import SseEvent
from tracer.providers.wire import header, text

ERROR_TYPE = "x-amzn-ErrorType"


def model_in(url: str) -> str | None:
    """The model id or ARN that stands, percent-encoded, between `/model/` and the operation."""
    _, _, rest = path_of(url).partition("/model/")
    return text(unquote(rest.rpartition("/")[0]))


def is_stream(reply: HttpReply) -> bool:
    """Whether the reply is an event stream: by how the body begins, else by its content type."""
    if reply.body.lstrip()[:1] in (b"{", b"["):
        return False
    declared = header(reply.headers, "content-type").startswith(eventstream.CONTENT_TYPE)
    return declared or eventstream.is_stream(reply.body)


def reply_error(reply: HttpReply) -> ErrorInfo | None:
    """The error of a reply that is no event stream; its type stands in a header."""
    error = error_of_reply(reply)
    kind = header(reply.headers, ERROR_TYPE.lower()).partition(":")[0]
    return replace(error, type=kind) if error and kind else error


def frame_error(frame: Frame) -> ErrorInfo | None:
    """The error that a frame tells of: an exception the service models, or one it does not."""
    if frame.text(":message-type") == "exception":
        value = load_object(frame.payload) or {}
        shown = frame.payload[:500].decode("utf-8", "replace")
        said = text(value.get("message"), value.get("Message"), value.get("originalMessage"))
        return ErrorInfo(frame.text(":exception-type") or "exception", said or shown)
    if frame.text(":message-type") == "error":
        code = frame.text(":error-code") or "error"
        return ErrorInfo(code, frame.text(":error-message") or code)
    return None


def broken_stream(found: Frames) -> ErrorInfo | None:
    """The error of a body whose rest is no event stream, None where it is one."""
    if not found.broken:
        return None
    return ErrorInfo("invalid_stream", "what follows the last event is no event stream")


def invalid_payload(frame: Frame) -> ErrorInfo:
    """The error of an event that should hold JSON."""
    return invalid_json(frame.payload[:500].decode("utf-8", "replace"))


def failures(framing: Framing, *stream_ending: tuple[str, str]) -> FailureForms:
    """How calls fail on Bedrock. AWS SDKs ask again after both errors and can't be told not to."""
    return FailureForms(
        {
            "rate_limit": (
                429,
                {"message": "Too many requests, please wait (simulated by tracer)"},
            ),
            "server_error": (
                500,
                {"message": "The system encountered an unexpected error (simulated by tracer)"},
            ),
        },
        stream_ending,
        framing,
        {
            "rate_limit": ((ERROR_TYPE, "ThrottlingException"),),
            "server_error": ((ERROR_TYPE, "InternalServerException"),),
        },
    )


def _parse(body: bytes) -> list[SseEvent]:
    return [
        SseEvent(frame.text(":event-type"), frame.payload.decode("utf-8", "replace"), frame.end)
        for frame in eventstream.parse(body).frames
    ]


def _emit(events: Events) -> bytes:
    return eventstream.emit((name or "", data.encode("utf-8", "replace")) for name, data in events)


FRAMES = Framing(eventstream.CONTENT_TYPE, is_stream, _parse, _emit)
