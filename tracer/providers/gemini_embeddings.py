"""Google's embeddings: `:embedContent` and `:batchEmbedContents`, and `:predict` on Vertex."""

from typing import Any

from tracer.core.messages import Message
from tracer.core.records import Usage
from tracer.providers.base import HttpRequest, ModelRequest
from tracer.providers.failures import FailureForms
from tracer.providers.gemini import ERRORS
from tracer.providers.gemini_names import drop, get, many
from tracer.providers.gemini_parts import read_message
from tracer.providers.gemini_request import action_of, model_in
from tracer.providers.jsontext import JsonObject, as_dict, as_list, load_object
from tracer.providers.vectors import Vectors, all_of
from tracer.providers.wire import count, text, unknown_part

# Action -> a word that the body has. `:predict` serves models of every kind; texts to embed stand
# under `content`.
_WORDS = {
    "embedContent": b'"content"',
    "batchEmbedContents": b'"requests"',
    "predict": b'"content"',
}


class GeminiEmbeddings(Vectors):
    """`Api` of `POST .../{model}:embedContent` and its like."""

    name = "gemini.embeddings"
    family = "gcp.gemini"
    failures = FailureForms(ERRORS, stream_ending=())

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """See `Api.matches`; `path` may end in a slash."""
        action = action_of(path)
        word = _WORDS.get(action)
        if word is None or word not in body or method.upper() != "POST":
            return False
        return action != "predict" or b'"instances"' in body

    def read_request(self, request: HttpRequest) -> ModelRequest:
        """See `Api.read_request`: one message a text."""
        body = load_object(request.body) or {}
        batch = as_list(get(body, "requests")) or as_list(body.get("instances"))
        entries = [as_dict(entry) for entry in batch] if batch else [body]
        first = entries[0]
        read_apart = ("requests", "instances", "content", "model")
        return ModelRequest(
            model=model_in(request.url),
            stream=False,
            messages=[_message(entry.get("content")) for entry in entries if "content" in entry],
            tools=[],
            parameters=drop({**(first if batch else {}), **body}, *read_apart),
        )

    def vectors(self, value: JsonObject) -> list[Any] | None:
        """See `Vectors.vectors`."""
        if isinstance(value.get("embedding"), dict):
            return [value["embedding"].get("values")]
        predictions = value.get("predictions")
        if isinstance(predictions, list):
            found = [as_dict(as_dict(entry).get("embeddings")) for entry in predictions]
            return [entry.get("values") for entry in found] if all(found) else None
        return all_of(value.get("embeddings"), "values")

    def usage(self, value: JsonObject) -> Usage | None:
        """See `Vectors.usage`; Vertex counts the tokens of each text."""
        given = count(get(as_dict(get(value, "usageMetadata")), "promptTokenCount"))
        for entry in many(value.get("predictions")):
            statistics = as_dict(as_dict(as_dict(entry).get("embeddings")).get("statistics"))
            said = get(statistics, "tokenCount")
            # Written as 4.0 by servers that keep every number so.
            whole = int(said) if isinstance(said, float) and said.is_integer() else said
            given = count((given or 0) + (count(whole) or 0)) if count(whole) else given
        return None if given is None else Usage(input_tokens=given)


def _message(content: Any) -> Message:
    if isinstance(content, dict):
        return {**read_message(content), "role": "user"}
    said = text(content)
    part = {"type": "text", "content": said} if said else unknown_part(content)
    return {"role": "user", "parts": [part]}
