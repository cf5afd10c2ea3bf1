"""Anthropic Messages replies, JSON or stream, to what the model said."""

from typing import Any

from tracer.core.messages import Message
from tracer.core.records import Usage
from tracer.providers.anthropic_messages_blocks import read_content
from tracer.providers.anthropic_messages_stream import aggregate
from tracer.providers.base import HttpReply, ModelReply
from tracer.providers.finish import FinishReasons
from tracer.providers.jsontext import JsonObject, as_dict, load_object
from tracer.providers.reading import model_reply, read_json, settled
from tracer.providers.wire import count, is_answer, is_stream, text

FINISH = FinishReasons(
    {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "tool_use": "tool_call",
        "refusal": "content_filter",
        "error": "error",
    }
)


def read_reply(reply: HttpReply) -> ModelReply:
    """What the model answered; see `Api.read_reply`."""
    found = aggregate(reply.body) if is_stream(reply) else read_json(reply, _is_answer, "content")
    stream = settled(found, reply)
    value = stream.value
    messages = [_message(value, is_broken=stream.is_broken)] if "content" in value else []
    return model_reply(
        stream,
        messages,
        read_usage(value.get("usage")),
        text(value.get("model")),
        text(value.get("id")),
    )


def template_of(recorded: HttpReply | None) -> JsonObject:
    """The message a substitute starts from, {} where the recording holds none."""
    if not is_answer(recorded):
        return {}
    if is_stream(recorded):
        return aggregate(recorded.body).value
    value = load_object(recorded.body) or {}
    return value if _is_answer(value) else {}


def _is_answer(value: JsonObject) -> bool:
    return isinstance(value.get("content"), list)


def read_usage(wire: Any) -> Usage | None:
    """Token counts; the provider counts cached tokens beside the input, `Usage` inside it."""
    usage = as_dict(wire)
    given = count(usage.get("input_tokens"))
    cached = count(usage.get("cache_read_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens"))
    found = Usage(
        input_tokens=None if given is None else given + (cached or 0) + (written or 0),
        output_tokens=count(usage.get("output_tokens")),
        cached_input_tokens=cached,
        reasoning_tokens=count(as_dict(usage.get("output_tokens_details")).get("thinking_tokens")),
        cache_write_tokens=written,
    )
    return None if found == Usage() else found


def _message(value: JsonObject, *, is_broken: bool) -> Message:
    message: Message = {
        "role": text(value.get("role")) or "assistant",
        "parts": read_content(value.get("content")),
    }
    reason = FINISH.read(value.get("stop_reason")) or ("error" if is_broken else None)
    return {**message, "finish_reason": reason} if reason else message
