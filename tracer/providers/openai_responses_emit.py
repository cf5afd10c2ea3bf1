"""Response objects to streams: the events a model would have sent for the same answer."""

from collections.abc import Iterator
from typing import Any

from tracer.providers.jsontext import JsonObject, as_dict, as_list, dumps
from tracer.providers.sse import emit
from tracer.providers.wire import made_id, pieces, text, without

_LAST = {"incomplete": "response.incomplete", "failed": "response.failed"}
# Type of item -> field that grows, and the events that tell it.
_GROWING = {
    "function_call": ("arguments", "response.function_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
    "mcp_call": ("arguments", "response.mcp_call_arguments"),
    "code_interpreter_call": ("code", "response.code_interpreter_call_code"),
}
_TEXTS = {
    "output_text": ("text", "response.output_text"),
    "refusal": ("refusal", "response.refusal"),
    "reasoning_text": ("text", "response.reasoning_text"),
}
_UNSAID = ("output", "usage", "completed_at", "incomplete_details")  # until the response is over


def emit_stream(value: JsonObject) -> bytes:
    """The stream that says what the response object `value` says."""
    events: list[tuple[str, str]] = []
    for number, event in enumerate(_events(value)):
        kind = event.pop("type")
        events.append((kind, dumps({"type": kind, "sequence_number": number, **event})))
    return emit(events)


def _events(value: JsonObject) -> Iterator[JsonObject]:
    opening = {**value, **{key: None for key in _UNSAID if key in value}}
    opening.update(status="in_progress", output=[])
    yield {"type": "response.created", "response": opening}
    yield {"type": "response.in_progress", "response": opening}
    for index, item in enumerate(as_list(value.get("output"))):
        if isinstance(item, dict):
            yield from _item(index, item)
    last = _LAST.get(str(value.get("status")), "response.completed")
    yield {"type": last, "response": value}


def _item(index: int, item: JsonObject) -> Iterator[JsonObject]:
    name = text(item.get("id"), item.get("call_id")) or made_id("item_", index)
    here = {"output_index": index, "item_id": name}
    kind = item.get("type")
    begun = {**item, "status": "in_progress"} if "status" in item else dict(item)
    field, stem = _GROWING.get(str(kind), ("", ""))
    said = item.get(field) if field else None
    if isinstance(said, str):
        begun[field] = ""
    is_silent = kind in ("message", "reasoning")
    if is_silent:
        begun.update({key: [] for key in ("content", "summary") if isinstance(item.get(key), list)})
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    if isinstance(said, str):
        yield from _grown(stem, here, said)
        yield {"type": f"{stem}.done", **here, field: said}
    if is_silent:
        for place, entry in enumerate(as_list(item.get("summary"))):
            yield from _summary({**here, "summary_index": place}, entry)
        for place, entry in enumerate(as_list(item.get("content"))):
            yield from _content({**here, "content_index": place}, entry)
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _grown(stem: str, here: JsonObject, said: str, **more: Any) -> Iterator[JsonObject]:
    for piece in pieces(said):
        yield {"type": f"{stem}.delta", **here, "delta": piece, **more}


def _summary(here: JsonObject, entry: Any) -> Iterator[JsonObject]:
    stem = "response.reasoning_summary"
    said = as_dict(entry).get("text")
    if not isinstance(said, str):
        return
    yield {"type": f"{stem}_part.added", **here, "part": {**entry, "text": ""}}
    yield from _grown(f"{stem}_text", here, said)
    yield {"type": f"{stem}_text.done", **here, "text": said}
    yield {"type": f"{stem}_part.done", **here, "part": entry}


def _content(here: JsonObject, entry: Any) -> Iterator[JsonObject]:
    if not isinstance(entry, dict):
        return
    field, stem = _TEXTS.get(str(entry.get("type")), ("", ""))
    said = entry.get(field) if field else None
    begun = entry
    more: JsonObject = {}
    if isinstance(said, str):
        begun = {**without(entry, "annotations", "logprobs"), field: ""}
        if stem == "response.output_text":
            more = {"logprobs": []}
            begun = {**begun, "annotations": [], **more}
    yield {"type": "response.content_part.added", **here, "part": begun}
    if isinstance(said, str):
        yield from _grown(stem, here, said, **more)
        for place, annotation in enumerate(as_list(entry.get("annotations"))):
            told = {"annotation_index": place, "annotation": annotation}
            yield {"type": "response.output_text.annotation.added", **here, **told}
        yield {"type": f"{stem}.done", **here, field: said, **more}
    yield {"type": "response.content_part.done", **here, "part": entry}
