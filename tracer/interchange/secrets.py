"""Finds what looks like a key or password in text that is about to leave this machine.

The patterns are the published forms of common providers' keys, plus assignments to names that say
"secret". They never match across a quotation mark, so redacted JSON stays JSON. A secret in no
known form is not found: who exports looks at the file before sending it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

REDACTED = b"[redacted]"

# By kind: literals a secret starts with, and the whole form. Only where a literal stands is the
# form tried, because searching megabytes for twenty patterns takes seconds; what a form repeats is
# bounded or possessive, so that hostile text takes no longer.
_FORMS: dict[str, tuple[tuple[bytes, ...], bytes]] = {
    "OpenAI or Anthropic key": ((b"sk-",), rb"sk-[A-Za-z0-9_-]{20,}"),
    "AWS key id": ((b"AKIA", b"ASIA"), rb"A[A-Z]IA[0-9A-Z]{16}\b"),
    "Google key": ((b"AIza",), rb"AIza[0-9A-Za-z_-]{35}"),
    "GitHub token": (
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        rb"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
    ),
    "GitLab token": ((b"glpat-",), rb"glpat-[A-Za-z0-9_-]{20,}"),
    "Slack token": ((b"xox",), rb"xox[abeprs]-[A-Za-z0-9-]{10,}"),
    "Stripe key": (
        (b"sk_live_", b"sk_test_", b"rk_live_", b"rk_test_"),
        rb"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    ),
    "Hugging Face token": ((b"hf_",), rb"hf_[A-Za-z0-9]{30,}"),
    "Groq or xAI key": ((b"gsk_", b"xai-"), rb"(?:gsk_|xai-)[A-Za-z0-9]{20,}"),
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
    "password in a URL": ((b"://",), rb'://(?P<secret>[^/\s:@"\\]{1,64}:[^/\s@"\\]{1,128})@'),
    # `name=value`, and `"name": "value"` with the quotes as they are in JSON inside JSON too.
    # A digit is asked for, because code and prose name such things without giving them away.
    "named secret": (
        (b"api", b"client", b"passw", b"access", b"auth", b"secret"),
        (
            rb"(?i:api[_-]?key|client[_-]?secret|passw(?:or)?d|access[_-]?token|auth[_-]?token"
            rb"|secret[_-]?key)(?:=|\\*[\"']?\s*[:=]\s*\\*[\"'])"
            rb"(?P<secret>(?=[^\s\"'\\,;{}\[\]]{0,200}\d)[^\s\"'\\,;{}\[\]]{8,})"
        ),
    ),
}
_PATTERNS = {kind: re.compile(rb"(?<![A-Za-z0-9])" + form) for kind, (_, form) in _FORMS.items()}
_PATTERNS["password in a URL"] = re.compile(_FORMS["password in a URL"][1])  # follows a word
_ANY_CASE = frozenset({"bearer token", "named secret"})


@dataclass(frozen=True, slots=True)
class Found:
    """A secret at `data[start:end]`; `kind` says in words what it looks like."""

    kind: str
    start: int
    end: int


@dataclass(slots=True)
class Redactor:
    """Removes secrets and counts them by kind; with `keep` it only counts."""

    keep: bool = False
    found: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many secrets were found so far."""
        return sum(self.found.values())

    def clean(self, data: bytes) -> bytes:
        """The data without its secrets."""
        return self.clean_chunks([data])[0]

    def clean_chunks(self, chunks: list[bytes]) -> list[bytes]:
        """The same for data that came in pieces: as many pieces, also where one was cut."""
        data = b"".join(chunks)
        secrets = find_secrets(data)
        for secret in secrets:
            self.found[secret.kind] = self.found.get(secret.kind, 0) + 1
        if self.keep or not secrets:
            return chunks
        cleaned: list[bytes] = []
        at = 0
        for chunk in chunks:
            cleaned.append(_clean_piece(data, at, at + len(chunk), secrets))
            at += len(chunk)
        return cleaned


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
    lower = data.lower()
    for kind, (literals, _) in _FORMS.items():
        searched = lower if kind in _ANY_CASE else data
        for literal in literals:
            at = searched.find(literal)
            while at >= 0:
                match = _PATTERNS[kind].match(data, at)
                if match is not None:
                    group = "secret" if "secret" in match.groupdict() else 0
                    yield Found(kind, *match.span(group))
                # Past the match, or a long run of dashes would be tried at each of them.
                at = searched.find(literal, match.end() if match is not None else at + 1)


def _clean_piece(data: bytes, start: int, end: int, secrets: list[Found]) -> bytes:
    """`data[start:end]`; a secret is replaced in the piece it starts in."""
    pieces: list[bytes] = []
    at = start
    for secret in secrets:
        if secret.end <= start or secret.start >= end:
            continue
        if secret.start >= start:
            pieces += [data[at : secret.start], REDACTED]
        at = min(secret.end, end)
    return b"".join([*pieces, data[at:end]])
