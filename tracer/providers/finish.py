"""Finish reasons: a provider's words and OpenTelemetry's, in both directions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracer.core.messages import Message
from tracer.providers.wire import parts_of, text


@dataclass(frozen=True, slots=True)
class FinishReasons:
    """`meanings`: wire word -> OpenTelemetry's; of several with one meaning the first is written.

    A word without a known meaning is passed on as it is, in both directions.
    """

    meanings: Mapping[str, str]

    def read(self, wire: Any) -> str | None:
        """OpenTelemetry's word, None when the provider gave no reason."""
        said = text(wire)
        return None if said is None else self.meanings.get(said, said)

    def write(self, said: Message, old: Any, *, is_unchanged: bool) -> Any:
        """The wire word for `said`.

        Where `said` gives no reason: what was recorded (`old`, nothing too) if the parts are
        unchanged, else what the parts call for. Of several words that fit, the recorded one.
        """
        wanted = text(said.get("finish_reason"))
        if wanted is None:
            if is_unchanged:
                return old
            has_calls = any(part.get("type") == "tool_call" for part in parts_of(said))
            wanted = "tool_call" if has_calls else "stop"
        if self.read(old) == wanted:
            return old
        return next((wire for wire, known in self.meanings.items() if known == wanted), wanted)
