"""Converse streams to the object that a request without a stream would have got."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tracer.core.records import ErrorInfo
from tracer.providers import eventstream
from tracer.providers.bedrock_errors import broken_stream, frame_error, invalid_payload
from tracer.providers.jsontext import JsonObject, as_dict, as_list, load_object, parse_arguments
from tracer.providers.reading import Reading
from tracer.providers.wire import without

_PADDING = "p"  # hides the lengths of pieces


def aggregate(body: bytes) -> Reading:
    """Reads a complete or cut stream; never raises."""
    reader = _Reader()
    found = eventstream.parse(body)
    for frame in found.frames:
        error = frame_error(frame)
        value = load_object(frame.payload)
        if error is None and value is None:
            error = invalid_payload(frame)
        reader.error = reader.error or error
        if error is None and value is not None:
            reader.event(frame.text(":event-type"), without(value, _PADDING), frame.end)
    reader.error = reader.error or broken_stream(found)
    return reader.result(is_cut=found.cut)


class _Reader:
    def __init__(self) -> None:
        self.error: ErrorInfo | None = None
        self._is_over = False
        self._role: Any = None
        self._value: JsonObject = {}
        self._first_content_offset: int | None = None
        self._blocks: dict[int, _Block] = {}

    def event(self, kind: str, event: JsonObject, end: int) -> None:
        has_content = False
        if kind == "messageStart":
            self._role = event.get("role")
        elif kind == "contentBlockStart":
            has_content = self._block(event).start(as_dict(event.get("start")))
        elif kind == "contentBlockDelta":
            has_content = self._block(event).take(as_dict(event.get("delta")))
        elif kind == "messageStop":
            self._value.update(event)
            self._is_over = True
        elif kind == "metadata":
            self._value.update(event)
        if has_content and self._first_content_offset is None:
            self._first_content_offset = end

    def _block(self, event: JsonObject) -> "_Block":
        index = event.get("contentBlockIndex")
        return self._blocks.setdefault(index if isinstance(index, int) else 0, _Block())

    def result(self, *, is_cut: bool) -> Reading:
        value = self._value
        if value or self._blocks or self._role is not None:
            content = [block for key in sorted(self._blocks) for block in self._blocks[key].value()]
            message = {"role": self._role or "assistant", "content": content}
            value = {"output": {"message": message}, **value}
        is_complete = (self._is_over and not is_cut) or self.error is not None
        return Reading(value, self.error, is_complete, self._first_content_offset)


class _Block:
    """One content block under way; texts in pieces, because joining them anew is quadratic."""

    def __init__(self) -> None:
        self._opening: JsonObject = {}
        self._texts: defaultdict[str, list[str]] = defaultdict(list)
        self._reasoning: defaultdict[str, list[str]] = defaultdict(list)
        self._lists: defaultdict[str, list[Any]] = defaultdict(list)
        self._others: JsonObject = {}

    def start(self, opening: JsonObject) -> bool:
        """Takes the block's first event in; True when it carries content."""
        self._opening.update(opening)
        return bool(opening)

    def take(self, delta: JsonObject) -> bool:
        """Takes one delta in; True when it carries content."""
        for key, value in delta.items():
            if key == "text" and isinstance(value, str):
                self._texts["text"].append(value)
            elif key == "toolUse" and isinstance(as_dict(value).get("input"), str):
                self._texts["input"].append(value["input"])
                self._opening.setdefault("toolUse", {})
            elif key == "reasoningContent" and isinstance(value, dict):
                for name, piece in value.items():
                    self._reasoning[name].append(piece if isinstance(piece, str) else "")
            elif key == "citation":
                self._lists["citations"].append(value)
            elif key == "toolResult" and isinstance(value, list):
                self._lists["toolResult"].extend(value)
                self._opening.setdefault("toolResult", {})
            elif isinstance(value, dict) and isinstance(self._others.get(key), dict):
                self._others[key] = {**self._others[key], **value}
            else:
                self._others[key] = value
        return any(_has_content(value) for value in delta.values())

    def value(self) -> Iterator[JsonObject]:
        """The block as a JSON reply has it; input that is no JSON stays text."""
        reasoning = {name: pieces for name, pieces in self._reasoning.items() if any(pieces)}
        redacted = reasoning.pop("redactedContent", None)
        if redacted:
            said = {"redactedContent": eventstream.joined_base64(redacted)}
            yield {"reasoningContent": said}
        if reasoning or ("text" in self._reasoning and not redacted):
            joined = {name: "".join(pieces) for name, pieces in reasoning.items()}
            yield {"reasoningContent": {"reasoningText": {"text": "", **joined}}}
        written = "".join(self._texts["text"])
        if self._lists["citations"]:
            content = [{"text": written}] if "text" in self._texts else []
            yield {"citationsContent": {"content": content, "citations": self._lists["citations"]}}
        elif self._texts["text"]:
            yield {"text": written}
        for key, opening in self._opening.items():
            yield {key: self._opened(key, opening)}
        yield from ({key: value} for key, value in self._others.items() if key not in self._opening)

    def _opened(self, key: str, opening: Any) -> Any:
        if not isinstance(opening, dict):
            return opening
        if key == "toolUse":
            return {**opening, "input": parse_arguments("".join(self._texts["input"]) or "{}")}
        if key == "toolResult":
            return {**opening, "content": as_list(opening.get("content")) + self._lists[key]}
        return {**opening, **as_dict(self._others.get(key))}


def _has_content(value: Any) -> bool:
    return any(value.values()) if isinstance(value, dict) else bool(value)
