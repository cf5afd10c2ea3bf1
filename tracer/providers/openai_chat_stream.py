"""Chat Completions streams to the object that a request without `stream` would have got.

Tolerates what compatible providers do: no `[DONE]`, ids that change, chunks without choices or
delta, tool calls without index or several under one, content that turns from text to a list.
"""

from collections import defaultdict
from dataclasses import dataclass

from tracer.core.records import ErrorInfo
from tracer.providers.errors import error_of, invalid_json
from tracer.providers.jsontext import JsonObject, as_dict, as_list, load_object
from tracer.providers.openai_chat_deltas import Call, Calls, Content, Items, index_of, lay_over
from tracer.providers.reading import Reading
from tracer.providers.sse import parse

DONE = "[DONE]"

_TEXTS = ("reasoning_content", "reasoning", "refusal")
_READ_APART = (*_TEXTS, "content", "tool_calls", "function_call", "audio", "role")
# Of one chunk only: padding, and repetitions of what the delta says.
_CHUNK_ONLY = ("obfuscation", "p", "choices", "error", "text", "token_id", "logprobs", "delta")
_FIRST_WINS = ("id", "model", "created", "system_fingerprint")
_CONTENT = (*_TEXTS, "content", "tool_calls", "function_call", "audio", "executed_tools")


@dataclass(frozen=True, slots=True)
class ChatStream(Reading):
    """A stream's meaning.

    `usage_beside_choices` is True where the usage came with a choice instead of a chunk of its
    own; `whole_calls` where each tool call came in one piece, False in fragments, None unknown.
    """

    usage_beside_choices: bool = False
    whole_calls: bool | None = None


def aggregate(body: bytes) -> ChatStream:
    """Reads a complete or cut stream; never raises."""
    reader = _Reader()
    for event in parse(body):
        if event.data.startswith(DONE):
            reader.done = True
            break
        chunk = load_object(event.data)
        if chunk is not None:
            reader.chunk(chunk, event.end)
        elif event.whole:
            reader.error = reader.error or invalid_json(event.data)
    return reader.result()


class _Reader:
    def __init__(self) -> None:
        self.done = False
        self.error: ErrorInfo | None = None
        self._first_content_offset: int | None = None
        self._value: JsonObject = {}
        self._choices: dict[int, _Choice] = {}
        self._usage_beside_choices = False

    def chunk(self, chunk: JsonObject, end: int) -> None:
        self.error = self.error or error_of(200, chunk)
        choices = [as_dict(choice) for choice in as_list(chunk.get("choices"))]
        if isinstance(chunk.get("usage"), dict):
            self._usage_beside_choices = bool(choices)
        fixed = [key for key in _FIRST_WINS if self._value.get(key)]
        skipped = {*_CHUNK_ONLY, *fixed}
        lay_over(self._value, {k: v for k, v in chunk.items() if k not in skipped})
        for choice in choices:
            key = index_of(choice.get("index")) or 0
            if key not in self._choices:
                self._choices[key] = _Choice(key)
            has_content = self._choices[key].take(choice)
            if has_content and self._first_content_offset is None:
                self._first_content_offset = end

    def result(self) -> ChatStream:
        choices = [self._choices[key] for key in sorted(self._choices)]
        calls = [call for choice in choices for call in choice.calls.all]
        is_finished = bool(choices) and all(choice.is_finished for choice in choices)
        if self._value or choices:
            self._value["object"] = "chat.completion"
            self._value["choices"] = [choice.value() for choice in choices]
        return ChatStream(
            value=self._value,
            error=self.error,
            complete=self.done or is_finished or self.error is not None,
            first_content_offset=self._first_content_offset,
            usage_beside_choices=self._usage_beside_choices,
            whole_calls=all(call.deltas == 1 for call in calls) if calls else None,
        )


class _Choice:
    """One choice under way."""

    def __init__(self, index: int) -> None:
        self.calls = Calls()
        self._index = index
        self._fields: JsonObject = {}
        self._rest: JsonObject = {}
        self._content = Content()
        self._texts: defaultdict[str, list[str]] = defaultdict(list)
        self._lists: defaultdict[str, Items] = defaultdict(Items)
        self._function_call: Call | None = None

    @property
    def is_finished(self) -> bool:
        return bool(self._fields.get("finish_reason"))

    def take(self, choice: JsonObject) -> bool:
        """Takes one delta in; True when it carries content."""
        lay_over(self._fields, {k: v for k, v in choice.items() if k not in _CHUNK_ONLY})
        delta = as_dict(choice.get("delta"))
        self._content.take(delta.get("content"))
        for field in _TEXTS:
            if isinstance(delta.get(field), str):
                self._texts[field].append(delta[field])
        for call in as_list(delta.get("tool_calls")):
            self.calls.take(as_dict(call))
        if isinstance(delta.get("function_call"), dict):
            self._function_call = self._function_call or Call()
            self._function_call.take({"function": delta["function_call"]})
        if isinstance(delta.get("audio"), dict):
            self._lists["audio"].extend([{**delta["audio"], "index": 0}])
        for key, value in delta.items():
            if key in _READ_APART or key in _CHUNK_ONLY:
                continue
            if isinstance(value, list):
                self._lists[key].extend(value)
            else:
                lay_over(self._rest, {key: value})
        return any(delta.get(field) for field in _CONTENT)

    def value(self) -> JsonObject:
        texts = {field: "".join(said) for field, said in self._texts.items()}
        lists = {field: items.value() for field, items in self._lists.items()}
        message: JsonObject = {"role": "assistant", "content": self._content.value()}
        message.update({**texts, **self._rest, **lists})
        if "audio" in lists:
            message["audio"] = {k: v for k, v in lists["audio"][0].items() if k != "index"}
        if self.calls.all:
            message["tool_calls"] = [call.value() for call in self.calls.all]
        if self._function_call:
            message["function_call"] = self._function_call.value()["function"]
        return {**self._fields, "index": self._index, "message": message}
