"""Anthropic Messages streams to the message that a request without `stream` would have got.

Events are told apart by the `type` in their data: some servers and recordings lack the names.
"""

from collections import defaultdict
from typing import Any

from tracer.core.records import ErrorInfo
from tracer.providers.anthropic_messages_blocks import TOOL_USES
from tracer.providers.errors import error_of, invalid_json
from tracer.providers.jsontext import JsonObject, as_dict, load_object, parse_arguments
from tracer.providers.reading import Reading
from tracer.providers.sse import parse
from tracer.providers.wire import text, without

# Delta type -> the field of its block that it goes on with.
_GROWING = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
_CONTENT_STARTS = (*TOOL_USES, "redacted_thinking")


def aggregate(body: bytes) -> Reading:
    """Reads a complete or cut stream; never raises."""
    reader = _Reader()
    for event in parse(body):
        value = load_object(event.data)
        if value is not None:
            reader.event(value, event.end)
        elif event.whole:
            reader.error = reader.error or invalid_json(event.data)
    return reader.result()


class _Reader:
    def __init__(self) -> None:
        self.error: ErrorInfo | None = None
        self._is_over = False
        self._first_content_offset: int | None = None
        self._value: JsonObject = {}
        self._usage: JsonObject = {}
        self._blocks: dict[int, _Block] = {}

    def event(self, event: JsonObject, end: int) -> None:
        kind = event.get("type")
        has_content = False
        if kind == "message_start":
            message = as_dict(event.get("message"))
            self._value = without(message, "content")
            self._use(message.get("usage"))
        elif kind == "content_block_start":
            block = as_dict(event.get("content_block"))
            has_content = self._block(event).start(block)
            if block.get("type") == "fallback" and text(as_dict(block.get("to")).get("model")):
                self._value["model"] = block["to"]["model"]  # another model took over
        elif kind == "content_block_delta":
            has_content = self._block(event).take(as_dict(event.get("delta")))
        elif kind == "message_delta":
            self._value.update(without(event, "type", "delta", "usage"))
            self._value.update(as_dict(event.get("delta")))
            self._use(event.get("usage"))
        elif kind == "message_stop":
            self._is_over = True
        elif kind == "error" or event.get("error"):
            self.error = self.error or error_of(200, event)
        if has_content and self._first_content_offset is None:
            self._first_content_offset = end

    def _block(self, event: JsonObject) -> "_Block":
        index = event.get("index")
        key = index if isinstance(index, int) else 0
        return self._blocks.setdefault(key, _Block())

    def _use(self, usage: Any) -> None:
        counts = as_dict(usage).items()
        self._usage.update(
            {key: value for key, value in counts if value is not None or key not in self._usage}
        )

    def result(self) -> Reading:
        value = self._value
        if value or self._blocks:
            content = [self._blocks[index].value() for index in sorted(self._blocks)]
            value = {"role": "assistant", **value, "content": content}
            if self._usage:
                value["usage"] = self._usage
        is_complete = self._is_over or self.error is not None
        return Reading(value, self.error, is_complete, self._first_content_offset)


class _Block:
    """One content block under way; texts in pieces, because joining them anew is quadratic."""

    def __init__(self) -> None:
        self._fields: JsonObject = {}
        self._texts: defaultdict[str, list[str]] = defaultdict(list)
        self._citations: list[Any] = []

    def start(self, block: JsonObject) -> bool:
        """Takes the block's first event in; True when it carries content."""
        self._fields = dict(block)
        for field in ("text", "thinking"):
            if isinstance(block.get(field), str):
                self._texts[field].append(block[field])
        has_text = bool(block.get("text") or block.get("thinking"))
        return has_text or block.get("type") in _CONTENT_STARTS

    def take(self, delta: JsonObject) -> bool:
        """Takes one delta in; True when it carries content."""
        kind = str(delta.get("type"))
        field = _GROWING.get(kind)
        if kind == "citations_delta":
            self._citations.append(delta.get("citation"))
        elif field is None:  # signature, compaction and what is to come: set, not appended
            self._fields.update(without(delta, "type"))
        elif isinstance(delta.get(field), str):
            self._texts[field].append(delta[field])
            self._fields.setdefault("type", "tool_use" if field == "partial_json" else field)
        return field is not None and bool(delta.get(field))

    def value(self) -> JsonObject:
        """The block as a JSON reply has it; input that is no JSON stays text."""
        block = dict(self._fields)
        texts = {field: "".join(pieces) for field, pieces in self._texts.items()}
        said = texts.pop("partial_json", "")
        if said:
            block["input"] = parse_arguments(said)
        if self._citations:
            known = block.get("citations")
            block["citations"] = [*(known if isinstance(known, list) else []), *self._citations]
        return {**block, **texts}
