"""Chat Completions replies, JSON or stream, to what the model said."""

from typing import Any

from tracer.core.messages import Message
from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import HttpReply, ModelReply
from tracer.providers.errors import error_of_reply
from tracer.providers.finish import FinishReasons
from tracer.providers.jsontext import JsonObject, as_dict, as_list, load_object
from tracer.providers.openai_chat_messages import message_parts
from tracer.providers.openai_chat_stream import ChatStream, aggregate
from tracer.providers.wire import count, is_answer, is_failure, is_stream, reasons_of, text

FINISH = FinishReasons(
    {
        "stop": "stop",
        "eos": "stop",
        "length": "length",
        "model_length": "length",
        "tool_calls": "tool_call",
        "function_call": "tool_call",
        "content_filter": "content_filter",
        "error": "error",
    }
)


def read_reply(reply: HttpReply) -> ModelReply:
    """What the model answered; see `Api.read_reply`."""
    stream = aggregate(reply.body) if is_stream(reply) else _json_as_stream(reply)
    error = stream.error
    if error is None and is_failure(reply.status):
        error = error_of_reply(reply)
    is_complete = stream.complete and reply.failure is None
    value = stream.value
    messages = [
        _message(as_dict(choice), is_broken=not is_complete or error is not None)
        for choice in as_list(value.get("choices"))
    ]
    return ModelReply(
        messages=messages,
        usage=read_usage(value),
        finish_reasons=reasons_of(messages),
        model=text(value.get("model")),
        response_id=text(value.get("id")),
        error=error,
        complete=is_complete,
        first_content_offset=stream.first_content_offset,
    )


def template_of(recorded: HttpReply | None) -> tuple[JsonObject, ChatStream | None]:
    """The object a substitute starts from, and the stream it was read from if it was one.

    The object is empty where the recording holds no answer: an error, or nothing readable.
    """
    if not is_answer(recorded):
        return {}, None
    if is_stream(recorded):
        stream = aggregate(recorded.body)
        return stream.value, stream
    value = load_object(recorded.body) or {}
    return (value if as_list(value.get("choices")) else {}), None


def wire_usage(value: JsonObject) -> JsonObject:
    """The usage object of a reply object, {} without one; Groq's streams have it elsewhere."""
    return as_dict(value.get("usage")) or as_dict(as_dict(value.get("x_groq")).get("usage"))


def read_usage(value: JsonObject) -> Usage | None:
    """Token counts of a reply object; None when the provider gave none."""
    usage = wire_usage(value)
    prompt, completion = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    given, produced = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    reasoning = count(as_dict(completion).get("reasoning_tokens"))
    if reasoning and given is not None and produced is not None:
        # xAI counts reasoning beside the completion; its total gives that away.
        is_beside = usage.get("total_tokens") == given + produced + reasoning
        produced += reasoning if is_beside else 0
    found = Usage(
        input_tokens=given,
        output_tokens=produced,
        cached_input_tokens=count(
            as_dict(prompt).get("cached_tokens"),
            usage.get("cached_tokens"),
            usage.get("num_cached_tokens"),
            usage.get("prompt_cache_hit_tokens"),
            usage.get("cache_read_input_tokens"),
        ),
        reasoning_tokens=reasoning,
        cache_write_tokens=count(
            as_dict(prompt).get("cache_write_tokens"), usage.get("cache_creation_input_tokens")
        ),
    )
    return None if found == Usage() else found


def _json_as_stream(reply: HttpReply) -> ChatStream:
    value = load_object(reply.body)
    error = error_of_reply(reply)
    if error is None and not isinstance((value or {}).get("choices"), list):
        error = ErrorInfo("invalid_reply", "the reply has no choices")
    return ChatStream(value or {}, error, value is not None or reply.failure is None, None)


def _message(choice: dict[str, Any], *, is_broken: bool) -> Message:
    wire = as_dict(choice.get("message"))
    message: Message = {
        "role": text(wire.get("role")) or "assistant",
        "parts": message_parts(wire),
    }
    reason = FINISH.read(choice.get("finish_reason")) or ("error" if is_broken else None)
    return {**message, "finish_reason": reason} if reason else message
