"""What stands in the place of a removed secret, and replacing parts of data that came in pieces.

`[redacted]` stands for a credential of this machine: a re-execution has another one, or none.
`[redacted:abcdefghijkl]` stands for any other secret: four letters name the key, eight are the
secret's digest by that key, so that equal secrets have equal marks and different ones are told
apart by nobody but who holds the key. Letters only: no pattern for numbers finds one in a mark.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

REDACTED = "[redacted]"
MARK = re.compile(r"\[redacted:([a-p]{4})([a-p]{8})\]")
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_BREAKS = re.compile(rb"\\+[nr]")


@dataclass(frozen=True, slots=True)
class Edit:
    """`new` in the place of `data[start:end]`."""

    start: int
    end: int
    new: bytes


def key_name(key: bytes) -> str:
    """Four letters that tell one key from another."""
    return _letters(hashlib.blake2b(b"name", key=key, digest_size=2))


def mark(secret: bytes, key: bytes) -> str:
    """The mark of a secret; the same however often JSON has escaped it."""
    plain = _BREAKS.sub(b"\n", secret).replace(b"\\", b"")
    return f"[redacted:{key_name(key)}{_letters(hashlib.blake2b(plain, key=key, digest_size=4))}]"


def _letters(hashed: "hashlib.blake2b") -> str:
    return hashed.hexdigest().translate(_LETTERS)


def has_mark(data: bytes) -> bool:
    """Whether a secret was removed from data."""
    return b"[redacted" in data


def in_order(edits: Iterable[Edit]) -> list[Edit]:
    """The edits sorted; of overlapping ones the first to start, then the longest."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda e: (e.start, -e.end)):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept


def apply(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The data with edits, which are in order, made."""
    return data if not edits else apply_pieces([data], edits)[0]


def apply_pieces(pieces: Sequence[bytes], edits: Sequence[Edit]) -> list[bytes]:
    """The same for data that came in pieces: as many pieces, an edit in the one it starts in."""
    made: list[bytes] = []
    at = first = 0
    for piece in pieces:
        end = at + len(piece)
        out: list[bytes] = []
        copied = at
        while first < len(edits) and edits[first].start < end:
            edit = edits[first]
            if edit.start >= at:
                out += [piece[copied - at : edit.start - at], edit.new]
            copied = max(copied, min(edit.end, end))
            if edit.end > end:
                break  # it reaches into the next piece
            first += 1
        out.append(piece[copied - at :])
        made.append(b"".join(out))
        at = end
    return made
