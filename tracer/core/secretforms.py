"""The forms of well-known keys, tokens and passwords: finds what looks like one in bytes.

The patterns are the published forms of common providers' keys, plus values whose name says that
they are secret. None matches across a quotation mark that ends a text, so what is replaced leaves
JSON JSON. A secret in no known form is not found here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAMES = (
    rb"(?:api[_-]?key|client[_-]?secret|passw(?:or)?d|passphrase|access[_-]?token"
    rb"|auth[_-]?token|refresh[_-]?token|secret[_-]?key|private[_-]?key)"
)
# A form and the beginnings it may have. What a form repeats is bounded or possessive, so that
# hostile text takes no longer.
_FORMS: dict[str, tuple[tuple[bytes, ...], bytes]] = {
    "OpenAI or Anthropic key": ((b"sk-",), rb"sk-[A-Za-z0-9_-]{20,}"),
    "AWS key id": ((b"AKIA", b"ASIA"), rb"A[A-Z]IA[0-9A-Z]{16}\b"),
    "Google key": ((b"AIza",), rb"AIza[0-9A-Za-z_-]{35}"),
    "Google token": ((b"ya29.",), rb"ya29\.[0-9A-Za-z_-]{20,}"),
    "GitHub token": (
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        rb"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
    ),
    "GitLab token": ((b"glpat-",), rb"glpat-[A-Za-z0-9_-]{20,}"),
    "Slack token": (
        (b"xoxa-", b"xoxb-", b"xoxe-", b"xoxp-", b"xoxr-", b"xoxs-", b"xapp-"),
        rb"(?:xox[abeprs]|xapp)-[A-Za-z0-9-]{10,}",
    ),
    "Stripe key": (
        (b"sk_live_", b"sk_test_", b"rk_live_", b"rk_test_", b"whsec_"),
        rb"(?:[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}=*)",
    ),
    "Hugging Face token": ((b"hf_",), rb"hf_[A-Za-z0-9]{30,}"),
    "Groq or xAI key": ((b"gsk_", b"xai-"), rb"(?:gsk_|xai-)[A-Za-z0-9]{20,}"),
    "SendGrid key": ((b"SG.",), rb"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    "package registry token": (
        (b"npm_", b"pypi-"),
        rb"(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{40,})",
    ),
    "JSON web token": (
        (b"eyJ",),
        rb"(?<![_-])eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}",
    ),
    "private key": (
        (b"-----BEGIN",),
        rb'-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:[^"-]|-(?!----))*+-----END [A-Z ]{1,40}-----',
    ),
    "bearer token": ((b"bearer ",), rb"(?i:bearer )(?P<secret>[A-Za-z0-9._~+/-]{16,}=*)"),
    "password in a URL": ((b"://",), rb'://(?P<secret>[^/\s:@"\\]{0,64}:[^/\s@"\\]{1,128})@'),
    # Forty characters of no form of their own: known by their name.
    "AWS secret key": (
        (b"secret",),
        (
            rb"(?i:secret_?access_?key|secret_?key)[\"'\\\s:=>]{1,12}"
            rb"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
        ),
    ),
    # `name=value`, and `"name": "value"` with the quotes as they are in JSON inside JSON too.
    # A digit is asked for, because code and prose name such things without giving them away.
    "named secret": (
        (b"api", b"client", b"passw", b"passp", b"access", b"auth", b"refresh", b"secret"),
        rb"(?i:" + _NAMES + rb")(?:=|\\*[\"']?\s*[:=]\s*\\*[\"'])"
        rb"(?P<secret>(?=[^\s\"'\\,;{}\[\]]{0,200}\d)[^\s\"'\\,;{}\[\]]{8,})",
    ),
    # The value of a field that has just this name, whatever it is; not what stands for one.
    "password field": (
        (b"passw", b"passp", b"client", b"private"),
        (
            rb"(?i:passw(?:or)?d|passphrase|client_?secret|private_?key)(?P<q>\\*\")\s*:\s*(?P=q)"
            rb"(?P<secret>[^\"\\<\[{$*\s][^\"\\\r\n]{2,199})(?P=q)"
        ),
    ),
}
_PATTERNS = {kind: re.compile(rb"(?<![A-Za-z0-9])" + form) for kind, (_, form) in _FORMS.items()}
_INSIDE_WORDS = ("password in a URL", "AWS secret key")
_PATTERNS |= {kind: re.compile(_FORMS[kind][1]) for kind in _INSIDE_WORDS}
_ANY_CASE = ("bearer token", "AWS secret key", "named secret", "password field")
# Each literal that is looked for takes a pass over the data, so that those that share a sign are
# looked for together, by it.
_SIGNS = (b"_", b"-", b".")


def _plan() -> tuple[dict[bytes, list[tuple[bytes, str]]], list[tuple[bytes, tuple[str, ...]]]]:
    """What is looked for by a sign that ends it, and what by itself (in any case: in lower)."""
    by_sign: dict[bytes, list[tuple[bytes, str]]] = {sign: [] for sign in _SIGNS}
    alone: dict[bytes, tuple[str, ...]] = {}
    for kind, (literals, _) in _FORMS.items():
        for literal in literals:
            if literal[-1:] in by_sign:
                by_sign[literal[-1:]].append((literal, kind))
            else:
                alone[literal] = (*alone.get(literal, ()), kind)
    return by_sign, list(alone.items())


_BY_SIGN, _ALONE = _plan()
_ENDING = {
    sign: re.compile(
        re.escape(sign) + b"(?:" + b"|".join(b"(?<=%s)" % re.escape(lit) for lit, _ in found) + b")"
    )
    for sign, found in _BY_SIGN.items()
}


@dataclass(frozen=True, slots=True)
class Found:
    """A secret at `data[start:end]`; `kind` says in words what it looks like."""

    kind: str
    start: int
    end: int


def find_secrets(data: bytes) -> list[Found]:
    """Everything in `data` that looks like a secret, in order. Binary data is not searched."""
    if b"\x00" in data:
        return []
    found = sorted(_candidates(data), key=lambda secret: (secret.start, -secret.end))
    kept: list[Found] = []
    for secret in found:
        if not kept or secret.start >= kept[-1].end:
            kept.append(secret)
    return kept


def _candidates(data: bytes) -> Iterator[Found]:
    for sign, ending in _ENDING.items():
        for hit in ending.finditer(data):
            for literal, kind in _BY_SIGN[sign]:
                start = hit.end() - len(literal)
                if start >= 0 and data.startswith(literal, start):
                    yield from _at(kind, data, start)
    lower = data.lower()
    for literal, kinds in _ALONE:
        searched = lower if kinds[0] in _ANY_CASE else data
        at = searched.find(literal)
        while at >= 0:
            end = at + 1
            for kind in kinds:
                for found in _at(kind, data, at):
                    yield found
                    # Past it, or a long run of dashes would be tried at each of them.
                    end = max(end, found.end)
            at = searched.find(literal, end)


def _at(kind: str, data: bytes, start: int) -> Iterator[Found]:
    match = _PATTERNS[kind].match(data, start)
    if match is not None:
        yield Found(kind, *match.span("secret" if "secret" in match.groupdict() else 0))
