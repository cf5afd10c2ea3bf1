"""Cohere chat replies, JSON or stream, to what the model said."""

from typing import Any

from tracer.core.messages import Message
from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import HttpReply, ModelReply
from tracer.providers.cohere_chat_messages import message_parts
from tracer.providers.cohere_chat_stream import CohereStream, aggregate
from tracer.providers.errors import error_of_reply
from tracer.providers.finish import FinishReasons
from tracer.providers.jsontext import JsonObject, as_dict, load_object
from tracer.providers.wire import count, is_answer, is_failure, is_stream, reasons_of, text

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
    stream = aggregate(reply.body) if is_stream(reply) else _json_as_stream(reply)
    error = stream.error
    if error is None and is_failure(reply.status):
        error = error_of_reply(reply)
    is_complete = stream.complete and reply.failure is None
    value = stream.value
    is_broken = not is_complete or error is not None
    has_message = isinstance(value.get("message"), dict)
    messages = [_message(value, is_broken=is_broken)] if has_message else []
    return ModelReply(
        messages=messages,
        usage=read_usage(value.get("usage")),
        finish_reasons=reasons_of(messages),
        model=text(value.get("model")),
        response_id=text(value.get("id")),
        error=error,
        complete=is_complete,
        first_content_offset=stream.first_content_offset,
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
    return (value if isinstance(value.get("message"), dict) else {}), None


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


def _json_as_stream(reply: HttpReply) -> CohereStream:
    value = load_object(reply.body)
    error = error_of_reply(reply)
    if error is None and not isinstance((value or {}).get("message"), dict):
        error = ErrorInfo("invalid_reply", "the reply has no message")
    return CohereStream(value or {}, error, value is not None or reply.failure is None, None)


def _message(value: JsonObject, *, is_broken: bool) -> Message:
    wire = as_dict(value.get("message"))
    message: Message = {
        "role": text(wire.get("role")) or "assistant",
        "parts": message_parts(wire),
    }
    reason = FINISH.read(value.get("finish_reason")) or ("error" if is_broken else None)
    return {**message, "finish_reason": reason} if reason else message
