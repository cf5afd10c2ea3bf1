"""Google's generateContent format, of the Gemini API, Vertex AI and gateways compatible with it."""

from typing import Any

from tracer.core.messages import Message
from tracer.providers.base import (
    FailureKind,
    HttpReply,
    HttpRequest,
    ModelReply,
    ModelRequest,
    Stateless,
)
from tracer.providers.failures import FailureForms
from tracer.providers.framing import ARRAY, SSE_CRLF, Framing
from tracer.providers.gemini_build import edited
from tracer.providers.gemini_emit import chunks
from tracer.providers.gemini_reply import read_reply, template_of
from tracer.providers.gemini_request import Form, action_of, form_of, read_asked, read_request
from tracer.providers.gemini_stream import is_streamed
from tracer.providers.jsontext import dumps, same_json
from tracer.providers.wire import JSON_TYPE, kept_headers


def _error(code: int, status: str, message: str) -> tuple[int, dict[str, Any]]:
    said = f"{message} (simulated by tracer)"
    return code, {"error": {"code": code, "message": said, "status": status}}


ERRORS = {
    "rate_limit": _error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted"),
    "server_error": _error(500, "INTERNAL", "An internal error has occurred"),
}
_LISTED = {kind: (status, [body]) for kind, (status, body) in ERRORS.items()}
_FRAMINGS: dict[Form, Framing] = {"sse": SSE_CRLF, "array": ARRAY}
_FAILURES: dict[Form, FailureForms] = {
    "json": FailureForms(ERRORS, stream_ending=(), framing=SSE_CRLF),
    "sse": FailureForms(ERRORS, stream_ending=(), framing=SSE_CRLF),
    "array": FailureForms(_LISTED, stream_ending=(), framing=ARRAY),
}


class GeminiContent(Stateless):
    """`Api` of `POST .../{model}:generateContent` and `:streamGenerateContent`."""

    name = "gemini.generate_content"
    operation = "chat"
    family = "gcp.gemini"
    array_key = "contents"

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """See `Api.matches`; `path` may end in a slash."""
        is_here = action_of(path) in ("generateContent", "streamGenerateContent")
        return is_here and method.upper() == "POST" and b'"contents"' in body

    def read_request(self, request: HttpRequest) -> ModelRequest:
        """See `Api.read_request`. The model stands in the URL."""
        return read_request(request)

    def read_reply(self, request: HttpRequest, reply: HttpReply) -> ModelReply:
        """See `Api.read_reply`. JSON, events or array is told from the reply itself.

        Messages may have `finish_message`, the provider's sentence on an unusual end.
        """
        return read_reply(reply)

    def wants_stream(self, request: HttpRequest) -> bool:
        """See `Api.wants_stream`."""
        return form_of(request.url) != "json"

    def build_reply(
        self, request: HttpRequest, recorded: HttpReply | None, said: Message
    ) -> HttpReply:
        """See `Api.build_reply`. Only the first candidate says `said`."""
        asked = read_asked(request)
        template = template_of(recorded)
        value = edited(template, said, asked)
        framing = _FRAMINGS.get(asked.form)
        if recorded is not None and same_json(value, template) and _fits(recorded, framing):
            # Agents send a stream's parts back as they were cut, so the cuts are part of it.
            kept = kept_headers(recorded, framing.content_type if framing else JSON_TYPE)
            return HttpReply(200, kept, recorded.body)
        if framing is None:
            return HttpReply(200, kept_headers(recorded, JSON_TYPE), dumps(value).encode())
        body = framing.emit((None, dumps(chunk)) for chunk in chunks(value))
        return HttpReply(200, kept_headers(recorded, framing.content_type), body)

    def build_failure(
        self, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply:
        """See `Api.build_failure`.

        With `invalid_json` the arguments of the first function call are text that stops in the
        middle, where an object belongs.
        """
        return _FAILURES[form_of(request.url)].build(self, request, recorded, kind)


def _fits(recorded: HttpReply, framing: Framing | None) -> bool:
    """Whether a recorded reply is a whole answer in the form that is asked for."""
    is_fit = framing.fits(recorded) if framing else not is_streamed(recorded)
    read = read_reply(recorded)
    return is_fit and read.complete and read.error is None
