"""Requests asked otherwise: what is edited is what the format reads there, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.replies import chat_request, messages_request, responses_request
from tracer.providers import api_named, model_in_path
from tracer.providers.base import HttpRequest
from tracer.providers.editing import Edit, edited, is_editable


def _request(url: str, **body: Any) -> HttpRequest:
    return HttpRequest("POST", url, [("Content-Length", "7")], json.dumps(body).encode())


_SAID = [{"role": "user", "content": "Weather?"}]
_GEMINI = "https://host/v1beta/models/gemini-x:streamGenerateContent?alt=sse"
REQUESTS = {
    "openai.chat": chat_request(True, seed=1),
    "openai.responses": responses_request(True, seed=1),
    "anthropic.messages": messages_request(True, seed=1),
    "cohere.chat": _request("https://host/v2/chat", model="c", messages=_SAID, seed=1),
    "gemini.generate_content": _request(
        _GEMINI,
        contents=[{"role": "user", "parts": [{"text": "Weather?"}]}],
        generation_config={"seed": 1},
    ),
    "ollama.chat": _request(
        "http://host/api/chat", model="o", messages=_SAID, options={"seed": 1}, stream=True
    ),
    "ollama.generate": _request(
        "http://host/api/generate", model="o", prompt="Weather?", options={"seed": 1}, stream=True
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
@given(
    model=st.none() | st.sampled_from(["other-1", "org/other"]),
    temperature=st.none() | st.sampled_from([0.0, 0.7]),
    system=st.none() | st.text(min_size=1, max_size=20),
)
def test_what_is_edited_is_read_there_and_nothing_else_changes(
    name: str, model: str | None, temperature: float | None, system: str | None
) -> None:
    if name.startswith("gemini") and model is not None:
        model = model.replace("/", "-")
    api, before = api_named(name), REQUESTS[name]
    after = edited(name, before, Edit(model, temperature, system))
    assert api.matches("POST", after.url.split("?")[0].split("host", 1)[-1], after.body)
    was, now = api.read_request(before), api.read_request(after)
    assert (now.model or model_in_path(after.url)) == (
        model or was.model or model_in_path(before.url)
    )
    assert _temperature(now.parameters) == temperature
    assert _seed(now.parameters) == _seed(was.parameters) == 1
    assert (now.stream, now.tools) == (was.stream, was.tools)
    prompts = [m for m in now.messages if m["role"] == "system"]
    said = [part["content"] for m in prompts for part in m["parts"]]
    assert said == ([] if system is None else [system])
    assert [m for m in now.messages if m["role"] != "system"] == was.messages
    assert not any(header.lower() == "content-length" for header, _ in after.headers)


def _temperature(parameters: dict[str, Any]) -> Any:
    return next(iter(_values(parameters, "temperature")), None)


def _seed(parameters: dict[str, Any]) -> Any:
    return next(iter(_values(parameters, "seed")), None)


def _values(value: Any, key: str) -> list[Any]:
    """What stands under a key, at any depth: formats group their parameters."""
    if not isinstance(value, dict):
        return []
    deeper = [found for inner in value.values() for found in _values(inner, key)]
    return ([value[key]] if key in value else []) + deeper


def test_a_system_prompt_that_is_there_is_replaced() -> None:
    messages = [{"role": "developer", "content": "old"}, *_SAID]
    after = edited("openai.chat", chat_request(messages=messages), Edit(system="new"))
    assert json.loads(after.body)["messages"][0] == {"role": "developer", "content": "new"}


@pytest.mark.parametrize("body", [b"", b"[]", b"no json", b"\xff"])
def test_what_can_not_be_read_can_not_be_edited(body: bytes) -> None:
    request = HttpRequest("POST", "https://h/v1/chat/completions", [], body)
    with pytest.raises(ValueError):
        edited("openai.chat", request, Edit(model="m"))


def test_signed_requests_are_not_editable() -> None:
    assert not is_editable("bedrock.converse")
    with pytest.raises(ValueError):
        edited("bedrock.converse", chat_request(), Edit(model="m"))
