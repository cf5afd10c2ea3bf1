"""Which parts of a text were changed, for texts that are mostly equal."""

from collections.abc import Iterator

_MOST = 4_000_000  # of one length times the other, beyond which the middle counts as changed
_BRIDGE = 3  # equal characters between two changes that are less than a word


def changes(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Pairs of old and new parts in order; equal where nothing changed."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    yield before[:head], before[:head]
    if len(old) * len(new) > _MOST:
        yield old, new
    else:
        yield from _middle(old, new)
    yield before[len(before) - tail :], before[len(before) - tail :]


def _middle(old: str, new: str) -> Iterator[tuple[str, str]]:
    from difflib import SequenceMatcher  # few programs need it, and all would load it

    left = right = ""
    for word, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if word == "equal" and b - a >= _BRIDGE:
            yield left, right
            yield old[a:b], old[a:b]
            left = right = ""
        else:
            left += old[a:b]
            right += new[c:d]
    yield left, right


def _common(a: str, b: str) -> int:
    count = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        count += 1
    return count
