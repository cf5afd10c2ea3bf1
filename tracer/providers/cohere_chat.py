"""Cohere's chat format, version 2."""

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
from tracer.providers.cohere_chat_build import edited
from tracer.providers.cohere_chat_messages import read_message
from tracer.providers.cohere_chat_reply import read_reply, template_of
from tracer.providers.cohere_chat_stream import emit_stream
from tracer.providers.failures import FailureForms
from tracer.providers.jsontext import as_list, dumps, load_object
from tracer.providers.openai_chat_request import read_tool
from tracer.providers.wire import JSON_TYPE, STREAM_TYPE, kept_headers, text, without

_READ_APART = ("model", "stream", "messages", "tools")
_ERRORS: dict[str, tuple[int, dict[str, Any]]] = {
    "rate_limit": (429, {"message": "Rate limit reached (simulated by tracer)"}),
    "server_error": (500, {"message": "Internal server error (simulated by tracer)"}),
}
_END = '{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}'
_FAILURES = FailureForms(_ERRORS, stream_ending=(("message-end", _END),))


class CohereChat(Stateless):
    """`Api` of `POST /v2/chat`."""

    name = "cohere.chat"
    family = "cohere"
    array_key = "messages"

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """See `Api.matches`; `path` may end in a slash."""
        is_here = method.upper() == "POST" and path.rstrip("/").endswith("/v2/chat")
        return is_here and b'"messages"' in body and b'"model"' in body

    def read_request(self, request: HttpRequest) -> ModelRequest:
        """See `Api.read_request`. Documents beside the messages stay among the parameters."""
        body = load_object(request.body) or {}
        return ModelRequest(
            model=text(body.get("model")),
            stream=body.get("stream") is True,
            messages=[read_message(message) for message in as_list(body.get("messages"))],
            tools=[read_tool(tool) for tool in as_list(body.get("tools"))],
            parameters=without(body, *_READ_APART),
        )

    def read_reply(self, request: HttpRequest, reply: HttpReply) -> ModelReply:
        """See `Api.read_reply`. JSON or stream is told from the reply itself."""
        return read_reply(reply)

    def wants_stream(self, request: HttpRequest) -> bool:
        """See `Api.wants_stream`."""
        return (load_object(request.body) or {}).get("stream") is True

    def build_reply(
        self, request: HttpRequest, recorded: HttpReply | None, said: Message
    ) -> HttpReply:
        """See `Api.build_reply`. Parts this format has no place for (images) are left out."""
        template, stream = template_of(recorded)
        value = edited(template, said, request.body)
        if not self.wants_stream(request):
            return HttpReply(200, kept_headers(recorded, JSON_TYPE), dumps(value).encode())
        body = emit_stream(value, done=stream is None or stream.done)
        return HttpReply(200, kept_headers(recorded, STREAM_TYPE), body)

    def build_failure(
        self, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply:
        """See `Api.build_failure`."""
        return _FAILURES.build(self, request, recorded, kind)
