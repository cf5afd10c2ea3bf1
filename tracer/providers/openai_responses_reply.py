"""Responses replies, JSON or stream, to what the model said."""

from tracer.core.messages import Message, Part
from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import HttpReply, ModelReply
from tracer.providers.errors import error_of_reply
from tracer.providers.jsontext import JsonObject, as_dict, as_list, load_object
from tracer.providers.openai_responses_items import item_parts
from tracer.providers.openai_responses_stream import aggregate, error_in
from tracer.providers.reading import Reading, model_reply, settled
from tracer.providers.wire import count, is_answer, is_failure, is_stream, text, without

_WHOLE = ("completed", "complete")
_UNDER_WAY = ("queued", "in_progress")
_INCOMPLETE = {"max_output_tokens": "length", "max_tokens": "length"}


def read_reply(reply: HttpReply) -> ModelReply:
    """What the model answered; see `Api.read_reply`."""
    found = aggregate(reply.body) if is_stream(reply) else _read_json(reply)
    stream = settled(found, reply)
    value = stream.value
    messages: list[Message] = []
    if "output" in value:
        parts = output_parts(value)
        if parts or stream.error is None:
            messages.append(_message(value, parts, is_broken=stream.is_broken))
    return model_reply(
        stream, messages, read_usage(value), text(value.get("model")), text(value.get("id"))
    )


def output_parts(value: JsonObject) -> list[Part]:
    """All parts of the output of a response object."""
    return [part for item in as_list(value.get("output")) for part in item_parts(item)]


def template_of(recorded: HttpReply | None) -> JsonObject:
    """The object a substitute starts from; empty where the recording holds no answer."""
    if not is_answer(recorded):
        return {}
    if is_stream(recorded):
        return aggregate(recorded.body).value
    value = load_object(recorded.body) or {}
    return value if isinstance(value.get("output"), list) else {}


def finish_of(value: JsonObject, parts: list[Part]) -> str | None:
    """OpenTelemetry's finish reason of a response object; None while it is under way."""
    status = text(value.get("status")) or "completed"
    if status in _WHOLE:
        has_calls = any(part.get("type") == "tool_call" for part in parts)
        return "tool_call" if has_calls else "stop"
    if status == "incomplete":
        reason = text(as_dict(value.get("incomplete_details")).get("reason"))
        return _INCOMPLETE.get(reason, reason) if reason else "length"
    if status in _UNDER_WAY:
        return None
    return "error" if status == "failed" else status


def with_finish(value: JsonObject, finish: str) -> JsonObject:
    """The response object with the status that stands for a finish reason."""
    if finish in ("stop", "tool_call"):
        return {**value, "status": "completed", "incomplete_details": None}
    words = {meaning: word for word, meaning in reversed(_INCOMPLETE.items())}
    details = {"reason": words.get(finish, finish)}
    return {**value, "status": "incomplete", "incomplete_details": details}


def read_usage(value: JsonObject) -> Usage | None:
    """Token counts of a response object; None when the provider gave none."""
    usage = as_dict(value.get("usage"))
    given = as_dict(usage.get("input_tokens_details"))
    found = Usage(
        input_tokens=count(usage.get("input_tokens"), usage.get("prompt_tokens")),
        output_tokens=count(usage.get("output_tokens"), usage.get("completion_tokens")),
        cached_input_tokens=count(given.get("cached_tokens")),
        reasoning_tokens=count(as_dict(usage.get("output_tokens_details")).get("reasoning_tokens")),
        cache_write_tokens=count(given.get("cache_write_tokens")),
    )
    return None if found == Usage() else found


def _read_json(reply: HttpReply) -> Reading:
    value = load_object(reply.body)
    if value is None:
        return Reading({}, error_of_reply(reply), reply.failure is None)
    error = error_in(value) or (error_of_reply(reply) if is_failure(reply.status) else None)
    has_output = isinstance(value.get("output"), list)
    if error is None and not has_output:
        error = ErrorInfo("invalid_reply", "the reply has no output")
    return Reading(value if has_output else without(value, "output"), error, complete=True)


def _message(value: JsonObject, parts: list[Part], *, is_broken: bool) -> Message:
    reason = finish_of(value, parts)
    reason = ("error" if is_broken else None) if reason is None else reason
    message: Message = {"role": "assistant", "parts": parts}
    return {**message, "finish_reason": reason} if reason else message
