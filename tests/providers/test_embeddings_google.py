"""Google's and Ollama's embeddings: recognised, read, answered again; through their SDKs too."""

import json
from typing import Any

import ollama
import pytest
from google import genai
from google.genai import types

from tracer.core.records import Usage
from tracer.providers import api_named, recognise
from tracer.providers.base import HttpReply, HttpRequest

from .replies import TEXT, json_reply
from .server import LocalServer

GOOGLE = api_named("gemini.embeddings")
OLLAMA = api_named("ollama.embeddings")
MODEL = "http://h/v1beta/models/embed-1"
ONE = {"content": {"parts": [{"text": "a"}]}}
BATCH = {"requests": [{"model": "models/embed-1", **ONE, "taskType": "X"}, ONE]}
VERTEX = {"instances": [{"content": "a"}, {"content": "b"}], "parameters": {"autoTruncate": True}}
PREDICTED = {"embeddings": {"values": [1.5, 2.5], "statistics": {"token_count": 4.0}}}
CASES: list[Any] = [
    (f"{MODEL}:embedContent", ONE, {"embedding": {"values": [1.5, 2]}}, ["a"], 1, None),
    (f"{MODEL}:batchEmbedContents", BATCH,
     {"embeddings": [{"values": [1, 2]}, {"values": [3, 4]}],
      "usageMetadata": {"promptTokenCount": 7}}, ["a", "a"], 2, 7),
    ("http://h/v1/projects/p/locations/l/publishers/google/models/embed-1:predict", VERTEX,
     {"predictions": [PREDICTED, PREDICTED]}, ["a", "b"], 2, 8),
    ("http://h/api/embed", {"model": "embed-1", "input": ["a", "b"]},
     {"model": "embed-1", "embeddings": [[1, 2], [3, 4]], "prompt_eval_count": 5},
     ["a", "b"], 2, 5),
    ("http://h/api/embed", {"model": "embed-1", "input": "a"},
     {"model": "embed-1", "embeddings": [[1, 2]]}, ["a"], 1, None),
    ("http://h/api/embeddings", {"model": "embed-1", "prompt": "a"}, {"embedding": [1, 2]},
     ["a"], 1, None),
]  # fmt: skip


def _asking(url: str, body: Any) -> HttpRequest:
    return HttpRequest("POST", url, [], json.dumps(body).encode())


@pytest.mark.parametrize(("url", "body", "answer", "texts", "vectors", "tokens"), CASES)
def test_read(
    url: str, body: Any, answer: Any, texts: list[str], vectors: int, tokens: int | None
) -> None:
    request, reply = _asking(url, body), json_reply(answer)
    api = recognise("POST", url, request.body)
    assert api is (OLLAMA if "/api/" in url else GOOGLE)
    assert api.operation == "embeddings"
    asked = api.read_request(request)
    assert (asked.model, asked.stream) == ("embed-1", False)
    assert [m["parts"] for m in asked.messages] == [[{"type": "text", "content": t}] for t in texts]
    said = api.read_reply(request, reply)
    [part] = said.messages[0]["parts"]
    assert (part["count"], part["dimensions"]) == (vectors, 2)
    assert (said.error, said.complete) == (None, True)
    assert said.usage == (None if tokens is None else Usage(input_tokens=tokens))
    # What was recorded is given again, whatever words a substitute has.
    assert api.build_reply(request, reply, TEXT).body == reply.body


@pytest.mark.parametrize("api", [GOOGLE, OLLAMA])
def test_trouble(api: Any) -> None:
    request = _asking("http://h/x", {})
    for reply in (json_reply({}), json_reply({"error": "no"}, 404), HttpReply(200, [], b"<html>")):
        said = api.read_reply(request, reply)
        assert said.error is not None
        assert said.messages == []
    built = api.build_reply(request, json_reply({"error": "no"}, 404), TEXT)
    assert api.read_reply(request, built).error is None
    assert api.read_reply(request, api.build_failure(request, None, "rate_limit")).error


def test_not_recognised() -> None:
    images = b'{"instances": [{"prompt": "a cat"}]}'
    assert recognise("POST", "http://h/v1/models/imagen:predict", images) is None
    assert recognise("POST", f"{MODEL}:countTokens", b'{"content": {}}') is None


def test_the_sdks_embed(server: LocalServer) -> None:
    def answer(request: HttpRequest) -> HttpReply:
        api = recognise("POST", request.url, request.body)
        assert api is not None
        recorded = CASES[1 if api is GOOGLE else 3][2]
        return api.build_reply(request, json_reply(recorded), TEXT)

    server.answer = answer
    options = types.HttpOptions(base_url=server.url)
    with genai.Client(api_key="k", http_options=options) as client:
        made = client.models.embed_content(model="embed-1", contents=["a", "b"])
    assert [e.values for e in made.embeddings or []] == [[1, 2], [3, 4]]
    given = ollama.Client(server.url).embed(model="embed-1", input=["a", "b"])
    assert given["embeddings"] == [[1, 2], [3, 4]]
