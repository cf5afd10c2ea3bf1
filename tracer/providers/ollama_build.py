"""Ollama replies in which the model says something else, as one object or as lines."""

from collections.abc import Iterator

from tracer.core.messages import Message, Part
from tracer.providers.jsontext import JsonObject, as_dict, as_list, same_json
from tracer.providers.ollama_messages import read_call, write_call
from tracer.providers.ollama_reply import FINISH, said_of
from tracer.providers.ollama_shape import SAID, Shape, words
from tracer.providers.wire import content_of, made_id, parts_of, pieces, rebuild, text, without

_KINDS = ("text", "refusal", "reasoning", "tool_call", "blob")
# They speak of the old answer. `context` is its history in tokens, which nobody can edit.
_STALE = ("logprobs", "context", "error")
_LONG_AGO = "1970-01-01T00:00:00Z"


def edited(
    template: JsonObject, said: Message, shape: Shape, model: str, seed: bytes
) -> JsonObject:
    """The JSON reply that says `said`; `model` and `seed` fill in where the template is empty."""
    parts = [part for part in parts_of(said) if part.get("type") in _KINDS]
    is_unchanged = bool(template) and same_json(parts, said_of(template, shape))
    reason = FINISH.write(said, template.get("done_reason"), is_unchanged=is_unchanged)
    old = shape.holder_of(template)
    value = template if is_unchanged else without(shape.rest_of(template), *_STALE)
    if not is_unchanged:
        kept = without(old, shape.text, *SAID) if shape.holder else {}
        value = shape.put(value, {**kept, **_written(parts, old, shape, seed)})
    if reason != value.get("done_reason"):
        value = {**value, "done_reason": reason}
    if template:
        return {**value, "done": True}
    return {"model": model, "created_at": _LONG_AGO, **value, "done": True}


def _written(parts: list[Part], old: JsonObject, shape: Shape, seed: bytes) -> JsonObject:
    """The fields of the holder that say `parts`."""
    old_calls = as_list(old.get("tool_calls"))
    has_ids = any(text(as_dict(call).get("id")) for call in old_calls)

    def write(part: Part, _same: object, place: int) -> JsonObject:
        return write_call(part, made_id("call_", seed, place) if has_ids else None)

    def of(*kinds: str) -> list[Part]:
        return [part for part in parts if part.get("type") in kinds]

    role = {"role": text(old.get("role")) or "assistant"} if shape.holder else {}
    made: JsonObject = {**role, shape.text: "\n".join(map(content_of, of("text", "refusal")))}
    if of("reasoning"):
        made["thinking"] = "\n".join(map(content_of, of("reasoning")))
    images = [content_of(part) for part in of("blob")]
    if images and shape.holder:
        made["images"] = images
    elif images:
        made["image"] = images[0]
    if of("tool_call"):
        made["tool_calls"] = rebuild(of("tool_call"), old_calls, read_call, write)
    return made


def lines(value: JsonObject, shape: Shape) -> Iterator[JsonObject]:
    """The lines that say what the JSON reply `value` says; the last one tells counts and reason."""
    common: JsonObject = {key: value[key] for key in ("model", "created_at") if key in value}
    held = shape.holder_of(value)
    role = {"role": held.get("role", "assistant")} if shape.holder else {}

    def line(said: JsonObject) -> JsonObject:
        return {**shape.put(common, {**role, shape.text: "", **said}), "done": False}

    for key in ("thinking", shape.text):
        yield from (line({key: piece}) for piece in pieces(words(held.get(key))))
    for call in as_list(held.get("tool_calls")):
        yield line({"tool_calls": [call]})
    for key in ("images", "image"):
        if held.get(key):
            yield line({key: held[key]})
    rest = without(held, shape.text, *SAID) if shape.holder else {}
    ending = shape.put(shape.rest_of(value), {**rest, **role, shape.text: ""})
    yield {**ending, "done": True}
