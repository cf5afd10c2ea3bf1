"""Fingerprints: what a step asked, as a hash of a canonical form. Changing anything here is a
format change: every stored fingerprint carries the tag `b2:`, so an old one is detectable.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

TAG = "b2:"

# Fields that name the caller, not the question; two requests that differ only here get one answer.
VOLATILE_KEYS = frozenset({"user", "metadata", "safety_identifier", "prompt_cache_key"})

# Headers that change what a provider answers. All others are ignored.
MEANINGFUL_HEADERS = ("anthropic-beta", "anthropic-version", "openai-beta")


def _raw_float(text: str) -> str:
    # The digits as sent: 1.0 and 1.00 are different requests, and no float repr gets in the way.
    return f"\x00f{text}"


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8. Raises TypeError or ValueError for what isn't JSON."""
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=True
    ).encode("utf-8", "surrogatepass")


def canonical_document(text: str | bytes) -> bytes:
    """The canonical form of a JSON document. Raises ValueError when it isn't one."""
    return canonical_json(json.loads(text, parse_float=_raw_float))


def digest(parts: Iterable[bytes]) -> bytes:
    """16 bytes over length-prefixed parts, so that no two lists of parts collide by joining."""
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        hasher.update(len(part).to_bytes(8, "big"))
        hasher.update(part)
    return hasher.digest()


def fingerprint(*parts: bytes | str) -> str:
    """The tagged hash of the parts, in order."""
    encoded = (p.encode("utf-8", "surrogatepass") if isinstance(p, str) else p for p in parts)
    return TAG + digest(encoded).hex()
