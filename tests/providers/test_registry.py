"""Recognising requests by path and shape, and naming who serves them."""

import pytest

from tracer.providers import APIS, api_named, model_in_path, provider_name, recognise

CHAT = b'{"model": "m", "messages": []}'
ASKED = b'{"model": "m", "input": "x"}'


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
        ("https://api.cohere.com/v2/chat", "cohere.chat"),
        ("http://localhost:1/model/us.amazon.nova-micro-v1%3A0/converse", "bedrock.converse"),
        ("http://proxy/aws/model/arn:aws:bedrock:x/p/converse-stream/", "bedrock.converse"),
        ("https://h/model/anthropic.claude-v2/invoke", "bedrock.invoke"),
        ("https://h/model/m/invoke-with-response-stream?x=1", "bedrock.invoke"),
    ],
)
def test_recognised_by_path(url: str, name: str) -> None:
    api = recognise("POST", url, CHAT)
    assert api is not None
    assert api.name == name
    assert recognise("post", url, CHAT) is api
    assert recognise("GET", url, CHAT) is None
    if name != "bedrock.converse":  # its requests may hold no more than a stored prompt's variables
        assert recognise("POST", url, b'{"model": "m", "input": "x"}') is None


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("https://api.anthropic.com/v1/messages/count_tokens", CHAT),
        ("https://api.openai.com/v1/threads/t/messages", b'{"role": "user", "content": "x"}'),
        ("https://api.openai.com/v1/responses", CHAT),
        ("https://api.openai.com/v1/responses/compact", ASKED),
        ("https://api.openai.com/v1/responses/input_tokens", ASKED),
        ("https://api.openai.com/v1/responses/resp_1/cancel", ASKED),
        ("https://api.openai.com/v1/moderations", ASKED),
        ("https://forms.example/api/responses", b'{"answers": []}'),
        ("https://api.openai.com/v1/embeddings", CHAT),
        ("https://api.cohere.com/v1/chat", b'{"message": "x", "model": "m"}'),
        ("https://api.cohere.com/v2/embed", b'{"texts": ["x"], "model": "m"}'),
        ("https://h/model/m/converse-stream-x", CHAT),
        ("https://h/converse", CHAT),
        ("https://h/model/amazon.titan-embed-text-v1/invoke", b'{"inputText": "x"}'),
        ("https://h/model/arn%3Aaws/invoke", b'{"inputText": "x", "normalize": true}'),
        ("https://h/model/cohere.embed-v4%3A0/invoke", b'{"texts": ["x"], "input_type": "s"}'),
        ("https://h/model/amazon.nova-canvas-v1%3A0/invoke", b'{"taskType": "TEXT_IMAGE"}'),
        ("https://h/model/stability.sd3/invoke", b'{"prompt": "x"}'),
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


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1/responses", "openai.responses"),
        ("https://x.openai.azure.com/openai/responses?api-version=2026-01-01", "openai.responses"),
        ("https://x.openai.azure.com/openai/v1/responses", "openai.responses"),
        ("https://api.x.ai/v1/responses", "openai.responses"),
        ("http://localhost:8000/responses/", "openai.responses"),
        ("https://api.openai.com/v1/embeddings", "openai.embeddings"),
        ("https://x.openai.azure.com/openai/deployments/d/embeddings?api-version=1",
         "openai.embeddings"),
    ],
)  # fmt: skip
def test_input_is_asked_of_responses_and_embeddings(url: str, name: str) -> None:
    api = recognise("POST", url, ASKED)
    assert api is api_named(name)
    assert recognise("GET", url, ASKED) is None
    assert recognise("POST", url, CHAT) is None


def test_a_prompt_of_the_provider_holds_the_question() -> None:
    body = b'{"prompt": {"id": "pmpt_1", "variables": {}}}'
    api = recognise("POST", "https://api.openai.com/v1/responses", body)
    assert api is api_named("openai.responses")


def test_claude_on_vertex() -> None:
    body = b'{"anthropic_version": "vertex-2023-10-16", "messages": []}'
    url = (
        "https://h/v1/projects/p/locations/l/publishers/anthropic/models/claude-x:streamRawPredict"
    )
    api = recognise("POST", url, body)
    assert api is api_named("anthropic.messages")


def test_counting_tokens_on_vertex_asks_no_model() -> None:
    body = b'{"anthropic_version": "vertex-2023-10-16", "messages": []}'
    url = "https://h/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict"
    assert recognise("POST", url, body) is None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("amazon.titan-text-lite-v1/invoke", b'{"inputText": "x"}'),
        ("arn%3Aaws/invoke", b'{"inputText": "x", "textGenerationConfig": {}}'),
        ("meta.llama3/invoke", b'{"prompt": "x"}'),
        ("cohere.command-r-v1%3A0/invoke", b'{"message": "x"}'),
    ],
)
def test_text_generation_on_bedrock(path: str, body: bytes) -> None:
    assert recognise("POST", f"https://h/model/{path}", body) is api_named("bedrock.invoke")


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
