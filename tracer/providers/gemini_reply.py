"""Gemini replies, JSON or stream, to what the model said."""

from typing import Any

from tracer.core.messages import Message
from tracer.core.records import Usage
from tracer.providers.base import HttpReply, ModelReply
from tracer.providers.finish import FinishReasons
from tracer.providers.gemini_names import get, many
from tracer.providers.gemini_parts import read_parts
from tracer.providers.gemini_stream import aggregate, is_streamed
from tracer.providers.jsontext import JsonObject, as_dict, load_object
from tracer.providers.reading import model_reply, read_json, settled
from tracer.providers.wire import count, is_answer, text

FINISH = FinishReasons(
    {
        "STOP": "stop",
        "MAX_TOKENS": "length",
        "SAFETY": "content_filter",
        "RECITATION": "content_filter",
        "BLOCKLIST": "content_filter",
        "PROHIBITED_CONTENT": "content_filter",
        "SPII": "content_filter",
        "MODEL_ARMOR": "content_filter",
        "JAILBREAK": "content_filter",
        "IMAGE_SAFETY": "content_filter",
        "IMAGE_PROHIBITED_CONTENT": "content_filter",
        "IMAGE_RECITATION": "content_filter",
        "OTHER": "error",
    },
    calls_just_stop=True,
)
# Servers asked for numbers in place of words send these; the numbers after them differ by version.
NUMBERS = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER"}


def read_reply(reply: HttpReply) -> ModelReply:
    """What the model answered; see `Api.read_reply`."""
    found = aggregate(reply) if is_streamed(reply) else read_json(reply, _is_known, "candidates")
    stream = settled(found, reply)
    value = stream.value
    messages = [
        _message(as_dict(candidate), is_broken=stream.is_broken)
        for candidate in many(value.get("candidates"))
    ]
    return model_reply(
        stream,
        messages or _blocked(value),
        read_usage(get(value, "usageMetadata")),
        text(get(value, "modelVersion")),
        text(get(value, "responseId")),
    )


def template_of(recorded: HttpReply | None) -> JsonObject:
    """The reply object a substitute starts from, {} where the recording holds no answer."""
    if not is_answer(recorded):
        return {}
    value = aggregate(recorded).value if is_streamed(recorded) else load_object(recorded.body)
    return value if value and _is_reply(value) else {}


def finish_word(value: Any) -> str | None:
    """A finish reason as the word it stands for."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return NUMBERS.get(value, str(value)) if is_number else text(value)


def read_usage(wire: Any) -> Usage | None:
    """Token counts: thoughts are counted beside the answer, tool results beside the prompt."""
    usage = as_dict(wire)
    given, tools = count(get(usage, "promptTokenCount")), get(usage, "toolUsePromptTokenCount")
    said, thoughts = count(get(usage, "candidatesTokenCount")), get(usage, "thoughtsTokenCount")
    found = Usage(
        input_tokens=_sum(given, count(tools)),
        output_tokens=_sum(said, count(thoughts)),
        cached_input_tokens=count(get(usage, "cachedContentTokenCount")),
        reasoning_tokens=count(thoughts),
    )
    return None if found == Usage() else found


def _sum(*counts: int | None) -> int | None:
    known = [number for number in counts if number is not None]
    return count(sum(known)) if known else None


def _is_reply(value: JsonObject) -> bool:
    has_candidates = isinstance(value.get("candidates"), list | dict)
    return has_candidates or isinstance(get(value, "promptFeedback"), dict)


def _is_known(value: JsonObject) -> bool:
    # An answer that is all filtered away leaves its usage alone.
    return _is_reply(value) or get(value, "usageMetadata") is not None


def _blocked(value: JsonObject) -> list[Message]:
    """The empty answer that stands for a question the provider refused to put to the model."""
    feedback = as_dict(get(value, "promptFeedback"))
    if get(feedback, "blockReason") is None:
        return []
    said = text(get(feedback, "blockReasonMessage")) or finish_word(get(feedback, "blockReason"))
    blocked: Message = {"role": "assistant", "parts": [], "finish_reason": "content_filter"}
    return [{**blocked, "finish_message": f"the prompt was blocked: {said}"}]


def _message(candidate: JsonObject, *, is_broken: bool) -> Message:
    content = as_dict(candidate.get("content"))
    parts = read_parts(content.get("parts"))
    said = text(content.get("role"))
    role = "assistant" if said in (None, "model") else said
    message: Message = {"role": role, "parts": parts}
    word = finish_word(get(candidate, "finishReason"))
    reason = FINISH.read(word, parts) or ("error" if is_broken else None)
    if reason:
        message["finish_reason"] = reason
    why = text(get(candidate, "finishMessage"))
    return {**message, "finish_message": why} if why and word != "STOP" else message
