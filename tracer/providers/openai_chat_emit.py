"""Chat Completions objects to streams: the chunks a model would have sent for the same answer."""

from collections.abc import Iterator
from typing import Any

from tracer.providers.jsontext import JsonObject, as_dict, as_list, dumps
from tracer.providers.openai_chat_messages import REASONING_FIELDS
from tracer.providers.openai_chat_stream import DONE
from tracer.providers.sse import emit
from tracer.providers.wire import pieces, without

# In every chunk; what else stands at the top of a reply comes once, with the finish reason.
_COMMON = ("id", "object", "created", "model", "system_fingerprint", "service_tier", "provider")
_DELTAS = ("role", "content", "refusal", "tool_calls", "function_call", *REASONING_FIELDS)


def emit_stream(
    value: JsonObject, *, usage: bool, usage_beside_choices: bool, whole_calls: bool
) -> bytes:
    """The stream that says what the JSON reply `value` says.

    `usage`: whether it tells token counts, and if so `usage_beside_choices` with the last choice
    instead of in a chunk without choices. `whole_calls`: each tool call in one piece.
    """
    common = {key: value[key] for key in _COMMON if key in value}
    common["object"] = "chat.completion.chunk"
    last = without(value, *_COMMON, "choices", "usage")
    chunks: list[JsonObject] = []
    choices = [as_dict(choice) for choice in as_list(value.get("choices"))]
    for choice in choices:
        index = choice.get("index", 0)
        for delta in _deltas(as_dict(choice.get("message")), whole_calls):
            entry = {"index": index, "delta": delta, "finish_reason": None}
            chunks.append({**common, "choices": [entry]})
        rest = without(choice, "message", "logprobs")
        finish = {"finish_reason": None, **rest, "index": index, "delta": {}}
        chunks.append({**common, "choices": [finish]})
    if chunks:
        chunks[-1].update(last)
        if usage and usage_beside_choices:
            chunks[-1]["usage"] = value.get("usage")
    if usage and not usage_beside_choices:
        chunks.append({**common, "choices": [], "usage": value.get("usage")})
    return emit([*((None, dumps(chunk)) for chunk in chunks), (None, DONE)])


def _deltas(message: JsonObject, whole_calls: bool) -> Iterator[JsonObject]:
    """The deltas that add up to `message`."""
    content = message.get("content")
    opening = None if content is None else ""
    yield {"role": message.get("role") or "assistant", "content": opening}
    for field in REASONING_FIELDS:
        yield from _text_deltas(field, message.get(field))
    yield from _text_deltas("content", content)
    for item in as_list(content):
        yield {"content": [item]}
    yield from _text_deltas("refusal", message.get("refusal"))
    if isinstance(message.get("function_call"), dict):
        yield from _function_call_deltas(message["function_call"])
    for index, call in enumerate(as_list(message.get("tool_calls"))):
        yield from _call_deltas(index, as_dict(call), whole_calls)
    rest = {key: value for key, value in without(message, *_DELTAS).items() if value is not None}
    if rest:
        yield rest


def _text_deltas(field: str, said: Any) -> Iterator[JsonObject]:
    if isinstance(said, str):
        yield from ({field: piece} for piece in pieces(said))


def _function_call_deltas(call: JsonObject) -> Iterator[JsonObject]:
    yield {"function_call": {**call, "arguments": ""}}
    for delta in _text_deltas("arguments", call.get("arguments")):
        yield {"function_call": delta}


def _call_deltas(index: int, call: JsonObject, whole_calls: bool) -> Iterator[JsonObject]:
    kind = "custom" if isinstance(call.get("custom"), dict) else "function"
    key = "input" if kind == "custom" else "arguments"
    inner = as_dict(call.get(kind))
    said = inner.get(key)
    if whole_calls or not isinstance(said, str):
        yield {"tool_calls": [{**call, "index": index}]}
        return
    yield {"tool_calls": [{**call, "index": index, kind: {**inner, key: ""}}]}
    for delta in _text_deltas(key, said):
        yield {"tool_calls": [{"index": index, kind: delta}]}
