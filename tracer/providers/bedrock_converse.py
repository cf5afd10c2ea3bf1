"""The Converse format of Amazon Bedrock: one JSON for all models, streams in frames."""

import re

from tracer.core.messages import Message
from tracer.providers import eventstream
from tracer.providers.base import (
    FailureKind,
    HttpReply,
    HttpRequest,
    ModelReply,
    ModelRequest,
    Stateless,
)
from tracer.providers.bedrock_converse_build import edited
from tracer.providers.bedrock_converse_emit import emit_stream
from tracer.providers.bedrock_converse_reply import read_reply, template_of
from tracer.providers.bedrock_converse_request import read_request, wants_stream
from tracer.providers.bedrock_errors import FRAMES, failures
from tracer.providers.jsontext import dumps
from tracer.providers.wire import JSON_TYPE, kept_headers

_PATH = re.compile(r"/model/.+/converse(-stream)?$")
_FAILURES = failures(
    FRAMES,
    ("messageStop", '{"stopReason":"end_turn"}'),
    ("metadata", '{"metrics":{"latencyMs":0}}'),
)


class BedrockConverse(Stateless):
    """`Api` of `POST /model/{id}/converse` and `/converse-stream`."""

    name = "bedrock.converse"
    family = "aws.bedrock"
    array_key = "messages"

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """See `Api.matches`. A request that names a stored prompt holds no messages."""
        return (
            method.upper() == "POST"
            and _PATH.search(path.rstrip("/")) is not None
            and body.lstrip().startswith(b"{")
        )

    def read_request(self, request: HttpRequest) -> ModelRequest:
        """See `Api.read_request`. The model stands in the path."""
        return read_request(request)

    def read_reply(self, request: HttpRequest, reply: HttpReply) -> ModelReply:
        """See `Api.read_reply`. JSON or stream is told from the reply itself."""
        return read_reply(reply)

    def wants_stream(self, request: HttpRequest) -> bool:
        """See `Api.wants_stream`."""
        return wants_stream(request)

    def build_reply(
        self, request: HttpRequest, recorded: HttpReply | None, said: Message
    ) -> HttpReply:
        """See `Api.build_reply`. Parts a model can't say here (images, files) are left out."""
        value = edited(template_of(recorded), said, request.body)
        if self.wants_stream(request):
            headers = kept_headers(recorded, eventstream.CONTENT_TYPE)
            return HttpReply(200, headers, emit_stream(value))
        return HttpReply(200, kept_headers(recorded, JSON_TYPE), dumps(value).encode())

    def build_failure(
        self, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply:
        """See `Api.build_failure`. AWS SDKs ask again after a rate limit or a server error."""
        return _FAILURES.build(self, request, recorded, kind)
