"""Secrets are removed before anything reaches the disk: headers, URL parameters, known keys.

The values of secret headers are remembered (in memory only) so that the same key is also removed
from error messages and tracebacks.
"""

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

REDACTED = "[redacted]"
SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-amz-security-token",
        "x-auth-token",
        "cookie",
        "set-cookie",
        "openai-organization",
        "openai-project",
    }
)
_SECRET_NAME = re.compile(r"(api[-_]?key|token|secret|password|signature|credential)", re.I)
_SECRET_QUERY = frozenset({"key", "sig", "signature", "access_token", "token", "api-key"})
_SHORTEST = 8
_known: set[str] = set()


def is_secret_header(name: str) -> bool:
    """Whether a header's value must not be stored."""
    lower = name.lower()
    return lower in SECRET_HEADERS or (
        _SECRET_NAME.search(lower) is not None and not lower.startswith(("x-ratelimit", "anthropic-ratelimit"))
    )


def headers(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The headers with secret values replaced; the values are remembered for `text`."""
    kept: list[tuple[str, str]] = []
    for name, value in pairs:
        if is_secret_header(name):
            remember(value)
            kept.append((name, REDACTED))
        else:
            kept.append((name, value))
    return tuple(kept)


def remember(secret: str) -> None:
    """Keep a secret in memory, so that `text` removes it wherever it turns up."""
    word = secret.strip().rsplit(" ", 1)[-1]
    if len(word) >= _SHORTEST:
        _known.add(word)


def url(address: str) -> str:
    """The URL without user info and with secret query values replaced."""
    parts = urlsplit(address)
    netloc = parts.netloc.rsplit("@", 1)[-1]
    query = parts.query
    if query:
        pairs = parse_qsl(query, keep_blank_values=True)
        if any(_is_secret_query(name) for name, _ in pairs):
            query = urlencode([(n, REDACTED if _is_secret_query(n) else v) for n, v in pairs])
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


def _is_secret_query(name: str) -> bool:
    return name.lower() in _SECRET_QUERY or _SECRET_NAME.search(name) is not None


def text(words: str) -> str:
    """Text with every remembered secret replaced."""
    for secret in _known:
        if secret in words:
            words = words.replace(secret, REDACTED)
    return words
