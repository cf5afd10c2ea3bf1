"""Prices: what is passed on to the list, and that nothing unknown becomes zero."""

import subprocess
import sys

import pytest

from tracer.core.records import Usage
from tracer.providers import price

AT = 1_767_225_600_000_000_000  # 2026-01-01


def test_cached_input_is_part_of_the_input_and_cheaper() -> None:
    plain = price("gpt-4o", "openai", Usage(1_000_000, 0), AT)
    cached = price("gpt-4o", "openai", Usage(1_000_000, 0, cached_input_tokens=1_000_000), AT)
    assert plain == pytest.approx(2.5)
    assert cached == pytest.approx(1.25)


def test_cache_writes_cost_more() -> None:
    plain = price("claude-sonnet-4-5", "anthropic", Usage(1_000, 0), AT)
    written = price("claude-sonnet-4-5", "anthropic", Usage(1_000, 0, cache_write_tokens=1_000), AT)
    assert plain is not None
    assert written == pytest.approx(plain * 1.25)


def test_reasoning_is_not_counted_twice() -> None:
    plain = price("o3", "openai", Usage(0, 1_000), AT)
    reasoned = price("o3", "openai", Usage(0, 1_000, reasoning_tokens=900), AT)
    assert plain is not None
    assert reasoned == pytest.approx(plain)


def test_the_price_of_the_time_counts() -> None:
    before = price("o3", "openai", Usage(1_000_000, 0), 1_745_000_000_000_000_000)
    after = price("o3", "openai", Usage(1_000_000, 0), AT)
    assert before == pytest.approx(10.0)
    assert after == pytest.approx(2.0)


@pytest.mark.parametrize("provider", ["x_ai", "mistral_ai", "azure.ai.openai", "groq", "deepseek"])
def test_our_provider_names_are_known_to_the_list(provider: str) -> None:
    model = {
        "x_ai": "grok-4-0709",
        "mistral_ai": "mistral-large-latest",
        "azure.ai.openai": "gpt-4o",
        "groq": "llama-3.3-70b-versatile",
        "deepseek": "deepseek-chat",
    }[provider]
    cost = price(model, provider, Usage(1_000, 1_000), AT)
    assert cost is not None
    assert cost > 0


@pytest.mark.parametrize(
    ("model", "provider", "usage", "at_ns"),
    [
        (None, "openai", Usage(1, 1), AT),
        ("", "openai", Usage(1, 1), AT),
        ("my-deployment", "azure.ai.openai", Usage(1, 1), AT),
        ("gpt-4o", "no-such-provider", Usage(1, 1), AT),
        ("no-such-model", None, Usage(1, 1), AT),
        ("gpt-4o", "openai", Usage(), AT),
        ("gpt-4o", "openai", Usage(10, 1, cached_input_tokens=11), AT),
        ("gpt-4o", "openai", Usage(-1, 1), AT),
        ("gpt-4o", "openai", Usage(1, 1), 10**30),
    ],
)
def test_what_is_unknown_is_none(
    model: str | None, provider: str | None, usage: Usage, at_ns: int
) -> None:
    assert price(model, provider, usage, at_ns) is None


def test_the_list_is_imported_only_when_asked() -> None:
    code = "import sys, tracer.providers; print('genai_prices' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
