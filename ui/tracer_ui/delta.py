"""What is new in a request: a model call's messages against an earlier call's. Pure."""

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

_ALIGNED = 1500  # messages on either side; longer rests are compared from the front only


@dataclass(frozen=True, slots=True)
class Delta:
    """Places in the request: `kept` messages were in the earlier one too, `new` were not.

    `gone` messages of the earlier request are not in this one: a history cut short or rewritten.
    """

    kept: tuple[int, ...]
    new: tuple[int, ...]
    gone: int


def delta(before: Sequence[Any], now: Sequence[Any]) -> Delta:
    """Compare two message lists; both grow at the end, so the front is compared first."""
    shared = 0
    for old, new in zip(before, now, strict=False):
        if old != new:
            break
        shared += 1
    kept = list(range(shared))
    rest_before, rest_now = before[shared:], now[shared:]
    if rest_before and 0 < len(rest_now) <= _ALIGNED and len(rest_before) <= _ALIGNED:
        matcher = SequenceMatcher(
            None, list(map(_token, rest_before)), list(map(_token, rest_now)), autojunk=False
        )
        for _, start, size in matcher.get_matching_blocks():
            kept += range(shared + start, shared + start + size)
    known = set(kept)
    new = tuple(index for index in range(len(now)) if index not in known)
    return Delta(tuple(kept), new, len(before) - len(kept))


def is_echo(message: Any, answers: Sequence[Any]) -> bool:
    """Whether a message only hands back what the model had answered before."""
    return any(_said(message) == _said(answer) for answer in answers)


def _token(message: Any) -> Hashable:
    return json.dumps(message, sort_keys=True, default=repr)


def _said(message: Any) -> Any:
    """What a message says, without what a provider adds to an answer (ids, reasons, reasoning)."""
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message
    parts = message.get("parts")
    if not isinstance(parts, list):
        return message
    return [
        (part.get("type"), part.get("content"), part.get("name"), part.get("arguments"))
        for part in parts
        if isinstance(part, dict) and part.get("type") != "reasoning"
    ]
