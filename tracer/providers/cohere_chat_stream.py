"""Cohere chat streams to the object that a request without `stream` would have got.

Events are told apart by the `type` in their data.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tracer.core.records import ErrorInfo
from tracer.providers.errors import error_of, invalid_json
from tracer.providers.jsontext import JsonObject, as_dict, as_list, dumps, load_object
from tracer.providers.reading import Reading
from tracer.providers.sse import emit, parse
from tracer.providers.wire import pieces, text, without

DONE = "[DONE]"
_APART = ("content", "tool_plan", "tool_calls", "citations")
_SAID = ("text", "thinking")


@dataclass(frozen=True, slots=True)
class CohereStream(Reading):
    """A stream's meaning. `done`: `[DONE]` follows its last event, as not all hosts send it."""

    done: bool = False


def aggregate(body: bytes) -> CohereStream:
    """Reads a complete or cut stream; never raises."""
    reader = _Reader()
    for event in parse(body):
        if event.data.startswith(DONE):
            reader.done = True
            break
        value = load_object(event.data)
        if value is not None:
            reader.event(value, event.end)
        elif event.whole:
            reader.error = reader.error or invalid_json(event.data)
    return reader.result()


class _Reader:
    def __init__(self) -> None:
        self.error: ErrorInfo | None = None
        self.done = False
        self._is_over = False
        self._offset: int | None = None
        self._value: JsonObject = {}
        self._message: JsonObject = {}
        self._plan: list[str] = []
        self._content: dict[int, _Piecewise] = {}
        self._calls: dict[int, _Piecewise] = {}
        self._citations: list[Any] = []

    def event(self, event: JsonObject, end: int) -> None:
        kind, delta = event.get("type"), as_dict(event.get("delta"))
        message = as_dict(delta.get("message"))
        if kind == "message-start":
            self._value.update(without(event, "type", "delta"))
            self._message.update(without(message, *_APART))
        elif kind == "message-end":
            self._value.update(without(event, "type", "delta", "index"))
            self._value.update(without(delta, "message", "error"))
            self._is_over = True
            if text(delta.get("error")):
                self.error = self.error or ErrorInfo("error", delta["error"])
        elif event.get("error") or kind is None:
            self.error = self.error or error_of(200, event)
        if self._take(event.get("index"), message) and self._offset is None:
            self._offset = end

    def _take(self, index: Any, message: JsonObject) -> bool:
        """Takes what a delta says of the message in; True when it carries content."""
        key = index if isinstance(index, int) else 0
        plan, content = message.get("tool_plan"), message.get("content")
        call, citation = message.get("tool_calls"), message.get("citations")
        if isinstance(plan, str):
            self._plan.append(plan)
        if isinstance(content, dict):
            self._content.setdefault(key, _Piecewise()).take(content, _SAID)
        if isinstance(call, dict):
            held = self._calls.setdefault(key, _Piecewise())
            held.take(as_dict(call.get("function")), ("arguments",))
            held.outer.update(without(call, "function"))
        if isinstance(citation, dict):
            self._citations.append(citation)
        has_content = isinstance(content, dict) and any(content.get(field) for field in _SAID)
        return bool(plan) or has_content or isinstance(call, dict)

    def result(self) -> CohereStream:
        value = self._value
        if value or self._content or self._calls:
            message = {"role": "assistant", **self._message}
            if any(self._plan):
                message["tool_plan"] = "".join(self._plan)
            if self._content:
                message["content"] = [self._content[k].value() for k in sorted(self._content)]
            if self._calls:
                message["tool_calls"] = [
                    {**held.outer, "function": held.value()}
                    for held in (self._calls[key] for key in sorted(self._calls))
                ]
            if self._citations:
                message["citations"] = self._citations
            value = {**value, "message": message}
        is_complete = self._is_over or self.done or self.error is not None
        return CohereStream(value, self.error, is_complete, self._offset, self.done)


class _Piecewise:
    """An object some texts of which come in pieces."""

    def __init__(self) -> None:
        self.outer: JsonObject = {}
        self._fields: JsonObject = {}
        self._texts: defaultdict[str, list[str]] = defaultdict(list)

    def take(self, piece: JsonObject, growing: tuple[str, ...]) -> None:
        for key, value in piece.items():
            if key in growing and isinstance(value, str):
                self._texts[key].append(value)
            else:
                self._fields[key] = value

    def value(self) -> JsonObject:
        texts = {key: "".join(told) for key, told in self._texts.items()}
        guess = {} if "type" in self._fields or "arguments" in texts or len(texts) != 1 else texts
        kind = {"type": next(iter(guess))} if guess else {}
        return {**kind, **self._fields, **texts}


def emit_stream(value: JsonObject, *, done: bool) -> bytes:
    """The stream that says what the JSON reply `value` says; `done`: ended by `[DONE]`."""
    events = [(str(event["type"]), dumps(event)) for event in _events(value)]
    return emit([*events, (None, DONE)] if done else events)


def _events(value: JsonObject) -> Iterator[JsonObject]:
    message = as_dict(value.get("message"))
    empty = {"content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    opening = {**without(message, *_APART), **empty}
    rest = without(value, "id", "message", "finish_reason", "usage")
    yield {"id": value.get("id"), "type": "message-start", "delta": {"message": opening}}
    for piece in pieces(text(message.get("tool_plan")) or ""):
        yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}
    content = message.get("content")
    items = [{"type": "text", "text": content}] if isinstance(content, str) else as_list(content)
    for index, item in enumerate(items):
        yield from _item(index, as_dict(item))
    for index, citation in enumerate(as_list(message.get("citations"))):
        delta = {"message": {"citations": citation}}
        yield {"type": "citation-start", "index": index, "delta": delta}
        yield {"type": "citation-end", "index": index}
    for index, call in enumerate(as_list(message.get("tool_calls"))):
        yield from _call(index, as_dict(call))
    ending = {key: value[key] for key in ("finish_reason", "usage") if key in value}
    yield {**rest, "type": "message-end", "delta": ending}


def _item(index: int, item: JsonObject) -> Iterator[JsonObject]:
    said = {name: item[name] for name in _SAID if isinstance(item.get(name), str)}
    yield _content("content-start", index, {**item, **dict.fromkeys(said, "")})
    for name, written in said.items():
        for piece in pieces(written):
            yield _content("content-delta", index, {name: piece})
    yield {"type": "content-end", "index": index}


def _content(kind: str, index: int, content: JsonObject) -> JsonObject:
    return {"type": kind, "index": index, "delta": {"message": {"content": content}}}


def _call(index: int, call: JsonObject) -> Iterator[JsonObject]:
    function = as_dict(call.get("function"))
    said = function.get("arguments")
    opening = {**call, "function": {**function, "arguments": ""}}
    yield _tool("tool-call-start", index, opening)
    for piece in pieces(said if isinstance(said, str) else ""):
        yield _tool("tool-call-delta", index, {"function": {"arguments": piece}})
    yield {"type": "tool-call-end", "index": index}


def _tool(kind: str, index: int, call: JsonObject) -> JsonObject:
    return {"type": kind, "index": index, "delta": {"message": {"tool_calls": call}}}
