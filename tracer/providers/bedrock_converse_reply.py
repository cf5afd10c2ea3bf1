"""Converse replies, JSON or stream, to what the model said."""

from typing import Any

from tracer.core.messages import Message
from tracer.core.records import Usage
from tracer.providers.base import HttpReply, ModelReply
from tracer.providers.bedrock_converse_blocks import read_content
from tracer.providers.bedrock_converse_stream import aggregate
from tracer.providers.bedrock_errors import is_stream, reply_error
from tracer.providers.finish import FinishReasons
from tracer.providers.jsontext import JsonObject, as_dict, load_object
from tracer.providers.reading import model_reply, read_json, settled
from tracer.providers.wire import count, header, is_answer, text

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
    if is_stream(reply):
        found = aggregate(reply.body)
    else:
        found = read_json(reply, lambda body: bool(_wire_message(body)), "message", reply_error)
    stream = settled(found, reply, reply_error)
    value = stream.value
    messages = [_message(value, is_broken=stream.is_broken)] if _wire_message(value) else []
    router = as_dict(as_dict(value.get("trace")).get("promptRouter"))
    return model_reply(
        stream,
        messages,
        read_usage(value.get("usage")),
        text(router.get("invokedModelId")),
        text(header(reply.headers, "x-amzn-requestid")),
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


def _message(value: JsonObject, *, is_broken: bool) -> Message:
    wire = _wire_message(value)
    message: Message = {
        "role": text(wire.get("role")) or "assistant",
        "parts": read_content(wire.get("content")),
    }
    reason = FINISH.read(value.get("stopReason")) or ("error" if is_broken else None)
    return {**message, "finish_reason": reason} if reason else message
