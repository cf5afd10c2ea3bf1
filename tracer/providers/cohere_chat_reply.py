"""Cohere chat replies, JSON or stream, to what the model said."""

from typing import Any

from tracer.core.messages import Message
from tracer.core.records import Usage
from tracer.providers.base import HttpReply, ModelReply
from tracer.providers.cohere_chat_messages import message_parts
from tracer.providers.cohere_chat_stream import CohereStream, aggregate
from tracer.providers.finish import FinishReasons
from tracer.providers.jsontext import JsonObject, as_dict, load_object
from tracer.providers.reading import model_reply, read_json, settled
from tracer.providers.wire import count, is_answer, is_stream, text

FINISH = FinishReasons(
    {
        "COMPLETE": "stop",
        "STOP_SEQUENCE": "stop",
        "MAX_TOKENS": "length",
        "TOOL_CALL": "tool_call",
        "ERROR_TOXIC": "content_filter",
        "ERROR": "error",
        "TIMEOUT": "error",
    }
)


def read_reply(reply: HttpReply) -> ModelReply:
    """What the model answered; see `Api.read_reply`. Replies don't name their model."""
    found = aggregate(reply.body) if is_stream(reply) else read_json(reply, _is_answer, "message")
    stream = settled(found, reply)
    value = stream.value
    messages = [_message(value, is_broken=stream.is_broken)] if _is_answer(value) else []
    return model_reply(
        stream,
        messages,
        read_usage(value.get("usage")),
        text(value.get("model")),
        text(value.get("id")),
    )


def template_of(recorded: HttpReply | None) -> tuple[JsonObject, CohereStream | None]:
    """The reply object a substitute starts from, {} where the recording holds none, and its stream.

    The stream is None where the recording is JSON or no answer.
    """
    if not is_answer(recorded):
        return {}, None
    if is_stream(recorded):
        stream = aggregate(recorded.body)
        return stream.value, stream
    value = load_object(recorded.body) or {}
    return (value if _is_answer(value) else {}), None


def _is_answer(value: JsonObject) -> bool:
    return isinstance(value.get("message"), dict)


def read_usage(wire: Any) -> Usage | None:
    """Token counts: the billed ones where they are told, which leave out the provider's own prompt.

    What of the prompt was cached is counted within all tokens, so it is given only with these.
    """
    usage = as_dict(wire)
    billed, whole = as_dict(usage.get("billed_units")), as_dict(usage.get("tokens"))
    is_billed = count(billed.get("input_tokens")) is not None
    counted = billed if is_billed else whole
    produced = count(counted.get("output_tokens"))
    reasoning = count(whole.get("reasoning_tokens"))
    found = Usage(
        input_tokens=count(counted.get("input_tokens")),
        output_tokens=produced,
        cached_input_tokens=None if is_billed else count(usage.get("cached_tokens")),
        reasoning_tokens=reasoning if reasoning is None or reasoning <= (produced or 0) else None,
    )
    return None if found == Usage() else found


def _message(value: JsonObject, *, is_broken: bool) -> Message:
    wire = as_dict(value.get("message"))
    message: Message = {
        "role": text(wire.get("role")) or "assistant",
        "parts": message_parts(wire),
    }
    reason = FINISH.read(value.get("finish_reason")) or ("error" if is_broken else None)
    return {**message, "finish_reason": reason} if reason else message
