"""Finish reasons: a provider's words and OpenTelemetry's, in both directions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracer.core.messages import Message, Part
from tracer.providers.wire import parts_of, text


@dataclass(frozen=True, slots=True)
class FinishReasons:
    """`meanings`: wire word -> OpenTelemetry's; of several with one meaning the first is written.

    A word without a known meaning is passed on as it is, in both directions. `calls_just_stop`:
    the provider has no word of its own for answers that call tools.
    """

    meanings: Mapping[str, str]
    calls_just_stop: bool = False

    def read(self, wire: Any, parts: Sequence[Part] = ()) -> str | None:
        """OpenTelemetry's word for an answer of these parts, None when there is no reason."""
        said = text(wire)
        meaning = None if said is None else self.meanings.get(said, said)
        if self.calls_just_stop and meaning == "stop" and _has_calls(parts):
            return "tool_call"
        return meaning

    def write(self, said: Message, old: Any, *, is_unchanged: bool) -> Any:
        """The wire word for `said`.

        Where `said` gives no reason: what was recorded (`old`, nothing too) if the parts are
        unchanged, else what the parts call for. Of several words that fit, the recorded one.
        """
        wanted = text(said.get("finish_reason"))
        if wanted is None:
            if is_unchanged:
                return old
            wanted = "tool_call" if _has_calls(parts_of(said)) else "stop"
        if self.calls_just_stop and wanted == "tool_call":
            wanted = "stop"
        if self.read(old) == wanted:
            return old
        return next((wire for wire, known in self.meanings.items() if known == wanted), wanted)


def _has_calls(parts: Sequence[Part]) -> bool:
    return any(part.get("type") == "tool_call" for part in parts)
