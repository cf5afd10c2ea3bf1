"""Response objects in which the model says something else: the recorded one, edited.

Items that say the same stay as recorded, byte for byte inside texts: reasoning holds what only the
provider can read, and an agent sends the items back.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

from tracer.core.messages import Message, Part
from tracer.providers.jsontext import (
    JsonObject,
    arguments_text,
    as_dict,
    as_list,
    canonical,
    same_json,
)
from tracer.providers.openai_responses_items import (
    CLIENT_CALLS,
    RESULTS,
    item_parts,
    reasoning_content,
)
from tracer.providers.openai_responses_reply import finish_of, output_parts, with_finish
from tracer.providers.openai_responses_request import Asked
from tracer.providers.wire import content_of, made_id, parts_of, text, without

_NO_USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}
_BARE = {
    "text": ("type", "content"),
    "tool_call": ("type", "id", "name", "arguments"),
}
_NO_ITEMS = ("blob", "uri", "file", "unknown", "audio")
_PREFIXES = {"function_call": "fc_", "custom_tool_call": "ctc_"}


def edited(template: JsonObject, said: Message, asked: Asked) -> JsonObject:
    """The JSON reply that says `said`.

    An answer with other parts has another id: what the provider holds under the recorded id is the
    recorded answer.
    """
    parts, was = parts_of(said), output_parts(template)
    is_unchanged = bool(template) and same_json(parts, was)
    seed = (asked.seed, canonical(parts))
    output = as_list(template.get("output"))
    if not is_unchanged:
        output = _Rebuilt(template, parts, asked).items()
    value = {
        **without(template, "output_text"),
        "id": template.get("id") if is_unchanged else made_id("resp_", *seed),
        "object": "response",
        "created_at": template.get("created_at") or 0,
        "model": template.get("model", asked.model),
        "output": output,
        "usage": template.get("usage") or _NO_USAGE,
        "error": None,
    }
    value = {**asked.settings, **value}
    if value["id"] is None:
        value["id"] = made_id("resp_", *seed)
    wanted = text(said.get("finish_reason"))
    if is_unchanged and wanted in (None, finish_of(template, was)):
        return value if template.get("status") != "failed" else with_finish(value, "error")
    return with_finish(value, wanted or "stop")


class _Rebuilt:
    """The output items for other parts than recorded."""

    def __init__(self, template: JsonObject, parts: list[Part], asked: Asked) -> None:
        self._parts = parts
        self._asked = asked
        self._old = [as_dict(item) for item in as_list(template.get("output"))]
        self._left: dict[str, deque[tuple[list[str], JsonObject]]] = {}
        self._twins: dict[str, JsonObject] = {}
        for item in self._old:
            found = item_parts(item)
            for form in (list(map(canonical, found)), [canonical(_bare(part)) for part in found]):
                if form:
                    self._left.setdefault(form[0], deque()).append((form, item))
            if text(item.get("call_id")):
                self._twins.setdefault(item["call_id"], item)
        self._used = set[int]()
        self._texts = list(map(canonical, parts))
        self._seed = made_id("", asked.seed, *self._texts)

    def items(self) -> list[Any]:
        """The items, in order."""
        return list(self._items())

    def _items(self) -> Iterator[JsonObject]:
        place = 0
        while place < len(self._parts):
            same = self._same(place, use=True)
            if same is not None:
                length, item = same
                yield item
                place += length
                continue
            part = self._parts[place]
            if not _is_content(part):
                yield from self._written(part, place)
                place += 1
                continue
            end = place + 1
            while self._goes_on(part, end):
                end += 1
            yield from self._message(self._parts[place:end], place)
            place = end

    def _same(self, place: int, *, use: bool) -> tuple[int, JsonObject] | None:
        """The recorded item that says what stands at `place`, and the number of its parts."""
        candidates = self._left.get(self._texts[place], deque())
        while candidates and id(candidates[0][1]) in self._used:
            candidates.popleft()
        for form, item in candidates:
            fits = self._texts[place : place + len(form)] == form
            if fits and id(item) not in self._used:
                if use:
                    self._used.add(id(item))
                return len(form), item
        return None

    def _goes_on(self, first: Part, place: int) -> bool:
        """Whether the message that begins with `first` holds the part at `place` too."""
        if place >= len(self._parts) or not _is_content(self._parts[place]):
            return False
        is_same = same_json(self._parts[place].get("message"), first.get("message"))
        return is_same and self._same(place, use=False) is None

    def _id(self, prefix: str, place: int) -> str:
        return made_id(prefix, self._seed, place)

    def _message(self, parts: list[Part], place: int) -> Iterator[JsonObject]:
        content = [entry for part in parts for entry in _content(part)]
        if not content:
            return
        shared = parts[0].get("message")
        fields = dict(shared) if isinstance(shared, dict) else self._phase()
        yield {
            "id": self._id("msg_", place),
            "status": "completed",
            **fields,
            "type": "message",
            "role": "assistant",
            "content": content,
        }

    def _phase(self) -> JsonObject:
        """What a message says of its place in the work, where the recorded ones say it."""
        if not any(text(item.get("phase")) for item in self._old):
            return {}
        has_calls = any(part.get("type") == "tool_call" for part in self._parts)
        return {"phase": "commentary" if has_calls else "final_answer"}

    def _written(self, part: Part, place: int) -> Iterator[JsonObject]:
        """The item that says a part, nothing where this format has no place for it."""
        kind = part.get("type")
        if kind == "reasoning":
            yield self._reasoning(part, place)
        elif kind == "tool_call":
            yield self._call(part, place)
        elif kind == "tool_call_response":
            yield _result(part)
        elif kind == "server_tool_call":
            item = part.get("server_tool_call")
            if isinstance(item, dict) and text(item.get("type")):
                yield item
        elif text(kind) and kind not in _NO_ITEMS:
            yield part

    def _reasoning(self, part: Part, place: int) -> JsonObject:
        lists = {key: as_list(part.get(key)) for key in ("summary", "reasoning_text")}
        said = content_of(part)
        if reasoning_content(lists) != said:
            lists = {"summary": [{"type": "summary_text", "text": said}], "reasoning_text": []}
        item = {
            "id": self._id("rs_", place),
            **without(part, "content", "summary", "reasoning_text"),
            "type": "reasoning",
            "summary": lists["summary"],
        }
        return {**item, "content": lists["reasoning_text"]} if lists["reasoning_text"] else item

    def _call(self, part: Part, place: int) -> JsonObject:
        name, said = text(part.get("name")) or "", part.get("arguments", "")
        kind = self._kind_of(part, name)
        call_id = text(part.get("id"))
        twin = self._twins.get(call_id, {}) if call_id else {}
        if twin.get("type") != kind:
            twin = {}
        extras = without(part, "type", "id", "item_id", "name", "arguments", "tool_type")
        item = {
            **without(twin, "arguments", "input", "action", "actions", "operation", "status"),
            **extras,
            "type": kind,
            "id": text(part.get("item_id"), twin.get("id"))
            or self._id(_PREFIXES.get(kind, "call_"), place),
            "call_id": call_id or self._id("call_", place),
        }
        if kind == "custom_tool_call":
            return {**item, "name": name, "input": arguments_text(said)}
        item.setdefault("status", "completed")
        if kind == "function_call":
            return {**item, "name": name, "arguments": arguments_text(said)}
        key = CLIENT_CALLS[kind][1]
        is_many = kind == "computer_call" and isinstance(said, list)
        return {**item, "actions" if is_many else key: said}

    def _kind_of(self, part: Part, name: str) -> str:
        kind = part.get("tool_type")
        if kind in CLIENT_CALLS:
            return str(kind)
        is_custom = kind == "custom" or name in self._asked.custom_tools
        return "custom_tool_call" if is_custom else "function_call"


def _bare(part: Part) -> Part:
    """What a person who edits a part names of it."""
    fields = _BARE.get(str(part.get("type")))
    return part if fields is None else {key: part[key] for key in fields if key in part}


def _is_content(part: Part) -> bool:
    """Whether a part is content of a message, and not an item of its own."""
    kind = part.get("type")
    if kind in ("text", "refusal"):
        return True
    is_item = kind in ("reasoning", "tool_call", "tool_call_response", "server_tool_call")
    return not is_item and isinstance(part.get("message"), dict)


def _content(part: Part) -> list[JsonObject]:
    """The content entry of a part, none where this format has no place for it."""
    kind = part.get("type")
    extras = without(part, "type", "content", "message")
    if kind == "text":
        said = content_of(part)
        return [{"annotations": [], **extras, "type": "output_text", "text": said}]
    if kind == "refusal":
        return [{**extras, "type": "refusal", "refusal": content_of(part)}]
    is_wire = text(kind) is not None and kind not in _NO_ITEMS
    return [without(part, "message")] if is_wire else []


def _result(part: Part) -> JsonObject:
    kind = str(part.get("tool_type") or "function_call_output")
    key = RESULTS.get(kind)
    if key is None:
        kind, key = "function_call_output", "output"
    names = {"call_id": text(part.get("id")), "id": text(part.get("item_id"))}
    extras = without(part, "type", "id", "item_id", "response", "tool_type")
    found = {name: value for name, value in names.items() if value}
    return {"status": "completed", **extras, **found, "type": kind, key: part.get("response")}
