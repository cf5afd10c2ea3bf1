"""Embeddings formats that are one object in, one object out: what they share.

A reply is read as how many vectors of which dimension it holds; the numbers stay in the raw reply.
So a substitute can't be said in messages: it is the recorded reply, or a whole body.
"""

from typing import Any, cast

from tracer.core.messages import Message, Part
from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import Api, FailureKind, HttpReply, HttpRequest, ModelReply, Stateless
from tracer.providers.errors import error_of, error_of_reply
from tracer.providers.failures import FailureForms
from tracer.providers.jsontext import JsonObject, as_list, dumps, load_object
from tracer.providers.wire import (
    JSON_TYPE,
    is_answer,
    is_failure,
    kept_headers,
    reasons_of,
    text,
)

_FLOAT_BYTES = 4


class Vectors(Stateless):
    """What such an `Api` is made of; a format adds `matches`, `read_request` and what differs."""

    operation = "embeddings"
    array_key = ""
    failures: FailureForms

    def vectors(self, value: JsonObject) -> list[Any] | None:
        """The vectors of a reply object, None when it holds none."""
        raise NotImplementedError

    def usage(self, value: JsonObject) -> Usage | None:
        """Token counts of a reply object, None when it tells none."""
        return None

    def nothing(self, request: HttpRequest) -> JsonObject:
        """The reply object without vectors."""
        return {"embeddings": []}

    def read_reply(self, request: HttpRequest, reply: HttpReply) -> ModelReply:
        """See `Api.read_reply`."""
        value = load_object(reply.body) or {}
        found = None if is_failure(reply.status) else self.vectors(value)
        messages: list[Message] = []
        error = error_of(reply.status, value)
        if found is None:
            error = error_of_reply(reply) or ErrorInfo("invalid_reply", "the reply has no vectors")
        else:
            part = vectors_part(found)
            messages = [{"role": "assistant", "parts": [part], "finish_reason": "stop"}]
        return ModelReply(
            messages=messages,
            usage=self.usage(value),
            finish_reasons=reasons_of(messages),
            model=text(value.get("model"), value.get("modelVersion")),
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
        body = dumps(self.nothing(request)).encode()
        if is_answer(recorded) and self.read_reply(request, recorded).error is None:
            body = recorded.body
        return HttpReply(200, kept_headers(recorded, JSON_TYPE), body)

    def build_failure(
        self, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply:
        """See `Api.build_failure`."""
        return self.failures.build(cast(Api, self), request, recorded, kind)


def all_of(values: Any, key: str) -> list[Any] | None:
    """What stands under `key` in each object of a list, None when `values` is no list."""
    if not isinstance(values, list):
        return None
    return [value.get(key) if isinstance(value, dict) else None for value in as_list(values)]


def vectors_part(vectors: list[Any]) -> Part:
    """What there is to see of vectors: `dimensions` None where it can't be told or they differ."""
    sizes = set(map(_dimensions, vectors))
    size = sizes.pop() if len(sizes) == 1 else None
    plural = "" if len(vectors) == 1 else "s"
    shown = f"{len(vectors)} vector{plural}" + (f" of {size} dimensions" if size else "")
    return {"type": "embeddings", "content": shown, "count": len(vectors), "dimensions": size}


def _dimensions(vector: Any) -> int | None:
    if isinstance(vector, list):
        return len(vector)
    if not isinstance(vector, str):
        return None
    # Base64 of 32-bit floats; the padding stands for bytes that aren't there.
    return (len(vector) * 3 // 4 - vector[-2:].count("=")) // _FLOAT_BYTES
