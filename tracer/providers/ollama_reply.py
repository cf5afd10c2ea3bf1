"""Ollama replies, one object or one a line, to what the model said."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from tracer.core.messages import Message
from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import HttpReply, ModelReply
from tracer.providers.errors import error_of, error_of_reply, invalid_json
from tracer.providers.finish import FinishReasons
from tracer.providers.framing import LINES
from tracer.providers.jsontext import JsonObject, as_list, load_object
from tracer.providers.ollama_messages import read_parts
from tracer.providers.ollama_shape import SAID, Shape, words
from tracer.providers.wire import count, is_answer, is_failure, reasons_of, text, without

FINISH = FinishReasons({"stop": "stop", "length": "length"}, calls_just_stop=True)


@dataclass(frozen=True, slots=True)
class LineStream:
    """A stream's meaning. `value` has the shape of a JSON reply, `{}` when nothing was read."""

    value: JsonObject
    error: ErrorInfo | None
    complete: bool
    first_content_offset: int | None


def read_reply(reply: HttpReply, shape: Shape) -> ModelReply:
    """What the model answered; see `Api.read_reply`."""
    stream = aggregate(reply.body, shape) if LINES.fits(reply) else _whole(reply, shape)
    error = stream.error
    if error is None and is_failure(reply.status):
        error = error_of_reply(reply)
    is_complete = stream.complete and reply.failure is None
    value = stream.value
    is_broken = not is_complete or error is not None
    messages = [_message(value, shape, is_broken=is_broken)] if shape.holds(value) else []
    return ModelReply(
        messages=messages,
        usage=read_usage(value),
        finish_reasons=reasons_of(messages),
        model=text(value.get("model")),
        response_id=None,
        error=error,
        complete=is_complete,
        first_content_offset=stream.first_content_offset,
    )


def template_of(recorded: HttpReply | None, shape: Shape) -> JsonObject:
    """The reply object a substitute starts from, {} where the recording holds no answer."""
    if not is_answer(recorded):
        return {}
    if LINES.fits(recorded):
        value = aggregate(recorded.body, shape).value
    else:
        value = load_object(recorded.body) or {}
    return value if shape.holds(value) else {}


def read_usage(value: JsonObject) -> Usage | None:
    """Token counts. A prompt found whole in the cache is not counted by older servers."""
    found = Usage(
        input_tokens=count(value.get("prompt_eval_count")),
        output_tokens=count(value.get("eval_count")),
    )
    return None if found == Usage() else found


def aggregate(body: bytes, shape: Shape) -> LineStream:
    """Reads a complete or cut stream; never raises."""
    reader = _Reader(shape)
    for event in LINES.parse(body):
        line = load_object(event.data)
        if line is not None:
            reader.line(line, event.end)
        elif event.whole:
            reader.error = reader.error or invalid_json(event.data)
    return reader.result()


class _Reader:
    def __init__(self, shape: Shape) -> None:
        self.error: ErrorInfo | None = None
        self._shape = shape
        self._value: JsonObject = {}
        self._said: JsonObject | None = None
        self._texts: defaultdict[str, list[str]] = defaultdict(list)
        self._lists: defaultdict[str, list[Any]] = defaultdict(list)
        self._first_content_offset: int | None = None

    def line(self, line: JsonObject, end: int) -> None:
        found = error_of(200, line)
        if found is not None:
            self.error = self.error or ErrorInfo("stream_error", found.message)
        shape = self._shape
        self._value.update(without(shape.rest_of(line), "error"))
        if not shape.holds(line):
            return
        held = shape.holder_of(line)
        self._said = self._said or {}
        if shape.holder is not None:
            self._said.update(without(held, shape.text, *SAID))
        for key in (shape.text, "thinking"):
            if isinstance(held.get(key), str):
                self._texts[key].append(held[key])
        for key in ("tool_calls", "images"):
            self._lists[key].extend(as_list(held.get(key)))
        if text(held.get("image")):
            self._said["image"] = held["image"]
        has_content = any(held.get(key) for key in (shape.text, *SAID))
        if has_content and self._first_content_offset is None:
            self._first_content_offset = end

    def result(self) -> LineStream:
        value = self._value
        if self._said is not None:
            texts = {key: "".join(said) for key, said in self._texts.items()}
            texts = {key: said for key, said in texts.items() if said or key != "thinking"}
            lists = {key: items for key, items in self._lists.items() if items}
            value = self._shape.put(value, {**self._said, **texts, **lists})
        is_complete = value.get("done") is True or self.error is not None
        return LineStream(value, self.error, is_complete, self._first_content_offset)


def _whole(reply: HttpReply, shape: Shape) -> LineStream:
    value = load_object(reply.body)
    error = error_of_reply(reply)
    if error is None and not shape.holds(value or {}):
        error = ErrorInfo("invalid_reply", f"the reply has no {shape.holder or shape.text}")
    is_complete = value is not None or reply.failure is None
    return LineStream(value or {}, error, is_complete, None)


def _message(value: JsonObject, shape: Shape, *, is_broken: bool) -> Message:
    held = shape.holder_of(value)
    parts = read_parts(held, held.get(shape.text))
    role = text(held.get("role")) if shape.holder else None
    message: Message = {"role": role or "assistant", "parts": parts}
    reason = FINISH.read(value.get("done_reason"), parts) or ("error" if is_broken else None)
    return {**message, "finish_reason": reason} if reason else message


def said_of(value: JsonObject, shape: Shape) -> list[Any]:
    """The parts a reply object says."""
    held = shape.holder_of(value)
    return read_parts(held, words(held.get(shape.text)))
