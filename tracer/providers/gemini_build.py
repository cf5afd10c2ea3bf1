"""Gemini replies in which the model says something else: the recorded one, edited.

Parts that say the same stay as recorded, signatures too. A function call takes the signature of the
call it stands for: Gemini 3 refuses a history whose first call of a step has none.
"""

from tracer.core.messages import Message, Part
from tracer.providers.gemini_names import drop, get, many, named
from tracer.providers.gemini_parts import (
    SIGNATURE,
    can_be_said,
    read_part,
    read_parts,
    signature_of,
    write_part,
)
from tracer.providers.gemini_reply import FINISH, NUMBERS, finish_word
from tracer.providers.gemini_request import Asked
from tracer.providers.jsontext import JsonObject, as_dict, same_json
from tracer.providers.wire import made_id, parts_of, rebuild, text

# What the provider documents for calls that no model made.
NO_SIGNATURE = "skip_thought_signature_validator"
_NO_USAGE = {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0}
# They speak of the old answer, and nobody needs them to read the new one.
_STALE = (
    *("citationMetadata", "groundingMetadata", "groundingAttributions", "urlContextMetadata"),
    *("avgLogprobs", "logprobsResult", "tokenCount", "finishMessage", "safetyRatings"),
    "continuationToken",
)


def edited(template: JsonObject, said: Message, asked: Asked) -> JsonObject:
    """The JSON reply in which the first candidate says `said`; others stay as recorded."""
    candidates = [as_dict(candidate) for candidate in many(template.get("candidates"))]
    first = candidates[0] if candidates else {}
    content = as_dict(first.get("content"))
    old = many(content.get("parts"))
    parts = [part for part in parts_of(said) if can_be_said(part)]
    is_unchanged = bool(template) and same_json(parts, read_parts(old))
    reason = _reason(said, first, asked, is_unchanged=is_unchanged)
    finish = named(first, "finishReason")
    if is_unchanged and not candidates and said.get("finish_reason") == "content_filter":
        return template  # the prompt was blocked, and still is
    if is_unchanged:
        first = first if first.get(finish) == reason else {**first, finish: reason}
        return {**template, "candidates": [first, *candidates[1:]]}
    written = {"parts": _written(parts, old, asked), "role": "model"}
    fields = {**drop(first, *_STALE, "content"), finish: reason}
    changed = {"content": {**drop(content, "parts", "role"), **written}, **fields}
    usage = named(template, "usageMetadata")
    return {
        "candidates": [changed, *candidates[1:]],
        **drop(template, "candidates", "promptFeedback", "error"),
        usage: template.get(usage) or _NO_USAGE,
        **_identity(template, asked, str(parts)),
    }


def _identity(template: JsonObject, asked: Asked, said: str) -> JsonObject:
    """Model and id: the recorded ones, or new ones where nothing was recorded."""
    if template:
        return {}
    return {"modelVersion": asked.model, "responseId": made_id("", asked.seed, said)}


def _reason(said: Message, first: JsonObject, asked: Asked, *, is_unchanged: bool) -> object:
    recorded = get(first, "finishReason")
    word = FINISH.write(said, finish_word(recorded), is_unchanged=is_unchanged)
    if word == finish_word(recorded):
        return recorded
    if asked.numbered or isinstance(recorded, int):
        return next((number for number, known in NUMBERS.items() if known == word), word)
    return word


def _written(parts: list[Part], old: list[object], asked: Asked) -> list[JsonObject]:
    """The wire parts that say `parts`."""
    calls = [p for p in old if isinstance(p, dict) and isinstance(get(p, "functionCall"), dict)]
    has_ids = any(text(as_dict(get(call, "functionCall")).get("id")) for call in calls)

    def write(part: Part, _twin: object, place: int) -> JsonObject:
        new_id = made_id("call_", asked.seed, place) if has_ids else None
        return write_part(part, new_id)

    written = rebuild(parts, old, read_part, write)
    first = next((p for p in written if isinstance(p, dict) and get(p, "functionCall")), None)
    if first is not None and signature_of(first) is None:
        signature = signature_of(calls[0]) if calls else None
        is_signing = asked.signs or any(isinstance(p, dict) and signature_of(p) for p in old)
        if signature or (is_signing and not calls):
            first = {**first, SIGNATURE: signature or NO_SIGNATURE}
            place = next(i for i, p in enumerate(written) if get(as_dict(p), "functionCall"))
            written[place] = first
    return written
