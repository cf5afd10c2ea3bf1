"""Ollama replies, one object or one a line, to what the model said."""

from collections import defaultdict
from typing import Any

from tracer.core.messages import Message
from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import HttpReply, ModelReply
from tracer.providers.errors import error_of, invalid_json
from tracer.providers.finish import FinishReasons
from tracer.providers.framing import LINES
from tracer.providers.jsontext import JsonObject, as_list, load_object
from tracer.providers.ollama_messages import read_parts
from tracer.providers.ollama_shape import SAID, Shape, words
from tracer.providers.reading import Reading, model_reply, read_json, settled
from tracer.providers.wire import count, is_answer, text, without

FINISH = FinishReasons({"stop": "stop", "length": "length"}, calls_just_stop=True)


def read_reply(reply: HttpReply, shape: Shape) -> ModelReply:
    """What the model answered; see `Api.read_reply`."""
    if LINES.fits(reply):
        found = aggregate(reply.body, shape)
    else:
        found = read_json(reply, shape.holds, shape.holder or shape.text)
    stream = settled(found, reply)
    value = stream.value
    messages = [_message(value, shape, is_broken=stream.is_broken)] if shape.holds(value) else []
    return model_reply(
        stream,
        messages,
        read_usage(value),
        text(value.get("model")),
        None,
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


def aggregate(body: bytes, shape: Shape) -> Reading:
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

    def result(self) -> Reading:
        value = self._value
        if self._said is not None:
            texts = {key: "".join(said) for key, said in self._texts.items()}
            texts = {key: said for key, said in texts.items() if said or key != "thinking"}
            lists = {key: items for key, items in self._lists.items() if items}
            value = self._shape.put(value, {**self._said, **texts, **lists})
        is_complete = value.get("done") is True or self.error is not None
        return Reading(value, self.error, is_complete, self._first_content_offset)


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
