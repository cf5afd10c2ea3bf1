"""The arguments of a model function as a JSON document, encoding only what is new.

An agent passes its whole history to each call. Snapshots of the messages of the last calls are
kept; a message that is still equal (same types, same values) is not encoded again. Comparing is
cheap because unchanged strings are the same objects.
"""

import json
from typing import Any

from tracer.capture.boundary import Document
from tracer.capture.values import _Encoder

_REMEMBERED = 4
_MAX_DEPTH = 20


class Snapshots:
    """What a run's model functions were given lately. One for each run; not thread-safe by
    itself, but a race costs only an encoding done twice."""

    def __init__(self) -> None:
        self._kept: list[tuple[list[Any], list[bytes]]] = []

    def document(self, arguments: dict[str, Any]) -> Document | None:
        """`{"messages": [...], other arguments}`; None when no argument is a message list."""
        name = next((n for n, v in arguments.items() if _is_messages(v)), None)
        if name is None:
            return None
        pieces = [b'{"messages":[']
        for index, encoded in enumerate(self._encode_messages(arguments[name])):
            if index:
                pieces.append(b",")
            pieces.append(encoded)
        pieces.append(b"]")
        for key, value in arguments.items():
            if key != name:
                pieces.append(b"," + json.dumps(key).encode() + b":" + _encode(value))
        pieces.append(b"}")
        return Document(pieces)

    def _encode_messages(self, messages: list[Any]) -> list[bytes]:
        kept, shared = self._longest(messages)
        encoded = kept[1][:shared] if kept is not None else []
        copies = kept[0][:shared] if kept is not None else []
        for message in messages[shared:]:
            encoded.append(_encode(message))
            copies.append(_copy(message))
        if kept in self._kept:
            self._kept.remove(kept)
        self._kept.append((copies, encoded))
        del self._kept[:-_REMEMBERED]
        return encoded

    def _longest(self, messages: list[Any]) -> tuple[Any, int]:
        best: Any = None
        most = 0
        for kept in reversed(self._kept):
            shared = _shared(kept[0], messages)
            if shared > most:
                best, most = kept, shared
            if most == len(messages) or shared == len(kept[0]):
                break
        return best, most


def _is_messages(value: Any) -> bool:
    return type(value) is list and bool(value) and type(value[0]) is dict and "role" in value[0]


def _encode(value: Any) -> bytes:
    # Plain JSON, the usual case, goes through the C encoder; anything else gets tags.
    encoder = _Encoder()
    tree = encoder.encode(value)
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _shared(before: list[Any], now: list[Any]) -> int:
    """How many leading items are the same."""
    count = 0
    for old, new in zip(before, now, strict=False):
        if not _same(old, new, 0):
            break
        count += 1
    return count


def _same(old: Any, new: Any, depth: int) -> bool:
    """Equal values of equal types; 1, 1.0 and True are different here."""
    if old is new:
        return type(old) in (str, int, float, bool, type(None))
    kind = type(old)
    if kind is not type(new) or depth > _MAX_DEPTH:
        return False
    if kind is str:
        return bool(old == new)
    if kind is dict:
        if len(old) != len(new):
            return False
        for (old_key, old_item), (new_key, new_item) in zip(old.items(), new.items(), strict=True):
            if old_key != new_key or not _same(old_item, new_item, depth + 1):
                return False
        return True
    if kind is list:
        if len(old) != len(new):
            return False
        return all(_same(a, b, depth + 1) for a, b in zip(old, new, strict=True))
    return kind in (int, float, bool) and bool(old == new)


def _copy(value: Any) -> Any:
    """A copy of the containers; strings and numbers are shared, anything odd never compares."""
    if type(value) is dict:
        return {key: _copy(item) for key, item in value.items()}
    if type(value) is list:
        return [_copy(item) for item in value]
    if type(value) in (str, int, float, bool, type(None)):
        return value
    return object()
