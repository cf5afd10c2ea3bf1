"""The Responses format, of OpenAI and the hosts compatible with it."""

from tracer.core.messages import Message
from tracer.providers.base import (
    FailureKind,
    HeldState,
    HttpReply,
    HttpRequest,
    ModelReply,
    ModelRequest,
)
from tracer.providers.failures import FailureForms
from tracer.providers.jsontext import dumps, same_json
from tracer.providers.openai_errors import ERRORS
from tracer.providers.openai_responses_build import edited
from tracer.providers.openai_responses_emit import emit_stream
from tracer.providers.openai_responses_reply import read_reply, template_of
from tracer.providers.openai_responses_request import held_state, read_asked, read_request
from tracer.providers.wire import JSON_TYPE, STREAM_TYPE, is_answer, is_stream, kept_headers

# What asks the model something; a template of the provider's ("prompt") may hold all of it.
_QUESTIONS = (b'"input"', b'"prompt"', b'"previous_response_id"', b'"conversation"')
_FAILURES = FailureForms(ERRORS, stream_ending=())


class OpenAIResponses:
    """`Api` of `POST .../responses`.

    Its sub-resources (`/responses/{id}`, `/cancel`, `/compact`, `/input_tokens`) are other
    requests.
    """

    name = "openai.responses"
    family = "openai"
    array_key = "input"
    operation = "chat"

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """See `Api.matches`; `path` may end in a slash."""
        if method.upper() != "POST" or not path.rstrip("/").endswith("/responses"):
            return False
        return any(word in body for word in _QUESTIONS)

    def read_request(self, request: HttpRequest) -> ModelRequest:
        """See `Api.read_request`.

        `instructions` are the first message; what the model said between two other messages is one
        message, however many items it was.
        """
        return read_request(request)

    def read_reply(self, request: HttpRequest, reply: HttpReply) -> ModelReply:
        """See `Api.read_reply`. JSON or stream is told from the reply itself."""
        return read_reply(reply)

    def wants_stream(self, request: HttpRequest) -> bool:
        """See `Api.wants_stream`."""
        return read_asked(request).stream

    def server_state(self, request: HttpRequest) -> list[HeldState]:
        """See `Api.server_state`: the response before this one, a conversation, single items."""
        return held_state(request)

    def build_reply(
        self, request: HttpRequest, recorded: HttpReply | None, said: Message
    ) -> HttpReply:
        """See `Api.build_reply`. Parts this format has no place for (images) are left out."""
        asked = read_asked(request)
        if is_answer(recorded) and is_stream(recorded) == asked.stream:
            was = read_reply(recorded)
            if was.complete and was.error is None and same_json([said], was.messages):
                kind = STREAM_TYPE if asked.stream else JSON_TYPE
                return HttpReply(200, kept_headers(recorded, kind), recorded.body)
        value = edited(template_of(recorded), said, asked)
        if asked.stream:
            return HttpReply(200, kept_headers(recorded, STREAM_TYPE), emit_stream(value))
        return HttpReply(200, kept_headers(recorded, JSON_TYPE), dumps(value).encode())

    def build_failure(
        self, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply:
        """See `Api.build_failure`."""
        return _FAILURES.build(self, request, recorded, kind)
