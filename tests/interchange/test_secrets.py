"""What is found before a file leaves, what is not, and that JSON stays JSON."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.core.secretforms import find_secrets
from tracer.interchange.secrets import REDACTED, Redactor

# Made up, in the published forms; cut in two so that no scanner of this repository stumbles.
SECRETS = {
    "openai": "sk-proj-" + "Abcdefghij0123456789",
    "anthropic": "sk-ant-api03-" + "Abcdefghij0123456789-_",
    "aws": "AKIA" + "ABCDEFGHIJKLMNOP",
    "google": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "github": "ghp_" + "a1" * 18,
    "github fine": "github_pat_" + "A1b2" * 6,
    "gitlab": "glpat-" + "Abcdefghij0123456789",
    "slack": "xoxb-" + "123456789012-abcdef",
    "stripe": "sk_live_" + "Abcdefghij012345",
    "hugging face": "hf_" + "Ab" * 17,
    "groq": "gsk_" + "Ab1" * 10,
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----",
}
HARMLESS = [
    "max_tokens: 12345678",
    "the password field must not be empty",
    "password: Optional[str]",
    '{"token_count": 123456789}',
    "risk-averse-customers-in-the-north",
    "sk-short",
    "https://example.com/path:80@x",
    "def secret_key(self) -> str:",
    "b2:0123456789abcdef0123456789abcdef",
]


@pytest.mark.parametrize("name", SECRETS)
def test_found_in_text_and_in_json(name: str) -> None:
    secret = SECRETS[name]
    redactor = Redactor()
    assert redactor.clean(f"before {secret} after".encode()) == b"before [redacted] after"
    document = json.dumps({"a": [f"x {secret}", 1], "b": json.dumps({"inner": secret})})
    cleaned = json.loads(redactor.clean(document.encode()))
    assert cleaned["a"] == ["x [redacted]", 1]
    assert json.loads(cleaned["b"]) == {"inner": "[redacted]"}
    assert redactor.count == 3


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Authorization: Bearer abcdefghijklmnop12", "Authorization: Bearer [redacted]"),
        ("DB_PASSWORD=hunter2hunter2 x", "DB_PASSWORD=[redacted] x"),
        ('{"api_key": "abcd1234efgh"}', '{"api_key": "[redacted]"}'),
        ('{\\"client_secret\\": \\"abcd1234efgh\\"}', '{\\"client_secret\\": \\"[redacted]\\"}'),
        ("postgres://ana:s3cret@db/shop", "postgres://[redacted]@db/shop"),
    ],
)
def test_named_secrets(text: str, cleaned: str) -> None:
    assert Redactor().clean(text.encode()).decode() == cleaned


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_stays(text: str) -> None:
    assert find_secrets(text.encode()) == []


def test_a_number_is_not_made_into_text() -> None:
    document = b'{"password": 123456789012, "api_key": null}'
    json.loads(Redactor().clean(document))


def test_keep_only_counts() -> None:
    redactor = Redactor(keep=True)
    data = SECRETS["openai"].encode()
    assert redactor.clean(data) == data
    assert redactor.found == {"OpenAI or Anthropic key": 1}


@given(st.lists(st.integers(1, 9), max_size=30))
def test_chunks_stay_as_many(cuts: list[int]) -> None:
    data = f"data: one {SECRETS['openai']} two {SECRETS['aws']} three".encode()
    chunks: list[bytes] = []
    rest = data
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    chunks.append(rest)
    cleaned = Redactor().clean_chunks(chunks)
    assert len(cleaned) == len(chunks)
    assert b"".join(cleaned) == b"data: one %s two %s three" % (REDACTED, REDACTED)


HOSTILE = [
    b"-----BEGIN PRIVATE KEY-----" * 40_000,
    b"password" * 100_000,
    b"://a" * 200_000,
    b"api_key" + b" " * 1_000_000,
    b"api_key=" * 100_000,
    b"-eyJ" * 200_000,
    b"eyJaaaaaaaaaaaa." * 60_000,
    b"Bearer " * 100_000,
]


@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: data[:12].decode())
def test_never_slow(data: bytes) -> None:
    began = time.process_time()
    find_secrets(data)
    assert time.process_time() - began < 8  # about 1 s at most here
