"""The embeddings format, of OpenAI and the hosts compatible with it: texts to vectors."""

from typing import Any

from tracer.core.messages import Message, Part
from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import (
    FailureKind,
    HttpReply,
    HttpRequest,
    ModelReply,
    ModelRequest,
    Stateless,
)
from tracer.providers.errors import error_of, error_of_reply
from tracer.providers.failures import FailureForms
from tracer.providers.hosts import path_of
from tracer.providers.jsontext import JsonObject, as_dict, as_list, dumps, load_object
from tracer.providers.openai_errors import ERRORS
from tracer.providers.wire import (
    JSON_TYPE,
    count,
    is_answer,
    is_failure,
    kept_headers,
    reasons_of,
    text,
    unknown_part,
    without,
)

_FAILURES = FailureForms(ERRORS, stream_ending=())
_FLOAT_BYTES = 4


class OpenAIEmbeddings(Stateless):
    """`Api` of `POST .../embeddings`.

    A reply is read as how many vectors of which dimension it holds; the numbers stay in the raw
    reply. So a substitute can't be said in messages: it is the recorded reply, or a whole body.
    """

    name = "openai.embeddings"
    family = "openai"
    array_key = ""
    operation = "embeddings"

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """See `Api.matches`; `path` may end in a slash."""
        is_here = method.upper() == "POST" and path.rstrip("/").endswith("/embeddings")
        return is_here and b'"input"' in body

    def read_request(self, request: HttpRequest) -> ModelRequest:
        """See `Api.read_request`: one message a text."""
        body = load_object(request.body) or {}
        given = body.get("input")
        is_tokens = isinstance(given, list) and all(isinstance(token, int) for token in given)
        texts = given if isinstance(given, list) and given and not is_tokens else [given]
        if "input" not in body:
            texts = []
        return ModelRequest(
            model=_model(body, request.url),
            stream=False,
            messages=[{"role": "user", "parts": [_asked_part(item)]} for item in texts],
            tools=[],
            parameters=without(body, "model", "input"),
        )

    def read_reply(self, request: HttpRequest, reply: HttpReply) -> ModelReply:
        """See `Api.read_reply`."""
        value = load_object(reply.body) or {}
        data = value.get("data")
        has_data = isinstance(data, list) and not is_failure(reply.status)
        error = _error(reply, value, has_data=has_data)
        messages: list[Message] = []
        if has_data:
            said: Message = {"role": "assistant", "parts": [vectors_part(as_list(data))]}
            messages = [{**said, "finish_reason": "stop"}]
        return ModelReply(
            messages=messages,
            usage=_usage(value),
            finish_reasons=reasons_of(messages),
            model=text(value.get("model")),
            response_id=text(value.get("id")),
            error=error,
            complete=reply.failure is None,
        )

    def wants_stream(self, request: HttpRequest) -> bool:
        """See `Api.wants_stream`: never."""
        return False

    def build_reply(
        self, request: HttpRequest, recorded: HttpReply | None, said: Message
    ) -> HttpReply:
        """See `Api.build_reply`: the recorded vectors, none where none were recorded."""
        if is_answer(recorded) and self.read_reply(request, recorded).error is None:
            return HttpReply(200, kept_headers(recorded, JSON_TYPE), recorded.body)
        body = {
            "object": "list",
            "data": [],
            "model": _model(load_object(request.body) or {}, request.url) or "unknown",
            "usage": {"prompt_tokens": 0, "total_tokens": 0},
        }
        return HttpReply(200, kept_headers(recorded, JSON_TYPE), dumps(body).encode())

    def build_failure(
        self, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply:
        """See `Api.build_failure`."""
        return _FAILURES.build(self, request, recorded, kind)


def _model(body: JsonObject, url: str) -> str | None:
    """The model asked for; on Azure it stands in the path as the deployment's name."""
    _, _, deployment = path_of(url).partition("/deployments/")
    return text(body.get("model"), deployment.partition("/")[0])


def _asked_part(item: Any) -> Part:
    if isinstance(item, str):
        return {"type": "text", "content": item}
    if isinstance(item, list):
        return {"type": "tokens", "count": len(item), "tokens": item}
    return unknown_part(item)


def vectors_part(data: list[Any]) -> Part:
    """What there is to see of vectors: `dimensions` None where it can't be told or they differ."""
    sizes = {_dimensions(as_dict(entry).get("embedding")) for entry in data}
    size = sizes.pop() if len(sizes) == 1 else None
    plural = "" if len(data) == 1 else "s"
    shown = f"{len(data)} vector{plural}" + (f" of {size} dimensions" if size else "")
    return {"type": "embeddings", "content": shown, "count": len(data), "dimensions": size}


def _dimensions(vector: Any) -> int | None:
    if isinstance(vector, list):
        return len(vector)
    if not isinstance(vector, str):
        return None
    # Base64 of 32-bit floats; the padding stands for bytes that aren't there.
    return (len(vector) * 3 // 4 - vector[-2:].count("=")) // _FLOAT_BYTES


def _usage(value: JsonObject) -> Usage | None:
    usage = as_dict(value.get("usage"))
    given = count(usage.get("prompt_tokens"), usage.get("input_tokens"), usage.get("total_tokens"))
    return None if given is None else Usage(input_tokens=given)


def _error(reply: HttpReply, value: JsonObject, *, has_data: bool) -> ErrorInfo | None:
    if has_data:
        return error_of(reply.status, value)
    return error_of_reply(reply) or ErrorInfo("invalid_reply", "the reply has no vectors")
