"""Bedrock's invoke: the body is the model vendor's own format, streams wrap its events in frames.

Read and built by the vendor's format itself; this module only takes off and puts on the wrapping.
"""

import re
from dataclasses import replace

from tracer.core.messages import Message
from tracer.core.records import Usage
from tracer.providers import eventstream
from tracer.providers.base import (
    FailureKind,
    HttpReply,
    HttpRequest,
    ModelReply,
    ModelRequest,
    Stateless,
)
from tracer.providers.bedrock_errors import failures, is_stream, model_in, reply_error
from tracer.providers.bedrock_invoke_dialects import dialect_of
from tracer.providers.bedrock_invoke_frames import (
    CHUNKS,
    Unwrapped,
    metrics_in,
    unwrapped,
    without_metrics,
    wrapped,
)
from tracer.providers.hosts import path_of
from tracer.providers.jsontext import JsonObject
from tracer.providers.wire import JSON_TYPE, count, header, is_answer, is_failure, kept_headers

_PATH = re.compile(r"/model/(.+)/invoke(-with-response-stream)?$")
_ASKED = (b'"messages"', b'"prompt"', b'"message"')
_NO_CHAT = (b'"texts"', b'"input_type"', b'"taskType"', b'"text_prompts"', b'"embeddingTypes"')
_NO_CHAT_MODEL = ("embed", "rerank", "stability.", "image-generator", "canvas")
_FAILURES = failures(CHUNKS)


class BedrockInvoke(Stateless):
    """`Api` of `POST /model/{id}/invoke` and `/invoke-with-response-stream`.

    Known: Anthropic Messages, Nova, Chat Completions (AI21, Mistral, OpenAI, DeepSeek, Qwen) and
    plain text generation (Titan, Llama, Mistral, Cohere, Claude 2). Another reply is kept whole.
    """

    name = "bedrock.invoke"
    family = "aws.bedrock"
    array_key = "messages"

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """See `Api.matches`. Embeddings and images are asked for under the same path."""
        found = _PATH.search(path.rstrip("/")) if method.upper() == "POST" else None
        if found is None or any(word in body for word in _NO_CHAT):
            return False
        model = found.group(1).lower()
        if any(word in model for word in _NO_CHAT_MODEL):
            return False
        if b'"inputText"' in body:  # of Titan, which has embeddings too
            return b'"textGenerationConfig"' in body or "titan-t" in model
        return any(word in body for word in _ASKED)

    def read_request(self, request: HttpRequest) -> ModelRequest:
        """See `Api.read_request`. The model stands in the path."""
        dialect = dialect_of(request)
        asked = dialect.api.read_request(dialect.request)
        return replace(asked, model=model_in(request.url), stream=self.wants_stream(request))

    def read_reply(self, request: HttpRequest, reply: HttpReply) -> ModelReply:
        """See `Api.read_reply`. JSON or stream is told from the reply itself.

        The model is the one asked for, whose name carries region and version; where that is the
        ARN of a profile, the one that the reply names.
        """
        dialect = dialect_of(request)
        inner = _inner(reply, frames_events=dialect.frames_events)
        read = dialect.api.read_reply(dialect.request, inner.reply)
        asked = model_in(request.url)
        error = read.error
        if not is_stream(reply) and is_failure(reply.status):
            error = reply_error(reply)
        return replace(
            read,
            error=error,
            usage=_usage(read.usage, reply, inner),
            model=asked if asked and not asked.startswith("arn:") else read.model,
            complete=read.complete and not inner.cut,
            first_content_offset=inner.outer_offset(read.first_content_offset),
        )

    def wants_stream(self, request: HttpRequest) -> bool:
        """See `Api.wants_stream`: the path says so."""
        return path_of(request.url).endswith("-stream")

    def build_reply(
        self, request: HttpRequest, recorded: HttpReply | None, said: Message
    ) -> HttpReply:
        """See `Api.build_reply`. Parts the vendor's format has no place for are left out."""
        dialect = dialect_of(request)
        inner = _inner(recorded, frames_events=dialect.frames_events) if recorded else None
        built = dialect.api.build_reply(dialect.request, inner.reply if inner else None, said)
        metrics = inner.metrics if inner else {}
        if not metrics:
            known = self.read_reply(request, recorded).usage if is_answer(recorded) else Usage(0, 0)
            metrics = metrics_in(known)
        if self.wants_stream(request):
            headers = kept_headers(recorded, eventstream.CONTENT_TYPE)
            body = wrapped(built.body, metrics, frames_events=dialect.frames_events)
            return HttpReply(200, headers, body)
        return HttpReply(200, _headers(recorded, metrics), without_metrics(built.body))

    def build_failure(
        self, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply:
        """See `Api.build_failure`. AWS SDKs ask again after a rate limit or a server error."""
        return _FAILURES.build(self, request, recorded, kind)


def _inner(reply: HttpReply, *, frames_events: bool) -> Unwrapped:
    if is_stream(reply):
        return unwrapped(reply, frames_events=frames_events)
    return Unwrapped(reply)


def _headers(recorded: HttpReply | None, metrics: JsonObject) -> list[tuple[str, str]]:
    """Headers of a JSON reply: what a stream tells of counts in its last event stands here."""
    counts = [
        (f"X-Amzn-Bedrock-{which}-Token-Count", str(metrics[key]))
        for which, key in (("Input", "inputTokenCount"), ("Output", "outputTokenCount"))
        if key in metrics
    ]
    names = {name.lower() for name, _ in counts}
    kept = kept_headers(recorded, JSON_TYPE)
    return [*(pair for pair in kept if pair[0].lower() not in names), *counts]


def _usage(told: Usage | None, reply: HttpReply, inner: Unwrapped) -> Usage | None:
    """The counts of the body; where it has none, those that the service gives beside it."""
    if told and (told.input_tokens or told.output_tokens):
        return told
    beside = Usage(
        input_tokens=count(inner.metrics.get("inputTokenCount"), _number(reply, "input")),
        output_tokens=count(inner.metrics.get("outputTokenCount"), _number(reply, "output")),
    )
    return told if beside == Usage() else beside


def _number(reply: HttpReply, which: str) -> int | None:
    said = header(reply.headers, f"x-amzn-bedrock-{which}-token-count")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 16 else None
