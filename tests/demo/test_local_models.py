"""`local_models`: serves the SDKs that have nothing set up and leaves everything else alone."""

import os
from collections.abc import Iterator

import pytest
from anthropic import Anthropic
from openai import OpenAI

from tracer.demo.local_models import ANTHROPIC, OPENAI, local_models


@pytest.fixture(autouse=True)
def no_models_set_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (*OPENAI, *ANTHROPIC, "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield


def test_both_sdks_reach_the_server_and_the_environment_is_restored() -> None:
    before = dict(os.environ)
    with local_models() as server:
        assert server is not None
        OpenAI().chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]
        )
        Anthropic().messages.create(
            model="claude-haiku-4-5",
            max_tokens=9,
            messages=[{"role": "user", "content": "Hello"}],
        )
        assert server.request_count == 2
    assert dict(os.environ) == before


def test_the_environment_is_restored_after_an_error() -> None:
    before = dict(os.environ)
    with pytest.raises(ZeroDivisionError), local_models():
        raise ZeroDivisionError
    assert dict(os.environ) == before


@pytest.mark.parametrize("name", OPENAI)
def test_openai_settings_of_the_user_stay(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "mine")
    with local_models() as server:
        assert server is not None
        assert {key: os.environ.get(key) for key in OPENAI if key in os.environ} == {name: "mine"}
        assert os.environ["ANTHROPIC_BASE_URL"] == server.url


@pytest.mark.parametrize("name", ANTHROPIC)
def test_anthropic_settings_of_the_user_stay(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "mine")
    with local_models() as server:
        assert server is not None
        assert {key for key in ANTHROPIC if key in os.environ} == {name}
        assert os.environ["OPENAI_BASE_URL"] == f"{server.url}/v1"


def test_no_server_where_both_are_set_up_unless_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "mine")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "mine")
    before = dict(os.environ)
    with local_models() as server:
        assert server is None
        assert dict(os.environ) == before
    with local_models(force=True) as server:
        assert server is not None
        assert os.environ["OPENAI_API_KEY"] != "mine"
    assert dict(os.environ) == before


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with local_models():
        assert os.environ["OPENAI_API_KEY"]


def test_a_proxy_is_bypassed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "intranet")
    with local_models() as server:
        assert server is not None
        assert os.environ["no_proxy"] == "intranet,127.0.0.1"
        OpenAI(max_retries=0).chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]
        )
        assert server.request_count == 1
    assert os.environ["no_proxy"] == "intranet"


def test_within_another_the_outer_server_is_used() -> None:
    with local_models() as outer, local_models() as inner:
        assert outer is not None
        assert inner is None
