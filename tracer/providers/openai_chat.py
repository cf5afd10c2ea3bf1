"""The Chat Completions format, of OpenAI and the many hosts compatible with it."""

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
from tracer.providers.jsontext import dumps
from tracer.providers.openai_chat_build import edited
from tracer.providers.openai_chat_emit import emit_stream
from tracer.providers.openai_chat_reply import read_reply, template_of
from tracer.providers.openai_chat_request import Asked, read_asked, read_request
from tracer.providers.openai_chat_stream import DONE
from tracer.providers.openai_errors import ERRORS
from tracer.providers.wire import JSON_TYPE, STREAM_TYPE, kept_headers

_FAILURES = FailureForms(ERRORS, stream_ending=((None, DONE),))


class OpenAIChat(Stateless):
    """`Api` of `POST .../chat/completions`."""

    name = "openai.chat"
    family = "openai"
    array_key = "messages"

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """See `Api.matches`; `path` may end in a slash."""
        is_here = method.upper() == "POST" and path.rstrip("/").endswith("/chat/completions")
        return is_here and b'"messages"' in body

    def read_request(self, request: HttpRequest) -> ModelRequest:
        """See `Api.read_request`. The role `developer` is kept."""
        return read_request(request)

    def read_reply(self, request: HttpRequest, reply: HttpReply) -> ModelReply:
        """See `Api.read_reply`. JSON or stream is told from the reply itself."""
        return read_reply(reply)

    def wants_stream(self, request: HttpRequest) -> bool:
        """See `Api.wants_stream`."""
        return read_asked(request).stream

    def build_reply(
        self, request: HttpRequest, recorded: HttpReply | None, said: Message
    ) -> HttpReply:
        """See `Api.build_reply`. Only the first choice says `said`.

        Parts this format has no place for (images, another provider's own) are left out.
        """
        return _built(read_asked(request), recorded, said)

    def build_failure(
        self, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply:
        """See `Api.build_failure`."""
        return _FAILURES.build(self, request, recorded, kind)


def _built(asked: Asked, recorded: HttpReply | None, said: Message) -> HttpReply:
    template, stream = template_of(recorded)
    value = edited(template, said, asked)
    if not asked.stream:
        return HttpReply(200, kept_headers(recorded, JSON_TYPE), dumps(value).encode())
    # A provider that told its usage unasked, or beside the choices, does so again: agents index
    # `choices[0]` of every chunk where they have never met one without choices.
    has_usage = stream is not None and bool(stream.value.get("usage"))
    whole_calls = stream.whole_calls if stream else None
    body = emit_stream(
        value,
        usage=asked.include_usage or has_usage,
        usage_beside_choices=stream is not None and stream.usage_beside_choices,
        whole_calls=asked.whole_calls if whole_calls is None else whole_calls,
    )
    return HttpReply(200, kept_headers(recorded, STREAM_TYPE), body)
