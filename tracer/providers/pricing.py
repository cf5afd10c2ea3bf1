"""What a model call costs, from the price list that ships inside genai-prices.

The list is data on disk, so this works offline; it is never refreshed over the network.
"""

from datetime import UTC, datetime, timedelta

from tracer.core.records import Usage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Provider name here -> id in the price list, where they differ.
_LIST_ID = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "aws.bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "gcp.gen_ai": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
    "moonshot_ai": "moonshotai",
    "github": "github-copilot",
}


def load() -> None:
    """Load the price list, which the first price otherwise does."""
    import genai_prices  # noqa: F401 - costs 0.1 to 0.4 s, which only model calls need


def price(model: str | None, provider: str | None, usage: Usage, at_ns: int) -> float | None:
    """The price in US dollars of `usage` at `at_ns` (nanoseconds since the epoch).

    None when it can't be known: no model, a model or provider that the list lacks, no counts, or
    counts that contradict each other. Zero means that the list says it is free. Without a
    provider the list picks the one whose models are called so.
    """
    if not model or (usage.input_tokens is None and usage.output_tokens is None):
        return None
    # Importing the list costs 0.1 s, which a recorded program should not pay before it needs it.
    from genai_prices import Usage as ListedUsage
    from genai_prices import calc_price

    try:
        result = calc_price(
            ListedUsage(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cache_read_tokens=usage.cached_input_tokens,
                cache_write_tokens=usage.cache_write_tokens,
                output_reasoning_tokens=usage.reasoning_tokens,
            ),
            model,
            provider_id=_LIST_ID.get(provider, provider) if provider else None,
            genai_request_timestamp=_EPOCH + timedelta(microseconds=at_ns // 1000),
        )
    except (LookupError, ValueError, OverflowError):
        return None
    return float(result.total_price)
