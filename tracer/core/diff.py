"""What differs between two JSON values or two texts. Pure; results are capped.

A path names a place in a JSON value: `messages[3].parts[0].content`, keys that aren't plain words
as `["odd key"]`, the value itself as "".
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal

from tracer.core.alignment import Pair, align, gaps, matching_blocks

MAX_CHANGES = 50
MAX_WORDS = 20_000  # of both texts; more, and they are compared by lines
MAX_DEPTH = 200  # far below Python's own limit; deeper values are compared whole

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_WORDS = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")

Kind = Literal["same", "old", "new"]


class _Missing:
    """Stands for "nothing here" while comparing, where None is a value."""


_MISSING: Any = _Missing()


@dataclass(frozen=True, slots=True)
class Change:
    """One place that differs. `added`: nothing was there before; `removed`: nothing is left."""

    path: str
    old: Any
    new: Any
    added: bool = False
    removed: bool = False

    def as_json(self) -> dict[str, Any]:
        """`{"path", "old", "new"}`; the side where nothing is has no key."""
        shown: dict[str, Any] = {"path": self.path}
        if not self.added:
            shown["old"] = self.old
        if not self.removed:
            shown["new"] = self.new
        return shown


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text that both have (`same`) or only one (`old`, `new`)."""

    kind: Kind
    text: str


def json_changes(old: Any, new: Any, *, limit: int = MAX_CHANGES, path: str = "") -> list[Change]:
    """Where two JSON values differ, messages first, then in document order; at most `limit`.

    Lists are aligned, so that an item inserted at the front is one change and not many.
    """
    found: list[Change] = []
    _compare(path, old, new, found, limit, 0)
    return found


def same_json(old: Any, new: Any) -> bool:
    """Equal as JSON: `1` and `true` differ, `1` and `1.0` don't."""
    return not json_changes(old, new, limit=1)


def _compare(path: str, old: Any, new: Any, found: list[Change], limit: int, depth: int) -> None:
    if len(found) >= limit:
        return
    if old is _MISSING or new is _MISSING:
        added, removed = old is _MISSING, new is _MISSING
        change = Change(path, None if added else old, None if removed else new, added, removed)
        found.append(change)
    elif depth > MAX_DEPTH:
        # repr of very deep values recurses as well, so such a place counts as different.
        found.append(Change(path, "(too deep)", "(too deep)"))
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({**old, **new}, key=_messages_first):
            here = _join(path, key)
            _compare(here, old.get(key, _MISSING), new.get(key, _MISSING), found, limit, depth + 1)
    elif isinstance(old, list) and isinstance(new, list):
        _compare_lists(path, old, new, found, limit, depth)
    elif isinstance(old, bool) != isinstance(new, bool) or old != new:
        found.append(Change(path, old, new))


def _messages_first(key: Any) -> bool:
    return key not in ("messages", "input", "contents")


def _join(path: str, key: Any) -> str:
    if isinstance(key, str) and _PLAIN_KEY.match(key):
        return f"{path}.{key}" if path else key
    return f'{path}["{key}"]'


def _compare_lists(
    path: str, old: list[Any], new: list[Any], found: list[Change], limit: int, depth: int
) -> None:
    if len(old) == len(new):
        pairs = [Pair(at, at) for at in range(len(old))]
    else:
        pairs = align([_token(item) for item in old], [_token(item) for item in new])
    for pair in pairs:
        before = _MISSING if pair.a is None else old[pair.a]
        after = _MISSING if pair.b is None else new[pair.b]
        at = pair.b if pair.b is not None else pair.a
        _compare(f"{path}[{at}]", before, after, found, limit, depth + 1)


def _token(value: Any) -> Hashable:
    """What makes two list items the same one. Nested values by their text: it is only a hint."""
    if isinstance(value, dict | list):
        try:
            return repr(value)
        except RecursionError:
            return type(value).__name__
    return (type(value).__name__, value)


def text_diff(old: str, new: str) -> list[Span]:
    """The texts cut into what both have and what only one has, by words; long ones by lines.

    Joining `same` and `old` gives `old` back, `same` and `new` gives `new`.
    """
    if old == new:
        return [Span("same", old)] if old else []
    a, b = _WORDS.findall(old), _WORDS.findall(new)
    if len(a) + len(b) > MAX_WORDS:
        a, b = _LINES.findall(old), _LINES.findall(new)
    if len(a) + len(b) > MAX_WORDS:  # even the lines are too many for a matching in no time
        return [span for span in (Span("old", old), Span("new", new)) if span.text]
    spans: list[Span] = []
    blocks = matching_blocks(a, b)
    for (in_a, in_b), block in zip(gaps(blocks, len(a), len(b)), [*blocks, None], strict=True):
        if in_a:
            spans.append(Span("old", "".join(a[in_a.start : in_a.stop])))
        if in_b:
            spans.append(Span("new", "".join(b[in_b.start : in_b.stop])))
        if block is not None:
            spans.append(Span("same", "".join(a[block.a_start : block.a_start + block.size])))
    return spans
