"""The credentials of this machine: headers, URL parameters, variables, answers that give them out.

Their values are remembered (in memory only) so that the same key is also removed from wherever
else it turns up: error messages, tracebacks, arguments, answers that repeat it. They are no part
of what a step asks: a re-execution has others, or none.
"""

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from urllib.parse import (
    parse_qsl,
    quote,
    quote_plus,
    unquote,
    urlencode,
    urlsplit,
    urlunsplit,
)

from tracer.core.marks import REDACTED, Edit

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
# Of variables, attributes and keys of dicts; "max_tokens" and "tokenizer" hold no secret.
_SECRET_VALUE = re.compile(
    r"(api[-_]?key|token(?!iz|s$|_|s_)|token_?(value|secret)|secret|passw|passphrase|credential"
    r"|private[-_]?key|authorization)",
    re.I,
)
_SECRET_QUERY = frozenset({"key", "sig", "signature", "access_token", "token", "api-key"})
# Environment variables that hold a secret, by their name's end; short and numeric values don't.
_SECRET_VARIABLE = re.compile(r"(API_?KEY|ACCESS_?KEY|SECRET|TOKEN|PASSWORD|CREDENTIALS?)$", re.I)
_SHORTEST = 8
_SHORTEST_VARIABLE = 12
_MOST = 200  # a server that meets ever new cookies must not look for all of them for ever
_LONGEST = 4096  # characters of a secret that a cut is looked at for
_MOST_CREDENTIALS = 100_000  # bytes; what is longer is no answer of such a service
_NAMES = rb"(?:access_token|refresh_token|id_token|client_secret|client_assertion|assertion)"
_KEYS = rb"(?:SecretAccessKey|SessionToken|Token|AccessKeyId)"


def _in_bodies(names: bytes) -> re.Pattern[bytes]:
    """Values of these names in JSON, in a form, in XML."""
    in_json = rb'"' + names + rb'"\s*:\s*"([^"\\]{8,})"'
    in_form = rb"(?:^|&)" + names + rb"=([^&]{8,})"
    in_xml = rb"<" + names + rb">([^<]{8,})<"
    return re.compile(in_json + rb"|" + in_form + rb"|" + in_xml)


_CREDENTIAL = _in_bodies(_NAMES)
_SESSION = _in_bodies(_KEYS)
_known: dict[str, None] = {}
_learned = 0


def is_secret_header(name: str) -> bool:
    """Whether a header's value must not be stored."""
    lower = name.lower()
    return lower in SECRET_HEADERS or (
        _SECRET_NAME.search(lower) is not None
        and not lower.startswith(("x-ratelimit", "anthropic-ratelimit", "x-amzn-bedrock-"))
    )


def is_secret_name(name: str) -> bool:
    """Whether a variable, attribute or key of this name is likely to hold a secret."""
    return name.lower() in SECRET_HEADERS or _SECRET_VALUE.search(name) is not None


def headers(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The headers with secret values replaced; the values are remembered for `record`."""
    kept: list[tuple[str, str]] = []
    for name, value in pairs:
        if is_secret_header(name):
            for secret in _secrets_in(name.lower(), value):
                remember(secret)
            kept.append((name, _without_secret(name.lower(), value)))
        else:
            kept.append((name, value))
    return tuple(kept)


def _without_secret(name: str, value: str) -> str:
    """A secret header's value as it is kept; of a cookie that is set, what it is called stays."""
    cookie, named, rest = value.partition("=")
    if name != "set-cookie" or not named or ";" in cookie:
        return REDACTED
    return f"{cookie}={REDACTED}{''.join(rest.partition(';')[1:])}"


def _secrets_in(name: str, value: str) -> list[str]:
    """What is secret in a header's value, without the words around it."""
    if name == "set-cookie":  # attributes follow, which are no secret
        value = value.split(";", 1)[0]
    if name in ("cookie", "set-cookie"):
        return [pair.partition("=")[2] for pair in value.split(";")]
    scheme, _, word = value.strip().rpartition(" ")
    if scheme.lower() == "basic":
        try:
            return [word, base64.b64decode(word).decode().partition(":")[2]]
        except ValueError:
            pass
    return [word]


def remember(secret: str) -> None:
    """Keep a secret in memory, so that it is removed wherever it turns up."""
    global _learned
    word = secret.strip().strip('"')
    if len(word) < _SHORTEST or word in _known or REDACTED[:-1] in word:
        return
    _known[word] = None
    _learned += 1
    if len(_known) > _MOST:
        del _known[next(iter(_known))]


def remember_environment() -> None:
    """Remember the keys this process was given, before any of them is seen in a header."""
    for name, value in os.environ.items():
        if _SECRET_VARIABLE.search(name) is None or value.isdigit():
            continue
        if len(value) >= _SHORTEST_VARIABLE:
            remember(value)


def url(address: str) -> str:
    """The URL without user info and with secret query values replaced; they are remembered."""
    parts = urlsplit(address)
    user, _, netloc = parts.netloc.rpartition("@")
    remember(unquote(user.partition(":")[2]))
    query = parts.query
    if query:
        pairs = parse_qsl(query, keep_blank_values=True)
        secrets = [value for name, value in pairs if _is_secret_query(name)]
        for value in secrets:
            remember(value)
        if secrets:
            query = urlencode([(n, REDACTED if _is_secret_query(n) else v) for n, v in pairs])
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


def _is_secret_query(name: str) -> bool:
    return name.lower() in _SECRET_QUERY or _SECRET_NAME.search(name) is not None


def credentials(url: str, pieces: Sequence[bytes]) -> None:
    """Remember the keys that a service for credentials is given, or gives out, in a body."""
    if sum(map(len, pieces)) > _MOST_CREDENTIALS:
        return
    body = b"".join(pieces)
    if urlsplit(url).path.endswith("/latest/api/token"):  # of a machine in AWS: the body is it
        remember(body.decode("latin-1"))
    found = _CREDENTIAL.findall(body)
    if b"SecretAccessKey" in body:
        found += _SESSION.findall(body)
    for pair in found:
        remember(unquote(next(value for value in pair if value).decode("utf-8", "replace")))


def version() -> int:
    """Grows with each credential that is remembered."""
    return _learned


def known() -> Iterable[str]:
    """The remembered credentials."""
    return _known


def edits(content: bytes) -> Iterator[Edit]:
    """Where the remembered credentials stand in bytes."""
    for secret in list(_known):
        for form in written(secret):
            at = content.find(form)
            while at >= 0:
                yield Edit(at, at + len(form), REDACTED.encode())
                at = content.find(form, at + len(form))


@lru_cache(maxsize=2000)
def written(secret: str) -> tuple[bytes, ...]:
    """How a text may be written: as it is, in JSON, in JSON inside JSON, in a URL."""
    once = [json.dumps(secret, ensure_ascii=ascii)[1:-1] for ascii in (False, True)]
    twice = [json.dumps(text)[1:-1] for text in once]
    in_urls = [quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace")]
    forms = (secret, *once, *twice, *in_urls)
    return tuple(dict.fromkeys(form.encode("utf-8", "surrogatepass") for form in forms))


def text(words: str) -> str:
    """Text without the remembered credentials."""
    for secret in list(_known):
        if secret in words:
            words = words.replace(secret, REDACTED)
    return words


def without_secrets_at(words: str, cut: int) -> str:
    """Text that is about to be cut there: no half of a credential may stay."""
    around = words[max(0, cut - _LONGEST) : cut + _LONGEST]
    return words if text(around) is around else text(words)
