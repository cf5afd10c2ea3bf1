"""The arguments of a model function as a JSON document, reading only what is new.

An agent passes its whole history to each call. What the last calls were given is kept; a message
that is still the same is neither copied nor encoded again. Comparing is cheap because it happens
in C, and unchanged strings are the same objects. The order of a message's keys does not count.
"""

import contextlib
import marshal
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from tracer.capture.boundary import Document
from tracer.capture.values import Encoded, encode_watched, encode_whole

_REMEMBERED = 4
_MOST_OTHERS = 16
_SHORTEST_OTHER = 256  # bytes; less is encoded as quickly as it is found
_LONGEST_OTHER = 256 << 10  # bytes of one that is kept, as long as the process lives
_VERSION = 2  # of marshal: equal values of equal types have equal bytes, as in no later one


class _Odd:
    """Stands for a message that isn't plain JSON: never equal to anything."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False


_ODD = _Odd()


@dataclass(slots=True, eq=False)
class _Kept:
    """A message list as it was: copies to compare with, what they are encoded, and by index the
    marks of those with numbers, which `==` does not tell apart (1, 1.0 and True are equal).
    """

    copies: list[Any] = field(default_factory=list)
    encoded: list[Encoded] = field(default_factory=list)
    marks: dict[int, bytes] = field(default_factory=dict)
    odd: bool = False  # not all of the copies are one

    def start(self, count: int) -> "_Kept":
        """The first `count` messages."""
        marks = {at: mark for at, mark in self.marks.items() if at < count}
        return _Kept(self.copies[:count], self.encoded[:count], marks, self.odd)

    def add(self, message: Any) -> None:
        made, numbers = encode_watched(message)
        if numbers:
            self.marks[len(self.copies)] = _mark(message)
        self.odd = self.odd or not made.plain
        self.copies.append(made.tree if made.plain else _ODD)
        self.encoded.append(made)

    def shared(self, messages: list[Any]) -> int:
        """How many leading messages are still these."""
        count = len(self.copies)
        try:
            if self.copies != messages[:count]:
                pairs = zip(self.copies, messages, strict=False)
                same = (at for at, (old, new) in enumerate(pairs) if old != new)
                count = next(same, min(count, len(messages)))
        except Exception:  # objects with a mind of their own about being compared
            return 0
        for at, mark in self.marks.items():
            if at < count and mark != _mark(messages[at]):
                count = at
        return count


class Snapshots:
    """What a run's model functions were given lately. One for each run; not thread-safe by
    itself, but a race costs only an encoding done twice."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []

    def document(self, arguments: dict[str, Any]) -> Document | None:
        """`{"messages": [...], other arguments}`; None when no argument is a message list."""
        name = next((n for n, v in arguments.items() if _is_messages(v)), None)
        if name is None:
            return None
        others = {key: _other(value) for key, value in arguments.items() if key != name}
        kept = self._keep(arguments[name])
        copies = {key: made.tree for key, made in others.items() if made.plain}
        if not kept.odd:
            copies[name] = kept.copies
        return Document(kept.encoded, others, copies)

    def _keep(self, messages: list[Any]) -> _Kept:
        before, shared = self._longest(messages)
        # Never changed once it is kept: another thread may be reading it.
        now = _Kept() if before is None else before.start(shared)
        for message in messages[shared:]:
            now.add(message)
        others = [kept for kept in self._kept if kept is not before or shared < len(kept.copies)]
        self._kept = [*others[1 - _REMEMBERED :], now]
        return now

    def _longest(self, messages: list[Any]) -> tuple[_Kept | None, int]:
        best: _Kept | None = None
        most = 0
        for kept in reversed(self._kept):
            shared = kept.shared(messages)
            if shared > most:
                best, most = kept, shared
            if most == len(messages) or shared == len(kept.copies):
                break
        return best, most


# Of the whole process, because every run of an agent offers the same tools.
_others: OrderedDict[bytes, Encoded] = OrderedDict()


def _other(value: Any) -> Encoded:
    """An argument that usually stays what it is, like the tools offered."""
    mark = _mark(value) if type(value) in (list, dict) else b""
    if not _SHORTEST_OTHER <= len(mark) <= _LONGEST_OTHER:
        return encode_whole(value)
    known = _others.get(mark)
    if known is not None:
        return known
    made = encode_whole(value)
    if made.plain:
        _others[mark] = made
        if len(_others) > _MOST_OTHERS:
            with contextlib.suppress(KeyError):  # another thread was here
                _others.popitem(last=False)
    return made


def _is_messages(value: Any) -> bool:
    return type(value) is list and bool(value) and type(value[0]) is dict and "role" in value[0]


def _mark(value: Any) -> bytes:
    """Bytes that tell plain JSON values apart; empty for what can't be told."""
    try:
        return marshal.dumps(value, _VERSION)
    except Exception:
        return b""
