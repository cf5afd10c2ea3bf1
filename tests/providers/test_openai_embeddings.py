"""Embeddings: texts in, vectors counted."""

import base64
import json
import struct
from typing import Any

import openai
import pytest

from tracer.providers.base import HttpReply

from .replies import EMBEDDINGS, EMBEDDINGS_JSON, TEXT, embeddings_request, json_reply
from .server import LocalServer


def test_each_text_is_a_message() -> None:
    asked = EMBEDDINGS.read_request(embeddings_request(["a", "b"], dimensions=8))
    assert asked.messages == [
        {"role": "user", "parts": [{"type": "text", "content": text}]} for text in ("a", "b")
    ]
    assert (asked.model, asked.parameters) == ("embed-x", {"dimensions": 8})


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("a", [{"type": "text", "content": "a"}]),
        ([1, 2], [{"type": "tokens", "count": 2, "tokens": [1, 2]}]),
        ([[1], [2, 3]], [{"type": "tokens", "count": 1, "tokens": [1]},
                         {"type": "tokens", "count": 2, "tokens": [2, 3]}]),
        ([{"image": "x"}], [{"type": "unknown", "value": {"image": "x"}}]),
        (None, [{"type": "unknown", "value": None}]),
    ],
)  # fmt: skip
def test_other_things_to_embed(given: Any, parts: list[Any]) -> None:
    asked = EMBEDDINGS.read_request(embeddings_request(given))
    assert [part for message in asked.messages for part in message["parts"]] == parts


def test_the_model_of_a_deployment() -> None:
    url = "https://x.openai.azure.com/openai/deployments/small/embeddings?api-version=1"
    request = embeddings_request()
    request = type(request)("POST", url, [], b'{"input": "a"}')
    assert EMBEDDINGS.read_request(request).model == "small"


def _vectors(*vectors: Any) -> HttpReply:
    return json_reply({"data": [{"embedding": vector} for vector in vectors]})


@pytest.mark.parametrize(
    ("vectors", "count", "dimensions"),
    [
        ([[0.5] * 3, [0.5] * 3], 2, 3),
        ([base64.b64encode(struct.pack("<5f", *range(5))).decode()], 1, 5),
        ([base64.b64encode(struct.pack("<256f", *range(256))).decode()] * 2, 2, 256),
        ([[0.5] * 3, [0.5] * 4], 2, None),
        ([], 0, None),
        ([None], 1, None),
    ],
)
def test_vectors_are_counted(vectors: list[Any], count: int, dimensions: int | None) -> None:
    read = EMBEDDINGS.read_reply(embeddings_request(), _vectors(*vectors))
    [part] = read.messages[0]["parts"]
    assert (part["count"], part["dimensions"], read.error) == (count, dimensions, None)
    assert "0.5" not in json.dumps(read.messages)


def test_usage_and_names() -> None:
    read = EMBEDDINGS.read_reply(embeddings_request(), EMBEDDINGS_JSON)
    assert read.usage is not None
    assert (read.usage.input_tokens, read.usage.output_tokens) == (8, None)
    assert (read.model, read.finish_reasons) == ("embed-x-1", ["stop"])
    assert read.messages[0]["parts"][0]["content"] == "2 vectors of 3 dimensions"


def test_errors() -> None:
    refused = json_reply({"error": {"type": "bad", "message": "No."}}, 400)
    for reply, kind in ((refused, "bad"), (json_reply({}), "invalid_reply")):
        read = EMBEDDINGS.read_reply(embeddings_request(), reply)
        assert read.error is not None
        assert (read.error.type, read.messages) == (kind, [])


def test_the_sdk_takes_what_is_built(server: LocalServer) -> None:
    server.answer = lambda request: EMBEDDINGS.build_reply(request, EMBEDDINGS_JSON, TEXT)
    with openai.OpenAI(api_key="k", base_url=server.url + "/v1") as client:
        reply = client.embeddings.create(model="embed-x", input=["a", "b"])
        assert [entry.embedding for entry in reply.data] == [[0.25, -1.5, 0.0]] * 2
        server.answer = lambda request: EMBEDDINGS.build_failure(
            request, EMBEDDINGS_JSON, "rate_limit"
        )
        with pytest.raises(openai.RateLimitError):
            client.embeddings.create(model="embed-x", input="a")
