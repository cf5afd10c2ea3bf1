"""The spellings of generated text: where a reply holds it, whole and in pieces."""

from collections.abc import Iterator
from dataclasses import dataclass

from tracer.core.records import ErrorInfo
from tracer.providers.errors import error_of, invalid_json
from tracer.providers.finish import FinishReasons
from tracer.providers.jsontext import JsonObject, as_list, load_object
from tracer.providers.sse import parse
from tracer.providers.wire import pieces, text, without

_LOWER = FinishReasons(
    {
        "stop": "stop",
        "stop_sequence": "stop",
        "endoftext": "stop",
        "length": "length",
        "max_tokens": "length",
        "content_filter": "content_filter",
    }
)
_CLAUDE = FinishReasons({"stop_sequence": "stop", "max_tokens": "length"})
_TITAN = FinishReasons(
    {
        "FINISH": "stop",
        "FINISHED": "stop",
        "STOP_CRITERIA_MET": "stop",
        "LENGTH": "length",
        "CONTENT_FILTERED": "content_filter",
        "RAG_QUERY_WHEN_RAG_DISABLED": "error",
    }
)
_COHERE = FinishReasons(
    {
        "COMPLETE": "stop",
        "STOP_SEQUENCE": "stop",
        "MAX_TOKENS": "length",
        "ERROR_TOXIC": "content_filter",
        "ERROR": "error",
    }
)
# Of the last event alone, also where that gives no reason.
_ENDS = ("amazon-bedrock-invocationMetrics", "amazon-bedrock-guardrailAction")


@dataclass(frozen=True, slots=True)
class Shape:
    """One spelling. `text` and `reason` are keys of the reply, or of each object among its `items`.

    `chunk` names the spelling of this vendor's streams, where it is another one, and `renamed`
    the keys that are called otherwise there.
    """

    name: str
    items: str | None
    text: str
    reason: str
    reasons: FinishReasons
    chunk: str | None = None
    renamed: tuple[tuple[str, str], ...] = ()

    def holders(self, value: JsonObject) -> list[JsonObject]:
        """The objects that hold text."""
        return [value] if self.items is None else [dict(item) for item in value[self.items]]

    def with_holders(self, value: JsonObject, holders: list[JsonObject]) -> JsonObject:
        """The reply with other holders."""
        return holders[0] if self.items is None else {**value, self.items: holders}

    def made(self) -> JsonObject:
        """A reply that says nothing."""
        return self.with_holders({}, [{self.text: "", self.reason: None}])

    def fits(self, value: JsonObject) -> bool:
        """Whether a reply is spelled so."""
        items = [value] if self.items is None else as_list(value.get(self.items))
        return bool(items) and all(
            isinstance(item, dict) and isinstance(item.get(self.text), str) for item in items
        )


_SHAPES = (
    Shape("llama", None, "generation", "stop_reason", _LOWER),
    Shape(
        "titan",
        "results",
        "outputText",
        "completionReason",
        _TITAN,
        "titan piece",
        (("tokenCount", "totalOutputTextTokenCount"),),
    ),
    Shape("titan piece", None, "outputText", "completionReason", _TITAN),
    Shape("mistral", "outputs", "text", "stop_reason", _LOWER),
    Shape("cohere", "generations", "text", "finish_reason", _COHERE, "cohere piece"),
    Shape("claude", None, "completion", "stop_reason", _CLAUDE),
    Shape("completions", "choices", "text", "finish_reason", _LOWER),
    Shape("cohere piece", None, "text", "finish_reason", _COHERE),
)
_NAMED = {shape.name: shape for shape in _SHAPES}
_WHOLE = {shape.chunk: shape for shape in _SHAPES if shape.chunk}


def shape_of(value: JsonObject) -> Shape | None:
    """How a reply is spelled, None for a spelling that is not known."""
    return next((shape for shape in _SHAPES if shape.fits(value)), None)


def shape_for(asked: JsonObject) -> Shape:
    """How the model that is asked so would spell its reply."""
    model = (text(asked.get("model")) or "").lower()
    if "inputText" in asked:
        return _NAMED["titan"]
    if "max_tokens_to_sample" in asked:
        return _NAMED["claude"]
    if "message" in asked:
        return _NAMED["cohere piece"]
    return _NAMED[next((name for name in ("mistral", "cohere") if name in model), "llama")]


def whole(value: JsonObject, asked: JsonObject) -> JsonObject:
    """A reply put together from a stream, as the JSON reply is spelled."""
    piece = shape_of(value)
    shape = _WHOLE.get(piece.name) if piece else None
    if piece is None or shape is None or "message" in asked:
        return value
    [holder] = piece.holders(value)
    taken = {old: holder[new] for old, new in shape.renamed if new in holder}
    first = {**taken, shape.text: holder[piece.text], shape.reason: holder.get(piece.reason)}
    rest = without(holder, piece.text, piece.reason, *(new for _, new in shape.renamed))
    return shape.with_holders(rest, [first])


def aggregate(body: bytes) -> tuple[JsonObject, ErrorInfo | None, bool, int | None]:
    """A stream as the JSON reply would be, its error, whether it ended, where content begins."""
    gathered = _Gathered()
    for event in parse(body):
        chunk = load_object(event.data)
        if chunk is not None:
            gathered.take(chunk, event.end)
        elif event.whole:
            gathered.error = gathered.error or invalid_json(event.data)
    return gathered.result()


class _Gathered:
    """A stream under way; texts in pieces, because joining them anew is quadratic."""

    def __init__(self) -> None:
        self.error: ErrorInfo | None = None
        self._shape: Shape | None = None
        self._rest: JsonObject = {}
        self._holder: JsonObject = {}
        self._pieces: list[str] = []
        self._odd: list[JsonObject] = []
        self._offset: int | None = None

    def take(self, chunk: JsonObject, end: int) -> None:
        self.error = self.error or error_of(200, chunk)
        shape = shape_of(chunk)
        if shape is None:
            if self._shape is None and not self.error:
                self._odd.append(chunk)
            self._lay_over(self._rest if self._shape and self._shape.items else self._holder, chunk)
            return
        self._shape = shape
        [holder, *_] = shape.holders(chunk)
        self._pieces.append(holder[shape.text])
        self._lay_over(self._holder, without(holder, shape.text))
        if shape.items:
            self._lay_over(self._rest, without(chunk, shape.items))
        if self._offset is None and holder[shape.text]:
            self._offset = end

    def _lay_over(self, target: JsonObject, values: JsonObject) -> None:
        told = {k: v for k, v in values.items() if v is not None or k not in target}
        target.update(told)

    def result(self) -> tuple[JsonObject, ErrorInfo | None, bool, int | None]:
        shape = self._shape
        if shape is None:
            value = {"chunks": self._odd} if self._odd else {}
            return value, self.error, bool(value) or self.error is not None, None
        holder = {**self._holder, shape.text: "".join(self._pieces)}
        ended = bool(
            holder.get(shape.reason)
            or holder.get("is_finished")
            or any(key in holder for key in _ENDS)
        )
        value = shape.with_holders(self._rest, [holder])
        return value, self.error, ended or self.error is not None, self._offset


def chunks(value: JsonObject) -> Iterator[JsonObject]:
    """The pieces a model would have sent for a reply."""
    shape = shape_of(value)
    if shape is None:
        yield from (item for item in as_list(value.get("chunks")) or [value])
        return
    holder, rest = shape.holders(value)[0], without(value, shape.items or "")
    target = _NAMED[shape.chunk] if shape.chunk else shape
    said = list(pieces(holder[shape.text])) or [""]
    for piece in said[:-1]:
        yield target.with_holders({}, [{target.text: piece}])
    last = {**without(holder, shape.text), target.text: said[-1]}
    if shape.items and not target.items:
        names = dict(shape.renamed)
        last = {**{names.get(key, key): told for key, told in last.items()}, **rest}
    yield target.with_holders(rest, [last])
