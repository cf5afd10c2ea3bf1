"""Converse replies to streams: the events a model would have sent for the same answer."""

from collections.abc import Iterator
from typing import Any

from tracer.providers import eventstream
from tracer.providers.jsontext import JsonObject, arguments_text, as_dict, as_list, dumps
from tracer.providers.wire import pieces, without

_IN_STOP = ("stopReason", "additionalModelResponseFields")


def emit_stream(value: JsonObject) -> bytes:
    """The stream that says what the JSON reply `value` says."""
    return eventstream.emit((name, dumps(event).encode()) for name, event in events(value))


def events(value: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """The events of that stream, as `(type, payload)`."""
    message = as_dict(as_dict(value.get("output")).get("message"))
    yield "messageStart", {"role": message.get("role") or "assistant"}
    for index, block in enumerate(as_list(message.get("content"))):
        at = {"contentBlockIndex": index}
        opening, deltas = _unfolded(as_dict(block))
        if opening:
            yield "contentBlockStart", {**at, "start": opening}
        for delta in deltas:
            yield "contentBlockDelta", {**at, "delta": delta}
        yield "contentBlockStop", at
    yield "messageStop", {key: value[key] for key in _IN_STOP if key in value}
    yield "metadata", without(value, "output", *_IN_STOP)


def _unfolded(block: JsonObject) -> tuple[JsonObject, list[JsonObject]]:
    """How a block begins (`{}`: without an event of its own), and the deltas that fill it."""
    for kind, unfold in _UNFOLD.items():
        if isinstance(block.get(kind), dict):
            return unfold(block[kind])
    if isinstance(block.get("text"), str):
        return {}, _texts(block["text"])
    return {}, [block]


def _texts(said: Any) -> list[JsonObject]:
    return [{"text": piece} for piece in pieces(str(said))] or [{"text": ""}]


def _tool_use(use: JsonObject) -> tuple[JsonObject, list[JsonObject]]:
    said = arguments_text(use.get("input", {}))
    deltas = [{"toolUse": {"input": piece}} for piece in pieces(said)]
    return {"toolUse": without(use, "input")}, deltas


def _tool_result(result: JsonObject) -> tuple[JsonObject, list[JsonObject]]:
    deltas = [{"toolResult": [item]} for item in as_list(result.get("content"))]
    return {"toolResult": without(result, "content")}, deltas


def _reasoning(content: JsonObject) -> tuple[JsonObject, list[JsonObject]]:
    said = content.get("reasoningText")
    if not isinstance(said, dict):
        return {}, [{"reasoningContent": content}]
    deltas = _texts(said.get("text", ""))
    deltas.extend({key: piece} for key, piece in without(said, "text").items())
    return {}, [{"reasoningContent": delta} for delta in deltas]


def _cited(content: JsonObject) -> tuple[JsonObject, list[JsonObject]]:
    texts = [as_dict(item).get("text") for item in as_list(content.get("content"))]
    said = "".join(text for text in texts if isinstance(text, str))
    deltas = _texts(said) if texts else []
    deltas.extend({"citation": citation} for citation in as_list(content.get("citations")))
    return {}, deltas


_UNFOLD = {
    "toolUse": _tool_use,
    "toolResult": _tool_result,
    "reasoningContent": _reasoning,
    "citationsContent": _cited,
}
