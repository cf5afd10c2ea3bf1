"""Converse replies, JSON or stream, to what the model said."""

from typing import Any

from tracer.core.messages import Message
from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import HttpReply, ModelReply
from tracer.providers.bedrock_converse_blocks import read_content
from tracer.providers.bedrock_converse_stream import ConverseStream, aggregate
from tracer.providers.bedrock_errors import is_stream, reply_error
from tracer.providers.finish import FinishReasons
from tracer.providers.jsontext import JsonObject, as_dict, load_object
from tracer.providers.wire import count, header, is_answer, is_failure, reasons_of, text

FINISH = FinishReasons(
    {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "tool_use": "tool_call",
        "content_filtered": "content_filter",
        "guardrail_intervened": "content_filter",
        "malformed_model_output": "error",
        "malformed_tool_use": "error",
    }
)


def read_reply(reply: HttpReply) -> ModelReply:
    """What the model answered; see `Api.read_reply`. The id is the request's, told in a header."""
    stream = aggregate(reply.body) if is_stream(reply) else _json_as_stream(reply)
    error = stream.error
    if error is None and is_failure(reply.status):
        error = reply_error(reply)
    is_complete = stream.complete and reply.failure is None
    value = stream.value
    is_broken = not is_complete or error is not None
    messages = [_message(value, is_broken=is_broken)] if _wire_message(value) else []
    router = as_dict(as_dict(value.get("trace")).get("promptRouter"))
    return ModelReply(
        messages=messages,
        usage=read_usage(value.get("usage")),
        finish_reasons=reasons_of(messages),
        model=text(router.get("invokedModelId")),
        response_id=text(header(reply.headers, "x-amzn-requestid")),
        error=error,
        complete=is_complete,
        first_content_offset=stream.first_content_offset,
    )


def template_of(recorded: HttpReply | None) -> JsonObject:
    """The reply object a substitute starts from, {} where the recording holds none."""
    if not is_answer(recorded):
        return {}
    value = aggregate(recorded.body).value if is_stream(recorded) else load_object(recorded.body)
    return value if value and _wire_message(value) else {}


def read_usage(wire: Any) -> Usage | None:
    """Token counts; the provider counts cached tokens beside the input, `Usage` inside it."""
    usage = as_dict(wire)
    given = count(usage.get("inputTokens"))
    cached = count(usage.get("cacheReadInputTokens"), usage.get("cacheReadInputTokenCount"))
    written = count(usage.get("cacheWriteInputTokens"), usage.get("cacheWriteInputTokenCount"))
    found = Usage(
        input_tokens=None if given is None else given + (cached or 0) + (written or 0),
        output_tokens=count(usage.get("outputTokens")),
        cached_input_tokens=cached,
        cache_write_tokens=written,
    )
    return None if found == Usage() else found


def _wire_message(value: JsonObject) -> JsonObject:
    return as_dict(as_dict(value.get("output")).get("message"))


def _json_as_stream(reply: HttpReply) -> ConverseStream:
    value = load_object(reply.body)
    error = reply_error(reply)
    if error is None and not _wire_message(value or {}):
        error = ErrorInfo("invalid_reply", "the reply has no message")
    return ConverseStream(value or {}, error, value is not None or reply.failure is None, None)


def _message(value: JsonObject, *, is_broken: bool) -> Message:
    wire = _wire_message(value)
    message: Message = {
        "role": text(wire.get("role")) or "assistant",
        "parts": read_content(wire.get("content")),
    }
    reason = FINISH.read(value.get("stopReason")) or ("error" if is_broken else None)
    return {**message, "finish_reason": reason} if reason else message
