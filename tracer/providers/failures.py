"""Replies that fail: what a provider sends, or does not send, when a call goes wrong.

One place for every wire format; each brings its own error bodies and the end of its streams.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracer.core.messages import Message
from tracer.providers.base import Api, FailureKind, Headers, HttpReply, HttpRequest
from tracer.providers.framing import SSE, Framing
from tracer.providers.jsontext import arguments_text, dumps, loads
from tracer.providers.wire import JSON_TYPE, is_answer, kept_headers

_NOTHING: Message = {"role": "assistant", "parts": []}


@dataclass(frozen=True, slots=True)
class FailureForms:
    """How one wire format fails.

    `errors`: failure kind -> status and JSON error body. `stream_ending`: the events, as
    `(name or None, data)`, that end a stream in order, which is framed as `framing`.
    `error_headers`: failure kind -> what the headers of an error add.
    """

    errors: Mapping[str, tuple[int, Any]]
    stream_ending: Sequence[tuple[str | None, str]]
    framing: Framing = SSE
    error_headers: Mapping[str, Headers] = field(default_factory=dict)

    def build(
        self, api: Api, request: HttpRequest, recorded: HttpReply | None, kind: FailureKind
    ) -> HttpReply:
        """See `Api.build_failure`."""
        if kind in self.errors:
            return error_reply(recorded, *self.errors[kind], self.error_headers.get(kind, ()))
        if kind in ("timeout", "connection_reset"):
            return HttpReply(0, (), b"", kind)
        said = _recorded_message(api, request, recorded)
        broken = with_cut_arguments(said) if kind == "invalid_json" else None
        if broken:
            return api.build_reply(request, recorded, broken)
        wants_stream = api.wants_stream(request)
        whole = recorded
        if not is_answer(whole) or self.framing.fits(whole) != wants_stream:
            whole = api.build_reply(request, recorded, said)
        if not wants_stream:
            return cut_json(whole, is_broken_off=kind == "cut_stream")
        offset = api.read_reply(request, whole).first_content_offset
        if kind == "cut_stream":
            return cut_stream(whole, offset, self.framing)
        return garbled_stream(whole, offset, self.stream_ending, self.framing)


def error_reply(
    recorded: HttpReply | None, status: int, body: Any, more: Headers = ()
) -> HttpReply:
    """An error the SDK raises at once: `x-should-retry: false` stops its own retries."""
    headers = [*kept_headers(recorded, JSON_TYPE), ("x-should-retry", "false"), *more]
    return HttpReply(status, headers, dumps(body).encode())


def cut_json(whole: HttpReply, *, is_broken_off: bool) -> HttpReply:
    """Half of a JSON body; `is_broken_off` = the connection breaks there, else that is all."""
    body = whole.body.strip()
    half = body[: len(body) // 2]
    headers = kept_headers(whole, JSON_TYPE)
    return HttpReply(whole.status, headers, half, "cut_stream" if is_broken_off else None)


def cut_stream(
    whole: HttpReply, first_content_offset: int | None, framing: Framing = SSE
) -> HttpReply:
    """A stream whose connection breaks after the event that carries the first content.

    A stream without content is cut after its first event.
    """
    end = first_content_offset or next((event.end for event in framing.parse(whole.body)), 0)
    headers = kept_headers(whole, framing.content_type)
    return HttpReply(whole.status, headers, whole.body[:end], "cut_stream")


def garbled_stream(
    whole: HttpReply,
    first_content_offset: int | None,
    ending: Sequence[tuple[str | None, str]],
    framing: Framing = SSE,
) -> HttpReply:
    """A stream that ends in order, but whose first content event is broken JSON."""
    events = framing.parse(whole.body)
    end = first_content_offset or next((event.end for event in events), 0)
    kept = [(event.event, event.data) for event in events if event.end <= end]
    name, data = kept.pop() if kept else (None, "{}")
    broken = (name, data[: max(1, len(data) // 2)])
    body = framing.emit([*kept, broken, *ending])
    return HttpReply(whole.status, kept_headers(whole, framing.content_type), body)


def with_cut_arguments(message: Message) -> Message | None:
    """The message with the arguments of its first tool call cut, None when it has none."""
    parts = list(message["parts"])
    for i, part in enumerate(parts):
        if part.get("type") == "tool_call":
            said = cut_arguments(arguments_text(part.get("arguments", "")))
            parts[i] = {**part, "arguments": said}
            return {**message, "parts": parts}
    return None


def cut_arguments(text: str) -> str:
    """Tool-call arguments that stop in the middle and are no JSON."""
    half = text[: len(text) // 2]
    try:
        loads(half, strict=True)
    except ValueError:
        return half or "{"
    return half + "{"


def _recorded_message(api: Api, request: HttpRequest, recorded: HttpReply | None) -> Message:
    messages = api.read_reply(request, recorded).messages if is_answer(recorded) else []
    return messages[0] if messages else _NOTHING
