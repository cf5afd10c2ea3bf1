"""Chat Completions replies, JSON or stream, to what the model said."""

from typing import Any

from tracer.core.messages import Message
from tracer.core.records import Usage
from tracer.providers.base import HttpReply, ModelReply
from tracer.providers.finish import FinishReasons
from tracer.providers.jsontext import JsonObject, as_dict, as_list, load_object
from tracer.providers.openai_chat_messages import message_parts
from tracer.providers.openai_chat_stream import ChatStream, aggregate
from tracer.providers.reading import model_reply, read_json, settled
from tracer.providers.wire import count, is_answer, is_stream, text

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
    found = aggregate(reply.body) if is_stream(reply) else read_json(reply, _is_answer, "choices")
    stream = settled(found, reply)
    value = stream.value
    messages = [
        _message(as_dict(choice), is_broken=stream.is_broken)
        for choice in as_list(value.get("choices"))
    ]
    return model_reply(
        stream,
        messages,
        read_usage(value),
        text(value.get("model")),
        text(value.get("id")),
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


def _is_answer(value: JsonObject) -> bool:
    return isinstance(value.get("choices"), list)


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


def _message(choice: dict[str, Any], *, is_broken: bool) -> Message:
    wire = as_dict(choice.get("message"))
    message: Message = {
        "role": text(wire.get("role")) or "assistant",
        "parts": message_parts(wire),
    }
    reason = FINISH.read(choice.get("finish_reason")) or ("error" if is_broken else None)
    return {**message, "finish_reason": reason} if reason else message
