"""Ollama's embeddings: `/api/embed`, and the older `/api/embeddings` of one text."""

from typing import Any

from tracer.core.records import Usage
from tracer.providers.base import HttpRequest, ModelRequest
from tracer.providers.failures import FailureForms
from tracer.providers.jsontext import JsonObject, load_object
from tracer.providers.ollama import ERRORS
from tracer.providers.vectors import Vectors
from tracer.providers.wire import count, text, unknown_part, without


class OllamaEmbeddings(Vectors):
    """`Api` of `POST .../api/embed` and `.../api/embeddings`."""

    name = "ollama.embeddings"
    family = "ollama"
    failures = FailureForms(ERRORS, stream_ending=())

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """See `Api.matches`; `path` may end in a slash."""
        path = path.rstrip("/")
        if method.upper() != "POST" or b'"model"' not in body:
            return False
        if path.endswith("/api/embed"):
            return b'"input"' in body
        return path.endswith("/api/embeddings") and b'"prompt"' in body

    def read_request(self, request: HttpRequest) -> ModelRequest:
        """See `Api.read_request`: one message a text."""
        body = load_object(request.body) or {}
        given = body.get("input", body.get("prompt"))
        texts = given if isinstance(given, list) else [] if given is None else [given]
        return ModelRequest(
            model=text(body.get("model")),
            stream=False,
            messages=[{"role": "user", "parts": [_part(item)]} for item in texts],
            tools=[],
            parameters=without(body, "model", "input", "prompt"),
        )

    def vectors(self, value: JsonObject) -> list[Any] | None:
        """See `Vectors.vectors`."""
        if isinstance(value.get("embedding"), list):
            return [value["embedding"]]
        found = value.get("embeddings")
        return found if isinstance(found, list) else None

    def usage(self, value: JsonObject) -> Usage | None:
        """See `Vectors.usage`."""
        given = count(value.get("prompt_eval_count"))
        return None if given is None else Usage(input_tokens=given)


def _part(item: Any) -> dict[str, Any]:
    return {"type": "text", "content": item} if isinstance(item, str) else unknown_part(item)
