"""What grows inside a Chat Completions stream: tool calls, and lists of items told in pieces.

Texts are kept in pieces until asked for, because joining them at every delta is quadratic.
"""

from collections import defaultdict
from typing import Any

from tracer.providers.jsontext import JsonObject, as_dict, as_list, dumps
from tracer.providers.wire import text, without

_JOINED = frozenset({"text", "summary", "data", "transcript"})


def index_of(value: Any) -> int | None:
    """The `index` of a choice or item, None where the provider left it out or sent nonsense."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def lay_over(into: JsonObject, delta: JsonObject) -> None:
    """Lays `delta` over `into`: later values replace earlier ones unless they are empty."""
    for key, value in delta.items():
        if value is not None and not (value == "" and into.get(key)):
            into[key] = value


class Call:
    """One tool call; `deltas` counts the pieces that carried a name or arguments."""

    def __init__(self) -> None:
        self.call_id: str | None = None
        self.deltas = 0
        self._kind = "function"
        self._fields: JsonObject = {}
        self._name: list[str] = []
        self._arguments: list[str] = []

    def take(self, delta: JsonObject) -> None:
        """Takes one delta of this call in."""
        self.call_id = self.call_id or text(delta.get("id"))
        kind = "custom" if isinstance(delta.get("custom"), dict) else "function"
        inner = as_dict(delta.get(kind))
        if inner:
            self._kind = kind
            self.deltas += 1
        name = text(inner.get("name"))
        if name and name not in self._name[:1]:  # some repeat the name in every delta
            self._name.append(name)
        arguments = inner.get("input" if kind == "custom" else "arguments")
        if arguments is not None:
            self._arguments.append(arguments if isinstance(arguments, str) else dumps(arguments))
        lay_over(self._fields, without(delta, "index", "function", "custom", "id", "type"))

    def value(self) -> JsonObject:
        """The call as a JSON reply has it."""
        key = "input" if self._kind == "custom" else "arguments"
        inner = {"name": "".join(self._name), key: "".join(self._arguments)}
        identity = {"id": self.call_id} if self.call_id else {}
        return {**identity, "type": self._kind, self._kind: inner, **self._fields}


class Calls:
    """The tool calls of one choice, in order of appearance."""

    def __init__(self) -> None:
        self.all: list[Call] = []
        self._by_index: dict[int, Call] = {}

    def take(self, delta: JsonObject) -> None:
        """Takes one delta in: goes on with the call it belongs to, or begins another."""
        index = index_of(delta.get("index"))
        call_id = text(delta.get("id"))
        is_named = text(as_dict(delta.get("function")).get("name")) is not None
        if index is not None:
            call = self._by_index.get(index)
        else:  # Mistral: whole calls without an index
            call = self.all[-1] if self.all and not is_named else None
        # Some providers give every parallel call the index 0; another id is another call.
        if call and is_named and call_id and call.call_id and call_id != call.call_id:
            call = None
        if call is None:
            call = Call()
            self.all.append(call)
            if index is not None:
                self._by_index[index] = call
        call.take(delta)


class Items:
    """A list whose items arrive in pieces that share `index` and `type` (reasoning details)."""

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._texts: dict[int, defaultdict[str, list[str]]] = {}
        self._places: dict[tuple[int, str], int] = {}

    def extend(self, items: list[Any]) -> None:
        """Takes one delta's items in."""
        for item in items:
            index = index_of(as_dict(item).get("index"))
            key = None if index is None else (index, str(item.get("type")))
            if key is None or key not in self._places:
                if key is not None:
                    self._places[key] = len(self._items)
                self._items.append(dict(item) if isinstance(item, dict) else item)
                self._keep_texts(len(self._items) - 1, item)
            else:
                place = self._places[key]
                lay_over(self._items[place], item)
                self._keep_texts(place, item)

    def _keep_texts(self, place: int, item: Any) -> None:
        for key, value in as_dict(item).items():
            if key in _JOINED and isinstance(value, str):
                self._texts.setdefault(place, defaultdict(list))[key].append(value)

    def value(self) -> list[Any]:
        """The items whole."""
        for place, texts in self._texts.items():
            self._items[place].update({key: "".join(said) for key, said in texts.items()})
        return self._items


class Content:
    """The content of one choice: text, or a list once a delta brought one (Mistral's thinking)."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._items: list[Any] = []
        self._is_open = False  # whether the last item is thinking that may go on

    def take(self, content: Any) -> None:
        """Takes one delta's content in."""
        if isinstance(content, str):
            self._text.append(content)
        for item in as_list(content):
            self._flush()
            is_open = _is_open_thinking(item)
            if is_open and self._is_open:
                self._items[-1]["thinking"].extend(item["thinking"])
            elif is_open:  # a list of its own, because it grows
                self._items.append({**item, "thinking": list(item["thinking"])})
            else:
                self._items.append(item)
            self._is_open = is_open

    def _flush(self) -> None:
        said = "".join(self._text)
        if said:
            self._items.append({"type": "text", "text": said})
            self._is_open = False
        self._text.clear()

    def value(self) -> Any:
        """The content as a JSON reply has it: a text, a list, or None when nothing came."""
        if self._items:
            self._flush()
            return [_joined(item) if _is_open_thinking(item) else item for item in self._items]
        return "".join(self._text) if self._text else None


def _is_open_thinking(item: Any) -> bool:
    """Whether `item` is thinking in texts that a later item may go on with."""
    if not isinstance(item, dict) or item.get("type") != "thinking" or item.get("closed"):
        return False
    return all(
        isinstance(piece, dict) and isinstance(piece.get("text"), str)
        for piece in as_list(item.get("thinking")) or [None]
    )


def _joined(item: JsonObject) -> JsonObject:
    said = "".join(piece["text"] for piece in item["thinking"])
    return {**item, "thinking": [{"type": "text", "text": said}]}
