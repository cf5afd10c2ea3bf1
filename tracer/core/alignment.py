"""Which items of two lists belong together. Pure, and never much slower than n log n.

`matching_blocks` finds stretches that are equal in both. Items that occur once in each list are
anchors (the longest rising row of them is kept, as in a patience diff); only small gaps between
anchors are searched exhaustively, because that takes quadratic time on hostile lists.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_EXHAUSTIVE = 40_000  # length times length up to which a gap is searched without anchors
_MAX_PIECES = 64  # of a gap without anchors; larger ones are left unmatched
_MAX_ROUNDS = 12  # of anchors inside gaps between anchors


@dataclass(frozen=True, slots=True)
class Block:
    """`a[a_start : a_start + size] == b[b_start : b_start + size]`, size > 0."""

    a_start: int
    b_start: int
    size: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A row of two aligned lists: an index into each, None where one has nothing."""

    a: int | None
    b: int | None


@dataclass(frozen=True, slots=True)
class _Gap:
    a1: int
    a2: int
    b1: int
    b2: int


def matching_blocks(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[Block]:
    """Equal stretches in rising order in both lists, merged where they touch."""
    found = _blocks(a, b, _Gap(0, len(a), 0, len(b)), 0)
    merged: list[Block] = []
    for block in found:
        last = merged[-1] if merged else None
        if last and (last.a_start + last.size, last.b_start + last.size) == (
            block.a_start,
            block.b_start,
        ):
            merged[-1] = Block(last.a_start, last.b_start, last.size + block.size)
        else:
            merged.append(block)
    return merged


def gaps(blocks: Sequence[Block], a_length: int, b_length: int) -> list[tuple[range, range]]:
    """What lies before, between and after blocks: index ranges of both lists, some empty."""
    found: list[tuple[range, range]] = []
    a_at = b_at = 0
    for block in [*blocks, Block(a_length, b_length, 0)]:
        found.append((range(a_at, block.a_start), range(b_at, block.b_start)))
        a_at, b_at = block.a_start + block.size, block.b_start + block.size
    return found


def align(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[Pair]:
    """Rows in which equal items stand side by side, order kept.

    In a gap with items on both sides these are paired one by one; the rest stands alone.
    """
    blocks = matching_blocks(a, b)
    rows: list[Pair] = []
    for (in_a, in_b), block in zip(gaps(blocks, len(a), len(b)), [*blocks, None], strict=True):
        common = min(len(in_a), len(in_b))
        rows += [Pair(x, y) for x, y in zip(in_a, in_b, strict=False)]
        rows += [Pair(x, None) for x in in_a[common:]]
        rows += [Pair(None, y) for y in in_b[common:]]
        if block is not None:
            rows += [Pair(block.a_start + k, block.b_start + k) for k in range(block.size)]
    return rows


def _blocks(a: Sequence[Hashable], b: Sequence[Hashable], gap: _Gap, rounds: int) -> list[Block]:
    a1, a2, b1, b2 = gap.a1, gap.a2, gap.b1, gap.b2
    while a1 < a2 and b1 < b2 and a[a1] == b[b1]:
        a1, b1 = a1 + 1, b1 + 1
    while a1 < a2 and b1 < b2 and a[a2 - 1] == b[b2 - 1]:
        a2, b2 = a2 - 1, b2 - 1
    before = [Block(gap.a1, gap.b1, a1 - gap.a1)] if a1 > gap.a1 else []
    after = [Block(a2, b2, gap.a2 - a2)] if gap.a2 > a2 else []
    return before + _inner_blocks(a, b, _Gap(a1, a2, b1, b2), rounds) + after


def _inner_blocks(
    a: Sequence[Hashable], b: Sequence[Hashable], gap: _Gap, rounds: int
) -> list[Block]:
    """Blocks of a gap whose ends differ."""
    size = (gap.a2 - gap.a1) * (gap.b2 - gap.b1)
    if size == 0:
        return []
    if size <= _EXHAUSTIVE:
        left, right = a[gap.a1 : gap.a2], b[gap.b1 : gap.b2]
        matcher = SequenceMatcher(None, left, right, autojunk=False)
        return [
            Block(gap.a1 + m.a, gap.b1 + m.b, m.size)
            for m in matcher.get_matching_blocks()
            if m.size
        ]
    anchors = _anchors(a, b, gap) if rounds < _MAX_ROUNDS else []
    if not anchors:
        return _windows(a, b, gap, size)
    found: list[Block] = []
    a_at, b_at = gap.a1, gap.b1
    for x, y in anchors:
        found += _blocks(a, b, _Gap(a_at, x, b_at, y), rounds + 1)
        found.append(Block(x, y, 1))
        a_at, b_at = x + 1, y + 1
    return found + _blocks(a, b, _Gap(a_at, gap.a2, b_at, gap.b2), rounds + 1)


def _windows(a: Sequence[Hashable], b: Sequence[Hashable], gap: _Gap, size: int) -> list[Block]:
    """Without anchors: both sides cut into the same number of pieces, each searched by itself."""
    pieces = math.isqrt(size // _EXHAUSTIVE) + 1
    if pieces > _MAX_PIECES:
        return []
    found: list[Block] = []
    a_cuts = [gap.a1 + (gap.a2 - gap.a1) * at // pieces for at in range(pieces + 1)]
    b_cuts = [gap.b1 + (gap.b2 - gap.b1) * at // pieces for at in range(pieces + 1)]
    for at in range(pieces):
        piece = _Gap(a_cuts[at], a_cuts[at + 1], b_cuts[at], b_cuts[at + 1])
        found += _blocks(a, b, piece, _MAX_ROUNDS)
    return found


def _anchors(a: Sequence[Hashable], b: Sequence[Hashable], gap: _Gap) -> list[tuple[int, int]]:
    """Items that occur once on each side, as the longest row that rises in both."""
    in_a = Counter(a[gap.a1 : gap.a2])
    in_b = Counter(b[gap.b1 : gap.b2])
    place = {b[at]: at for at in range(gap.b1, gap.b2) if in_b[b[at]] == 1}
    once = [
        (at, place[a[at]]) for at in range(gap.a1, gap.a2) if in_a[a[at]] == 1 and a[at] in place
    ]
    return _longest_rising(once)


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence whose second numbers rise (the first do already)."""
    tails: list[int] = []  # smallest end of a rising row of each length
    tail_at: list[int] = []
    before: list[int] = []
    for at, (_, value) in enumerate(pairs):
        length = bisect_left(tails, value)
        before.append(tail_at[length - 1] if length else -1)
        tails[length : length + 1] = [value]
        tail_at[length : length + 1] = [at]
    row: list[tuple[int, int]] = []
    at = tail_at[-1] if tail_at else -1
    while at >= 0:
        row.append(pairs[at])
        at = before[at]
    return row[::-1]
