"""Responses streams to the object that a request without `stream` would have got.

The last event repeats the whole response. Where it is missing (a cut stream) or leaves the output
out, the items are put together from the events before it. Unknown events are ignored.
"""

from typing import Any

from tracer.core.records import ErrorInfo
from tracer.providers.errors import error_of, invalid_json
from tracer.providers.jsontext import JsonObject, as_dict, as_list, load_object
from tracer.providers.reading import Reading
from tracer.providers.sse import parse
from tracer.providers.wire import text, without

LAST_EVENTS = ("response.completed", "response.incomplete", "response.failed")
_DONE = "[DONE]"
# Event without ".delta" or ".done" -> type of its item, list in it, field that grows.
_TEXTS: dict[str, tuple[str, str, str]] = {
    "response.output_text": ("message", "content", "text"),
    "response.refusal": ("message", "content", "refusal"),
    "response.reasoning_text": ("reasoning", "content", "text"),
    "response.reasoning_summary_text": ("reasoning", "summary", "text"),
    "response.function_call_arguments": ("function_call", "", "arguments"),
    "response.custom_tool_call_input": ("custom_tool_call", "", "input"),
    "response.mcp_call_arguments": ("mcp_call", "", "arguments"),
    "response.code_interpreter_call_code": ("code_interpreter_call", "", "code"),
}
_ENTRY_TYPES = {
    "response.output_text": "output_text",
    "response.refusal": "refusal",
    "response.reasoning_text": "reasoning_text",
    "response.reasoning_summary_text": "summary_text",
}
_ENTRIES = {
    "response.content_part": ("message", "content"),
    "response.reasoning_summary_part": ("reasoning", "summary"),
}
_ANNOTATION = "response.output_text.annotation.added"
_SILENT = ("message", "reasoning")  # such an item begins empty

_GROWING = ("arguments", "input", "code")

_Place = tuple[str, int]  # a list in the item, and an index there
_ITSELF = ("", 0)


def aggregate(body: bytes) -> Reading:
    """Reads a complete or cut stream; never raises."""
    reader = _Reader()
    for event in parse(body):
        if event.data.startswith(_DONE):
            break
        data = load_object(event.data)
        if data is not None:
            reader.event(text(data.get("type"), event.event) or "", data, event.end)
        elif event.whole:
            reader.error = reader.error or invalid_json(event.data)
    return reader.result()


def error_in(response: JsonObject) -> ErrorInfo | None:
    """The error of a response object; a failed one has one even if it does not say which."""
    found = error_of(200, response)
    if found is None and response.get("status") == "failed":
        return ErrorInfo("response_failed", "the provider says that the response failed")
    return found


class _Reader:
    def __init__(self) -> None:
        self.error: ErrorInfo | None = None
        self._is_over = False
        self._first_content_offset: int | None = None
        self._value: JsonObject = {}
        self._items: dict[int, _Item] = {}
        self._places: dict[str, int] = {}
        self._next = 0

    def event(self, kind: str, data: JsonObject, end: int) -> None:
        if isinstance(data.get("response"), dict):
            self._response(kind, data["response"])
        elif kind == "error" or (kind == "" and "error" in data):
            found = error_of(200, data) or error_of(200, {"error": without(data, "type")})
            self.error = self.error or found
        elif self._takes(kind, data) and self._first_content_offset is None:
            self._first_content_offset = end

    def _response(self, kind: str, response: JsonObject) -> None:
        self._value.update(response)
        if kind in LAST_EVENTS:
            self._is_over = True
            self.error = self.error or error_in(response)

    def _takes(self, kind: str, data: JsonObject) -> bool:
        """Takes an event about an item in; True when it carries content."""
        stem, _, end = kind.rpartition(".")
        if stem == "response.output_item" and end in ("added", "done"):
            item = data.get("item")
            return isinstance(item, dict) and self._item(data, "").take_whole(item)
        if stem in _TEXTS and end in ("delta", "done"):
            of, within, field = _TEXTS[stem]
            said = data.get("delta" if end == "delta" else field)
            place = (within, _index(data, within)) if within else _ITSELF
            entry_type = _ENTRY_TYPES.get(stem)
            return self._item(data, of).take_text(place, field, said, entry_type, end == "done")
        if stem in _ENTRIES and end in ("added", "done"):
            of, within = _ENTRIES[stem]
            return self._item(data, of).take_entry(
                (within, _index(data, within)), data.get("part"), end == "done"
            )
        if kind == _ANNOTATION and isinstance(data.get("annotation"), dict):
            place = ("content", _index(data, "content"))
            self._item(data, "message").annotate(place, data["annotation"])
        return False

    def _item(self, data: JsonObject, kind: str) -> "_Item":
        """The item an event is about, by its place; by its id where the place is missing; else the
        last one."""
        index = data.get("output_index")
        name = text(data.get("item_id"), as_dict(data.get("item")).get("id"))
        if not isinstance(index, int) or isinstance(index, bool):
            index = self._places.get(name, self._next) if name else max(0, self._next - 1)
        if name:
            self._places.setdefault(name, index)
        if index not in self._items:
            self._next = max(self._next, index + 1)
            self._items[index] = _Item({"type": kind, **({"id": name} if name else {})})
        return self._items[index]

    def result(self) -> Reading:
        if self._items and not as_list(self._value.get("output")):
            self._value["output"] = [self._items[at].value() for at in sorted(self._items)]
        if self._value:
            self._value.setdefault("output", [])
        return Reading(
            value=self._value,
            error=self.error,
            complete=self._is_over or self.error is not None,
            first_content_offset=self._first_content_offset,
        )


def _index(data: JsonObject, within: str) -> int:
    index = data.get("summary_index" if within == "summary" else "content_index")
    return index if isinstance(index, int) and not isinstance(index, bool) else 0


class _Item:
    """One item under way; texts are kept in pieces, because joining at each delta is quadratic."""

    def __init__(self, start: JsonObject) -> None:
        self._base = start
        self._entries: dict[_Place, JsonObject] = {}
        self._texts: dict[tuple[_Place, str], list[str]] = {}

    def take_whole(self, item: JsonObject) -> bool:
        """The item as its first and its last event give it; True when it carries content."""
        self._base = item
        for field in _GROWING:
            if item.get(field):
                self._texts.pop((_ITSELF, field), None)
        for within in ("content", "summary"):
            for index, entry in enumerate(as_list(item.get(within))):
                if isinstance(entry, dict):
                    self._put((within, index), dict(entry))
        return item.get("type") not in _SILENT or any(map(_says, self._entries.values()))

    def take_entry(self, place: _Place, entry: Any, is_done: bool) -> bool:
        """An entry of the item's content or summary; True when it carries content."""
        if not isinstance(entry, dict):
            return False
        if place not in self._entries or is_done:
            self._put(place, dict(entry))
        return _says(entry)

    def _put(self, place: _Place, entry: JsonObject) -> None:
        self._entries[place] = entry
        for field in ("text", "refusal"):
            if isinstance(entry.get(field), str):
                self._texts[place, field] = [entry[field]]

    def take_text(
        self, place: _Place, field: str, said: Any, entry_type: str | None, is_done: bool
    ) -> bool:
        """A piece of a text, or all of it when `is_done`; True when it carries content."""
        if not isinstance(said, str):
            return False
        if place != _ITSELF:
            self._entries.setdefault(place, {"type": entry_type})
        if is_done:
            self._texts[place, field] = [said]
        else:
            self._texts.setdefault((place, field), []).append(said)
        return bool(said)

    def annotate(self, place: _Place, annotation: JsonObject) -> None:
        """An annotation of a text."""
        entry = self._entries.setdefault(place, {"type": "output_text"})
        if not isinstance(entry.get("annotations"), list):
            entry["annotations"] = []
        entry["annotations"].append(annotation)

    def value(self) -> JsonObject:
        """The item whole."""
        made = dict(self._base)
        for (place, field), pieces in self._texts.items():
            holder = made if place == _ITSELF else self._entries[place]
            holder[field] = "".join(pieces)
        for within in ("content", "summary"):
            places = sorted(place for place in self._entries if place[0] == within)
            if places:
                made[within] = [self._entries[place] for place in places]
        return made


def _says(entry: JsonObject) -> bool:
    return bool(text(entry.get("text"), entry.get("refusal")))
