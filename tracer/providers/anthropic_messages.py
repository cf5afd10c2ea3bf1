"""The Messages format, of Anthropic, its hosts (Vertex) and gateways compatible with it."""

from tracer.core.messages import Message
from tracer.providers.anthropic_messages_build import edited
from tracer.providers.anthropic_messages_emit import emit_stream
from tracer.providers.anthropic_messages_reply import read_reply, template_of
from tracer.providers.anthropic_messages_request import model_of, read_request, wants_stream
from tracer.providers.base import (
    FailureKind,
    HttpReply,
    HttpRequest,
    ModelReply,
    ModelRequest,
    Stateless,
)
from tracer.providers.failures import FailureForms
from tracer.providers.jsontext import dumps, load_object
from tracer.providers.wire import JSON_TYPE, STREAM_TYPE, kept_headers

_ERRORS = {
    "rate_limit": (
        429,
        {
            "type": "error",
            "error": {
                "type": "rate_limit_error",
                "message": "Rate limit reached (simulated by tracer)",
            },
        },
    ),
    "server_error": (
        500,
        {
            "type": "error",
            "error": {
                "type": "api_error",
                "message": "Internal server error (simulated by tracer)",
            },
        },
    ),
}
_STOP = ("message_stop", '{"type":"message_stop"}')
_FAILURES = FailureForms(_ERRORS, stream_ending=(_STOP,))


class AnthropicMessages(Stateless):
    """`Api` of `POST .../messages`, and of `:rawPredict` and `:streamRawPredict` on Vertex."""

    name = "anthropic.messages"
    family = "anthropic"
    array_key = "messages"

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """See `Api.matches`; `path` may end in a slash.

        Other formats end in `/messages` too (threads of messages); their bodies hold no list of
        messages and no model.
        """
        path = path.rstrip("/")
        if method.upper() != "POST" or b'"messages"' not in body:
            return False
        if path.endswith("/count-tokens:rawPredict"):
            return False
        if path.endswith((":rawPredict", ":streamRawPredict")):
            return b'"anthropic_version"' in body
        return path.endswith("/messages") and b'"model"' in body

    def read_request(self, request: HttpRequest) -> ModelRequest:
        """See `Api.read_request`. A system prompt becomes the first message."""
        return read_request(request)

    def read_reply(self, request: HttpRequest, reply: HttpReply) -> ModelReply:
        """See `Api.read_reply`. JSON or stream is told from the reply itself."""
        return read_reply(reply)

    def wants_stream(self, request: HttpRequest) -> bool:
        """See `Api.wants_stream`."""
        return wants_stream(load_object(request.body) or {}, request.url)

    def build_reply(
        self, request: HttpRequest, recorded: HttpReply | None, said: Message
    ) -> HttpReply:
        """See `Api.build_reply`. Parts this format has no place for (images) are left out."""
        model = model_of(request) or "unknown"
        value = edited(template_of(recorded), said, model, request.body)
        if self.wants_stream(request):
            return HttpReply(200, kept_headers(recorded, STREAM_TYPE), emit_stream(value))
        return HttpReply(200, kept_headers(recorded, JSON_TYPE), dumps(value).encode())

    def build_failure(
        self, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply:
        """See `Api.build_failure`.

        With `invalid_json` the input of the first tool call is broken: in a stream as JSON text
        that stops in the middle, in a JSON reply as that text where an object belongs.
        """
        return _FAILURES.build(self, request, recorded, kind)
