"""What every wire format offers: recognise, read, build. Pure: bytes in, records out.

`Exchange*` types are the HTTP side (decoded bodies, no transfer or content encoding); `Model*`
types are what they mean. One file an API implements `Api`; `tracer.providers` holds the registry.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from tracer.core.messages import Message
from tracer.core.records import ErrorInfo, Usage

Headers = Sequence[tuple[str, str]]

FailureKind = Literal[
    "rate_limit", "server_error", "timeout", "connection_reset", "cut_stream", "invalid_json"
]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as sent: `url` is absolute, `body` the exact bytes, headers in order."""

    method: str
    url: str
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A reply with its content-decoded body. `failure` = the body ends in a broken connection.

    `failure` is "timeout" or "connection_reset" (nothing is received: status 0) or "cut_stream"
    (the body arrives, then the connection breaks); None for a whole reply.
    """

    status: int
    headers: Headers
    body: bytes
    failure: Literal["timeout", "connection_reset", "cut_stream"] | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model was asked. `messages` include the system prompt as role `system`.

    `tools` are OpenTelemetry tool definitions `{"type", "name", "description", "parameters"}`
    (`parameters` = JSON schema). `parameters` = everything else set on the request.
    """

    model: str | None
    stream: bool
    messages: list[Message]
    tools: list[dict[str, Any]]
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What a model answered. `messages` holds one message a choice, each with `finish_reason`.

    `complete` is False when a stream ended before its own end mark. `first_content_offset` is the
    number of body bytes up to the end of the first event that carries text, reasoning or
    tool-call content (None for JSON replies); the recorder turns it into time to first token.
    `error` is set for error replies, also for errors inside a stream.
    """

    messages: list[Message]
    usage: Usage | None
    finish_reasons: list[str]
    model: str | None
    response_id: str | None
    error: ErrorInfo | None = None
    complete: bool = True
    first_content_offset: int | None = None


@dataclass(frozen=True, slots=True)
class HeldState:
    """A part of the conversation that a request leaves to the provider.

    `field`: where the request says so ("previous_response_id"); `id`: what it names there.
    `grows`: whether that goes on changing (a conversation), as one answer doesn't.
    """

    field: str
    id: str
    grows: bool = False


class Stateless:
    """Base of the formats whose requests hold the whole conversation."""

    operation = "chat"

    def server_state(self, request: HttpRequest) -> list[HeldState]:
        """See `Api.server_state`: nothing."""
        return []


class Api(Protocol):
    """One wire format. Methods never raise on odd input: what they can't read they keep whole."""

    name: str  # "openai.chat", "anthropic.messages"
    family: str  # default provider name: "openai", "anthropic"
    # The top-level key that holds the message list ("messages"); "" where nothing is resent.
    array_key: str
    operation: str  # gen_ai.operation.name, which also names the step: "chat", "embeddings"

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """Cheap test by path and body shape, without parsing the body."""

    def read_request(self, request: HttpRequest) -> ModelRequest: ...

    def read_reply(self, request: HttpRequest, reply: HttpReply) -> ModelReply: ...

    def wants_stream(self, request: HttpRequest) -> bool:
        """Whether the caller of this request reads a stream (decides the form of a substitute)."""

    def server_state(self, request: HttpRequest) -> list[HeldState]:
        """What of the conversation the provider holds, so that the request only names it."""

    def build_reply(
        self, request: HttpRequest, recorded: HttpReply | None, said: Message
    ) -> HttpReply:
        """The reply in which the model says `said`, in the form this request asks for.

        `recorded` is the template (ids, model, unknown fields, headers), in either form.
        `said["finish_reason"]`, if given, is an OpenTelemetry finish reason.
        """

    def build_failure(
        self, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply: ...
