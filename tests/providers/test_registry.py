"""Recognising requests by path and shape, and naming who serves them."""

import pytest

from tracer.providers import APIS, api_named, model_in_path, provider_name, recognise

CHAT = b'{"model": "m", "messages": []}'


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1/chat/completions", "openai.chat"),
        ("http://localhost:8000/v1/chat/completions?x=/messages", "openai.chat"),
        (
            "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
            "openai.chat",
        ),
        ("https://api.mistral.ai/v1/chat/completions#stream", "openai.chat"),
        ("<BASE>/chat/completions/", "openai.chat"),
        ("https://api.anthropic.com/v1/messages?beta=true", "anthropic.messages"),
        ("http://[broken/v1/messages", "anthropic.messages"),
        ("http://h/api/chat/", "ollama.chat"),
    ],
)
def test_recognised_by_path(url: str, name: str) -> None:
    api = recognise("POST", url, CHAT)
    assert api is not None
    assert api.name == name
    assert recognise("post", url, CHAT) is api
    assert recognise("GET", url, CHAT) is None
    assert recognise("POST", url, b'{"model": "m", "input": "x"}') is None


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("https://api.anthropic.com/v1/messages/count_tokens", CHAT),
        ("https://api.openai.com/v1/threads/t/messages", b'{"role": "user", "content": "x"}'),
        ("https://api.openai.com/v1/responses", CHAT),
        ("https://api.cohere.com/v2/chat", CHAT),
        ("https://h/v1/models/gemini:rawPredict", CHAT),
    ],
)
def test_not_recognised(url: str, body: bytes) -> None:
    assert recognise("POST", url, body) is None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1beta/models/g:generateContent", True),
        (
            "/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent?alt=sse",
            True,
        ),
        ("/v1beta/models/g:streamGenerateContent?alt=sse?key=x", True),
        ("/v1beta/models/g%3AgenerateContent/", True),
        ("/v1beta/models/g:countTokens", False),
        ("/v1beta/models/g/generateContent", False),
    ],
)
def test_gemini_by_the_end_of_its_path(path: str, found: bool) -> None:
    api = recognise("POST", f"http://gateway.example{path}", b'{"contents": []}')
    assert (api is api_named("gemini.generate_content")) == found
    assert recognise("POST", f"http://h{path}", b'{"content": {}}') is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://h/v1beta/models/g-1:generateContent?key=k", "g-1:generateContent"),
        ("https://h/v1/models/g-1:streamGenerateContent?key=k&alt=sse",
         "g-1:streamGenerateContent?alt=sse"),
        ("https://h/v1/projects/p/locations/l/publishers/anthropic/models/c@1:rawPredict",
         "c@1:rawPredict"),
        ("https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
         "d/chat/completions"),
        ("https://h/model/us.amazon.nova%3A0/converse", "us.amazon.nova:0/converse"),
        ("https://api.openai.com/v1/chat/completions?alt=sse", ""),
        ("::::", ""),
    ],
)  # fmt: skip
def test_what_a_path_says_of_the_model(url: str, said: str) -> None:
    assert model_in_path(url) == said


def test_claude_on_vertex() -> None:
    body = b'{"anthropic_version": "vertex-2023-10-16", "messages": []}'
    url = (
        "https://h/v1/projects/p/locations/l/publishers/anthropic/models/claude-x:streamRawPredict"
    )
    api = recognise("POST", url, body)
    assert api is api_named("anthropic.messages")


def test_names_are_unique_and_found() -> None:
    assert len({api.name for api in APIS}) == len(APIS)
    assert all(api_named(api.name) is api for api in APIS)
    with pytest.raises(KeyError):
        api_named("openai.telepathy")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1/chat/completions", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://me.openai.azure.com/openai", "azure.ai.openai"),
        ("https://me.services.ai.azure.com/models", "azure.ai.inference"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.deepseek.com/chat/completions", "deepseek"),
        ("https://api.x.ai/v1", "x_ai"),
        ("https://api.mistral.ai/v1", "mistral_ai"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://us-east5-aiplatform.googleapis.com/v1", "gcp.vertex_ai"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "gcp.gemini"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1", "aws.bedrock"),
        ("https://abc.execute-api.eu-west-1.amazonaws.com/v1", "openai"),
        ("http://127.0.0.1:11434/v1", "ollama"),
        ("http://127.0.0.1:8000/v1", "openai"),
        ("https://api.openai.com.evil.example/v1", "openai"),  # unknown host, so the family
        ("https://notgroq.com/v1", "openai"),
        ("http://[broken", "openai"),
        ("http://h:99999999/v1", "openai"),
        ("", "openai"),
    ],
)
def test_provider_by_host(url: str, name: str) -> None:
    assert provider_name(api_named("openai.chat"), url) == name


def test_an_unknown_host_has_the_formats_family() -> None:
    assert provider_name(api_named("anthropic.messages"), "http://localhost/x") == "anthropic"
    evil = "https://api.groq.com.evil.example/v1"
    assert provider_name(api_named("anthropic.messages"), evil) == "anthropic"
