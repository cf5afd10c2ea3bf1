"""Anthropic messages to streams: the events a model would have sent for the same answer."""

from collections.abc import Iterator
from typing import Any

from tracer.providers.anthropic_messages_blocks import TOOL_USES
from tracer.providers.jsontext import JsonObject, arguments_text, as_dict, as_list, dumps
from tracer.providers.sse import emit
from tracer.providers.wire import pieces, text, without

# Told by the last event but one, because they are known only then.
_IN_DELTA = ("stop_reason", "stop_sequence", "stop_details", "container")
_BESIDE_DELTA = ("context_management", "input_transformations")


def emit_stream(value: JsonObject) -> bytes:
    """The stream that says what the JSON reply `value` says."""
    events = (*_opening(value), *_blocks(value), *_closing(value))
    return emit((str(event["type"]), dumps(event)) for event in events)


def _opening(value: JsonObject) -> Iterator[JsonObject]:
    usage = {**as_dict(value.get("usage")), "output_tokens": 0}
    empty: JsonObject = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield {"type": "message_start", "message": {**without(value, "stop_details"), **empty}}


def _closing(value: JsonObject) -> Iterator[JsonObject]:
    delta = {key: value.get(key) for key in _IN_DELTA if key in value or key.startswith("stop_r")}
    beside = {key: value[key] for key in _BESIDE_DELTA if key in value}
    usage = {"output_tokens": 0, **as_dict(value.get("usage"))}
    yield {"type": "message_delta", "delta": delta, "usage": usage, **beside}
    yield {"type": "message_stop"}


def _blocks(value: JsonObject) -> Iterator[JsonObject]:
    for index, block in enumerate(as_list(value.get("content"))):
        opening, deltas = _unfolded(as_dict(block))
        yield {"type": "content_block_start", "index": index, "content_block": opening}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}


def _unfolded(block: JsonObject) -> tuple[JsonObject, list[JsonObject]]:
    """How a block begins, and the deltas that fill it."""
    kind = block.get("type")
    if kind == "text":
        return _unfolded_text(block)
    if kind == "thinking":
        return _unfolded_thinking(block)
    if kind in TOOL_USES:
        said = block.get("input", {})
        # Without arguments a model sends one empty piece.
        json_text = "" if said == {} else arguments_text(said)
        deltas = _text_deltas("input_json_delta", "partial_json", json_text)
        nothing = {"type": "input_json_delta", "partial_json": ""}
        return {**block, "input": {}}, deltas or [nothing]
    return block, []


def _unfolded_thinking(block: JsonObject) -> tuple[JsonObject, list[JsonObject]]:
    deltas = _text_deltas("thinking_delta", "thinking", block.get("thinking"))
    opening = {**block, "thinking": ""}
    if text(block.get("signature")):
        opening["signature"] = ""
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    return opening, deltas


def _unfolded_text(block: JsonObject) -> tuple[JsonObject, list[JsonObject]]:
    deltas = _text_deltas("text_delta", "text", block.get("text"))
    opening = {**block, "text": ""}
    if as_list(block.get("citations")):
        opening["citations"] = []
        cited = [{"type": "citations_delta", "citation": c} for c in block["citations"]]
        deltas = [*cited, *deltas]
    return opening, deltas


def _text_deltas(kind: str, field: str, said: Any) -> list[JsonObject]:
    return [{"type": kind, field: piece} for piece in pieces(said)] if isinstance(said, str) else []
