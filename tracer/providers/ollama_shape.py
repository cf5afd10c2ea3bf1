"""Where Ollama's two endpoints keep what the model says: `/api/chat` in a message, `/api/generate`
beside everything else."""

from dataclasses import dataclass
from typing import Any

from tracer.providers.jsontext import JsonObject, as_dict
from tracer.providers.wire import without


@dataclass(frozen=True, slots=True)
class Shape:
    """`holder`: the key whose object holds the answer, None for the reply itself.

    `text`: the key of the answer's text inside the holder.
    """

    holder: str | None
    text: str

    def holder_of(self, value: JsonObject) -> JsonObject:
        """The object that holds the answer."""
        return value if self.holder is None else as_dict(value.get(self.holder))

    def holds(self, value: JsonObject) -> bool:
        """Whether `value` is a reply of this shape."""
        return isinstance(value.get(self.holder or self.text), dict if self.holder else str)

    def put(self, value: JsonObject, said: JsonObject) -> JsonObject:
        """`value` with `said` as what the model says."""
        return {**value, **said} if self.holder is None else {**value, self.holder: said}

    def rest_of(self, value: JsonObject) -> JsonObject:
        """`value` without what the model says."""
        return (
            without(value, self.text, *SAID) if self.holder is None else without(value, self.holder)
        )


CHAT = Shape("message", "content")
GENERATE = Shape(None, "response")
SAID: tuple[str, ...] = ("thinking", "tool_calls", "images", "image")


def words(value: Any) -> str:
    """`value` when it is text, else nothing."""
    return value if isinstance(value, str) else ""
