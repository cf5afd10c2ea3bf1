"""Ollama's own format: `/api/chat` and `/api/generate`, whose replies are lines of JSON or one."""

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
from tracer.providers.framing import LINES
from tracer.providers.jsontext import dumps, load_object, same_json
from tracer.providers.ollama_build import edited, lines
from tracer.providers.ollama_reply import read_reply, template_of
from tracer.providers.ollama_request import read_request, wants_stream
from tracer.providers.ollama_shape import CHAT, GENERATE, Shape
from tracer.providers.wire import JSON_TYPE, kept_headers, text

ERRORS = {
    "rate_limit": (429, {"error": "too many requests (simulated by tracer)"}),
    "server_error": (500, {"error": "internal server error (simulated by tracer)"}),
}


class OllamaChat(Stateless):
    """`Api` of `POST .../api/chat`."""

    name = "ollama.chat"
    operation = "chat"
    family = "ollama"
    array_key = "messages"

    path = "/api/chat"
    words: tuple[bytes, ...] = (b'"model"', b'"messages"')
    shape: Shape = CHAT

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """See `Api.matches`; `path` may end in a slash."""
        is_here = method.upper() == "POST" and path.rstrip("/").endswith(self.path)
        return is_here and all(word in body for word in self.words)

    def read_request(self, request: HttpRequest) -> ModelRequest:
        """See `Api.read_request`. A request that does not mention `stream` reads one."""
        return read_request(request, self.shape)

    def read_reply(self, request: HttpRequest, reply: HttpReply) -> ModelReply:
        """See `Api.read_reply`. One object or lines is told from the reply itself."""
        return read_reply(reply, self.shape)

    def wants_stream(self, request: HttpRequest) -> bool:
        """See `Api.wants_stream`."""
        return wants_stream(load_object(request.body) or {})

    def build_reply(
        self, request: HttpRequest, recorded: HttpReply | None, said: Message
    ) -> HttpReply:
        """See `Api.build_reply`. Parts this format has no place for are left out."""
        model = text((load_object(request.body) or {}).get("model")) or "unknown"
        template = template_of(recorded, self.shape)
        value = edited(template, said, self.shape, model, request.body)
        is_stream = self.wants_stream(request)
        if recorded and same_json(value, template) and self._fits(recorded, is_stream):
            # Agents may keep a stream's pieces as they were cut, so the cuts are part of it.
            kept = kept_headers(recorded, LINES.content_type if is_stream else JSON_TYPE)
            return HttpReply(200, kept, recorded.body)
        if not is_stream:
            return HttpReply(200, kept_headers(recorded, JSON_TYPE), dumps(value).encode())
        body = LINES.emit((None, dumps(line)) for line in lines(value, self.shape))
        return HttpReply(200, kept_headers(recorded, LINES.content_type), body)

    def _fits(self, recorded: HttpReply, is_stream: bool) -> bool:
        """Whether a recorded reply is a whole answer in the form that is asked for."""
        read = read_reply(recorded, self.shape)
        return LINES.fits(recorded) == is_stream and read.complete and read.error is None

    def build_failure(
        self, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply:
        """See `Api.build_failure`.

        With `invalid_json` the arguments of the first tool call are text that stops in the middle,
        where an object belongs.
        """
        end = dumps({**self.shape.put({}, {self.shape.text: ""}), "done": True})
        forms = FailureForms(ERRORS, stream_ending=((None, end),), framing=LINES)
        return forms.build(self, request, recorded, kind)


class OllamaGenerate(OllamaChat):
    """`Api` of `POST .../api/generate`, which has a prompt and no messages."""

    name = "ollama.generate"

    path = "/api/generate"
    words = (b'"model"', b'"prompt"')
    shape = GENERATE
