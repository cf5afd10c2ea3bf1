"""Plain text generation: a prompt goes in, text comes out, in the many spellings of vendors.

Spoken inside Amazon Bedrock's invoke (Titan, Llama, Mistral, Cohere, Claude 2) and by endpoints
that complete text.
"""

from typing import Any

from tracer.core.messages import Message
from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import (
    FailureKind,
    HttpReply,
    HttpRequest,
    ModelReply,
    ModelRequest,
    Stateless,
)
from tracer.providers.errors import error_of_reply
from tracer.providers.failures import FailureForms
from tracer.providers.jsontext import JsonObject, as_dict, as_list, dumps, load_object
from tracer.providers.sse import emit
from tracer.providers.text_generation_shapes import (
    aggregate,
    chunks,
    shape_for,
    shape_of,
    whole,
)
from tracer.providers.wire import (
    JSON_TYPE,
    STREAM_TYPE,
    content_of,
    count,
    is_answer,
    is_failure,
    is_stream,
    kept_headers,
    parts_of,
    reasons_of,
    text,
    unknown_part,
    without,
)

_ASKED = ("prompt", "inputText", "message")
_READ_APART = (*_ASKED, "model", "stream", "preamble", "chat_history")
_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}
_FAILURES = FailureForms({}, stream_ending=())


class TextGeneration(Stateless):
    """The format as an `Api`. It can't say more than text and stands in no registry."""

    name = "text.generation"
    family = "unknown"
    array_key = "messages"

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """Never: no path belongs to this format alone."""
        return False

    def read_request(self, request: HttpRequest) -> ModelRequest:
        """See `Api.read_request`. Roles inside a prompt's text stay part of it."""
        body = load_object(request.body) or {}
        messages = [_turn(turn) for turn in as_list(body.get("chat_history"))]
        if text(body.get("preamble")):
            messages.insert(0, _said("system", body["preamble"]))
        messages.extend(_said("user", body[key]) for key in _ASKED if key in body)
        rest = without(body, *_READ_APART)
        return ModelRequest(text(body.get("model")), self.wants_stream(request), messages, [], rest)

    def read_reply(self, request: HttpRequest, reply: HttpReply) -> ModelReply:
        """See `Api.read_reply`. A reply of no known shape is one part, kept whole."""
        value, error, is_complete, offset = _meaning(reply)
        is_complete = is_complete and reply.failure is None
        is_broken = error is not None or not is_complete
        messages = [] if error and not value else _messages(value, is_broken=is_broken)
        return ModelReply(
            messages=messages,
            usage=_usage(value),
            finish_reasons=reasons_of(messages),
            model=text(value.get("model")),
            response_id=text(value.get("id"), value.get("response_id")),
            error=error,
            complete=is_complete,
            first_content_offset=offset,
        )

    def wants_stream(self, request: HttpRequest) -> bool:
        """See `Api.wants_stream`."""
        return (load_object(request.body) or {}).get("stream") is True

    def build_reply(
        self, request: HttpRequest, recorded: HttpReply | None, said: Message
    ) -> HttpReply:
        """See `Api.build_reply`. What is no text is left out."""
        template = _meaning(recorded)[0] if is_answer(recorded) else {}
        asked = load_object(request.body) or {}
        value = _edited(template, said, asked)
        if self.wants_stream(request):
            body = emit((None, dumps(chunk)) for chunk in chunks(value))
            return HttpReply(200, kept_headers(recorded, STREAM_TYPE), body)
        return HttpReply(
            200, kept_headers(recorded, JSON_TYPE), dumps(whole(value, asked)).encode()
        )

    def build_failure(
        self, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply:
        """See `Api.build_failure`."""
        return _FAILURES.build(self, request, recorded, kind)


def _meaning(reply: HttpReply) -> tuple[JsonObject, ErrorInfo | None, bool, int | None]:
    """The reply as JSON has it, its error, whether it is whole, where its content begins."""
    if is_stream(reply):
        return aggregate(reply.body)
    value = load_object(reply.body)
    error = error_of_reply(reply)
    if error is None and value is None:
        error = ErrorInfo("invalid_reply", "the reply is no JSON object")
    if error is None and is_failure(reply.status):
        error = ErrorInfo(f"http_{reply.status}", "the request failed")
    return value or {}, error, value is not None or reply.failure is None, None


def _messages(value: JsonObject, *, is_broken: bool) -> list[Message]:
    shape = shape_of(value)
    if shape is None:
        parts = [unknown_part(value)] if value else []
        return [{"role": "assistant", "parts": parts, "finish_reason": "unknown"}]
    messages: list[Message] = []
    for holder in shape.holders(value):
        message = _said("assistant", holder[shape.text])
        reason = shape.reasons.read(holder.get(shape.reason)) or ("error" if is_broken else None)
        messages.append({**message, "finish_reason": reason} if reason else message)
    return messages


def _edited(template: JsonObject, said: Message, asked: JsonObject) -> JsonObject:
    shape = shape_of(template)
    parts = parts_of(said)
    if shape is None:
        shape = shape_for(asked)
        template = shape.made()
        if parts and parts[0].get("type") == "unknown" and len(parts) == 1:
            kept = as_dict(parts[0].get("value"))
            return kept or template
    [holder, *others] = shape.holders(template)
    written = "\n".join(content_of(part) for part in parts if part.get("type") == "text")
    is_unchanged = written == holder[shape.text]
    reason = shape.reasons.write(said, holder.get(shape.reason), is_unchanged=is_unchanged)
    edited = {**holder, shape.text: written, shape.reason: reason}
    return shape.with_holders(template, [edited, *others])


def _said(role: str, content: Any) -> Message:
    if isinstance(content, str):
        return {"role": role, "parts": [{"type": "text", "content": content}] if content else []}
    return {"role": role, "parts": [unknown_part(content)]}


def _turn(turn: Any) -> Message:
    entry = as_dict(turn)
    role = str(entry.get("role"))
    return _said(_ROLES.get(role, role), entry.get("message", turn))


def _usage(value: JsonObject) -> Usage | None:
    usage = as_dict(value.get("usage"))
    results = [as_dict(item).get("tokenCount") for item in as_list(value.get("results"))]
    counted = [item for item in (count(result) for result in results) if item is not None]
    found = Usage(
        input_tokens=count(
            value.get("prompt_token_count"), value.get("inputTextTokenCount"),
            usage.get("prompt_tokens"), usage.get("input_tokens"),
        ),
        output_tokens=count(
            value.get("generation_token_count"), value.get("totalOutputTextTokenCount"),
            sum(counted) if counted else None,
            usage.get("completion_tokens"), usage.get("output_tokens"),
        ),
    )  # fmt: skip
    return None if found == Usage() else found
