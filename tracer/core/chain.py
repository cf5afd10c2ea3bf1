"""Splitting JSON request bodies at their messages, so that a history resent at every call is
hashed, stored and compared once. Pure; the only memory is the splitter's own.

A body is `head + elements + tail`: `head` runs up to and including the `[` of the message array,
each element holds its separator (`,` and white space) and its own bytes, `tail` is the rest.
Joining them gives back the exact bytes. A chain is the list of elements as a linked list: each
link is identified by a hash over its parent's hash and its own bytes.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from tracer.core.fingerprint import VOLATILE_KEYS, canonical_document, canonical_json, digest

ROOT = b"\x00" * 16
_WHITE = " \t\n\r"
_ENDS = (b",", b"]", b" ", b"\t", b"\n", b"\r")
_REMEMBERED_BODIES = 8
_REMEMBERED_BYTES = 64 << 20
_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Link:
    """One element of a chain. `exact` identifies bytes and ancestors, `canonical` their meaning."""

    exact: bytes
    canonical: bytes
    data: bytes  # separator + element, as sent


@dataclass(frozen=True, slots=True)
class SplitBody:
    """A body split at its messages.

    The chain is `base_count` links that an earlier split already returned (their end is `base`,
    `ROOT` for none) followed by `new`. `last` and `canonical` describe the end of the whole chain.
    `rest_canonical` is the hash of the document without its message array (None = not JSON).
    """

    head: bytes
    base: bytes
    base_count: int
    new: tuple[Link, ...]
    tail: bytes
    last: bytes
    canonical: bytes
    rest_canonical: bytes | None

    @property
    def count(self) -> int:
        return self.base_count + len(self.new)


@dataclass(frozen=True, slots=True)
class _Known:
    keys: tuple[str, ...]  # another API's array in the same bytes is another split
    prefix: bytes  # head and all elements
    head_length: int
    count: int
    last: bytes
    canonical: bytes

    def key(self) -> bytes:
        return self.last + self.head_length.to_bytes(8, "big")


class BodySplitter:
    """Splits bodies, remembering the last few, so that only what a body adds is parsed.

    Not thread-safe: each owner has its own.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._rest: OrderedDict[tuple[bytes, bytes], bytes | None] = OrderedDict()

    def split(self, body: bytes, keys: Sequence[str]) -> SplitBody:
        """Split at the top-level array named by one of `keys`; whole body as head if none."""
        try:
            return self._split(body, keys)
        except (ValueError, RecursionError, UnicodeDecodeError):
            return whole(body)

    def forget(self) -> None:
        """Drop what is remembered (after a write that did not reach the store)."""
        self._known.clear()

    def _split(self, body: bytes, keys: Sequence[str]) -> SplitBody:
        known = self._longest_known(body, tuple(keys))
        if known is not None:
            start = len(known.prefix)
            text = body[start:].decode()
            elements, end = _read_elements(text, 0, first=known.count == 0)
            base, count, canonical = known.last, known.count, known.canonical
            head_length = known.head_length
        else:
            text = body.decode()
            opening = _find_array(text, keys)
            if opening is None:
                return whole(body)
            start = 0
            elements, end = _read_elements(text, opening, first=True)
            base, count, canonical = ROOT, 0, ROOT
            head_length = len(text[:opening].encode())
        links: list[Link] = []
        last = base
        for element in elements:
            data = element.encode()
            last = digest((last, data))
            canonical = digest((canonical, canonical_document(element.lstrip(_WHITE + ","))))
            links.append(Link(last, canonical, data))
        tail = text[end:].encode()
        head = body[:head_length]
        prefix = body[: len(body) - len(tail)]
        self._remember(
            _Known(tuple(keys), prefix, head_length, count + len(links), last, canonical)
        )
        return SplitBody(
            head, base, count, tuple(links), tail, last, canonical, self._rest_hash(head, tail)
        )

    def _longest_known(self, body: bytes, keys: tuple[str, ...]) -> _Known | None:
        # Longest first: the histories of one conversation are prefixes of each other.
        for known in sorted(self._known.values(), key=lambda k: len(k.prefix), reverse=True):
            # The byte after the prefix must end the element, or "1" would be a prefix of "12".
            if (
                known.keys == keys
                and body.startswith(known.prefix)
                and body[len(known.prefix) : len(known.prefix) + 1] in _ENDS
            ):
                self._known.move_to_end(known.key())
                return known
        return None

    def _remember(self, known: _Known) -> None:
        if len(known.prefix) > _REMEMBERED_BYTES // 4:
            return
        self._known[known.key()] = known
        self._known.move_to_end(known.key())
        total = sum(len(known.prefix) for known in self._known.values())
        while len(self._known) > _REMEMBERED_BODIES or total > _REMEMBERED_BYTES:
            _, dropped = self._known.popitem(last=False)
            total -= len(dropped.prefix)

    def _rest_hash(self, head: bytes, tail: bytes) -> bytes | None:
        key = (head, tail)
        if key not in self._rest:
            self._rest[key] = rest_hash(head + tail)
            if len(self._rest) > _REMEMBERED_BODIES:
                self._rest.popitem(last=False)
        return self._rest[key]


def whole(body: bytes) -> SplitBody:
    """A body that isn't split: all of it is `head`."""
    return SplitBody(body, ROOT, 0, (), b"", ROOT, ROOT, rest_hash(body))


def rest_hash(document: bytes) -> bytes | None:
    """Hash of a JSON object without its volatile keys; of other JSON as it is; None if not JSON."""
    try:
        value = json.loads(document, parse_float=lambda text: f"\x00f{text}")
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if key not in VOLATILE_KEYS}
    return digest((canonical_json(value),))


def _skip_white(text: str, at: int) -> int:
    while at < len(text) and text[at] in _WHITE:
        at += 1
    return at


def _find_array(text: str, keys: Sequence[str]) -> int | None:
    """Index just after the `[` of the first top-level array under one of `keys`."""
    at = _skip_white(text, 0)
    if text[at : at + 1] != "{":
        return None
    at = _skip_white(text, at + 1)
    while text[at : at + 1] == '"':
        key, at = _decoder.raw_decode(text, at)
        at = _skip_white(text, at)
        if text[at : at + 1] != ":":
            return None
        at = _skip_white(text, at + 1)
        if key in keys and text[at : at + 1] == "[":
            return at + 1
        _, at = _decoder.raw_decode(text, at)
        at = _skip_white(text, at)
        if text[at : at + 1] != ",":
            return None
        at = _skip_white(text, at + 1)
    return None


def _read_elements(text: str, at: int, *, first: bool) -> tuple[list[str], int]:
    """The elements from `at` up to the closing `]`, each with its separator, and their end."""
    elements: list[str] = []
    end = at
    while True:
        here = _skip_white(text, end)
        sign = text[here : here + 1]
        if sign == "]":
            return elements, end
        if first:
            first = False
        elif sign == ",":
            here = _skip_white(text, here + 1)
        else:
            raise ValueError("the message array does not end")
        _, stop = _decoder.raw_decode(text, here)
        elements.append(text[end:stop])
        end = stop
