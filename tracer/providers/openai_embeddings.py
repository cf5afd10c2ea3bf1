"""The embeddings format, of OpenAI and the hosts compatible with it: texts to vectors."""

from typing import Any

from tracer.core.messages import Part
from tracer.core.records import Usage
from tracer.providers.base import HttpRequest, ModelRequest
from tracer.providers.failures import FailureForms
from tracer.providers.hosts import path_of
from tracer.providers.jsontext import JsonObject, as_dict, load_object
from tracer.providers.openai_errors import ERRORS
from tracer.providers.vectors import Vectors, all_of
from tracer.providers.wire import count, text, unknown_part, without


class OpenAIEmbeddings(Vectors):
    """`Api` of `POST .../embeddings`."""

    name = "openai.embeddings"
    family = "openai"
    failures = FailureForms(ERRORS, stream_ending=())

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

    def vectors(self, value: JsonObject) -> list[Any] | None:
        """See `Vectors.vectors`."""
        return all_of(value.get("data"), "embedding")

    def usage(self, value: JsonObject) -> Usage | None:
        """See `Vectors.usage`."""
        usage = as_dict(value.get("usage"))
        given = count(
            usage.get("prompt_tokens"), usage.get("input_tokens"), usage.get("total_tokens")
        )
        return None if given is None else Usage(input_tokens=given)

    def nothing(self, request: HttpRequest) -> JsonObject:
        """See `Vectors.nothing`."""
        return {
            "object": "list",
            "data": [],
            "model": _model(load_object(request.body) or {}, request.url) or "unknown",
            "usage": {"prompt_tokens": 0, "total_tokens": 0},
        }


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
