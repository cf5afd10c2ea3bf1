"""Gemini replies to streams: the chunks a model would have sent for the same answer.

Each chunk goes on with the text of the one before; where two texts must stay two parts, the second
begins in the chunk that ends the first. Function calls are whole.
"""

from collections.abc import Iterator
from typing import Any

from tracer.providers.gemini_names import drop, many, named
from tracer.providers.gemini_parts import SIGNATURE, is_text, signature_of
from tracer.providers.jsontext import JsonObject, as_dict
from tracer.providers.wire import pieces


def chunks(value: JsonObject) -> Iterator[JsonObject]:
    """The chunks that say what the JSON reply `value` says; the last one tells the usage."""
    common = drop(value, "candidates", "usageMetadata", "promptFeedback")
    once = drop(value, "candidates", *common)
    candidates = [as_dict(candidate) for candidate in many(value.get("candidates"))]
    if not candidates:
        yield {**common, **once}
    for place, candidate in enumerate(candidates):
        index = {"index": candidate.get("index", place)} if "index" in candidate or place else {}
        content = candidate.get("content")
        fields = drop(as_dict(content), "parts")
        *groups, last = list(_groups(many(as_dict(content).get("parts")))) or [[]]
        for group in groups:
            yield {"candidates": [{"content": {"parts": group, **fields}, **index}], **common}
        said = {"parts": last, **fields} if last else fields
        ending = {
            **({"content": said} if content is not None else {}),
            **drop(candidate, "content"),
        }
        is_end = place == len(candidates) - 1
        rest = once if is_end else {}
        yield {"candidates": [{**ending, **index}], **rest, **common}


def _groups(parts: list[Any]) -> Iterator[list[Any]]:
    """The parts of each chunk."""
    group: list[Any] = []
    for part in parts:
        first, *more = _unfolded(part)
        if group and _goes_on(group[-1], first):
            group.append(first)
        else:
            if group:
                yield group
            group = [first]
        for piece in more:
            yield group
            group = [piece]
    if group:
        yield group


def _unfolded(part: Any) -> list[Any]:
    """The pieces of a part; a signature stands in the last."""
    if not is_text(part):
        return [part]
    said = list(pieces(part["text"])) or [""]
    signature = named(part, SIGNATURE)
    unsigned = {key: value for key, value in part.items() if key != signature}
    return [*({**unsigned, "text": piece} for piece in said[:-1]), {**part, "text": said[-1]}]


def _goes_on(last: Any, part: Any) -> bool:
    """Whether `part`, beginning a chunk, would be read as more of `last`."""
    if not is_text(last) or not is_text(part) or signature_of(last) is not None:
        return False
    return bool(last.get("thought")) == bool(part.get("thought"))
