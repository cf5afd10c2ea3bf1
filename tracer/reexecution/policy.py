"""What a tool may do after the fork point: recorded, ask, live, block, or a stub."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tracer.core.records import Effect
from tracer.errors import UsageError

Word = Literal["recorded", "ask", "live", "block", "stub"]
WORDS = ("recorded", "ask", "live", "block")


@dataclass(frozen=True, slots=True)
class Policy:
    """One tool's policy; `value` is the stub's result."""

    word: Word
    value: Any = None


def parse_policy(text: str) -> Policy:
    """`live`, `block`, `recorded`, `ask` or `stub:JSON`. Raises UsageError."""
    if text.startswith("stub:"):
        try:
            return Policy("stub", json.loads(text[5:]))
        except ValueError:
            raise UsageError(
                f"stub:{text[5:]!r} is not JSON: write for example 'stub:{{\"ok\": true}}'"
            ) from None
    for word in WORDS:
        if text == word:
            return Policy(word)  # type: ignore[arg-type]
    raise UsageError(f"policy {text!r}: use {', '.join(WORDS)} or stub:JSON")


class Policies:
    """The policies of one re-execution: by name, then `*`, then by what the tool does."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = {name: parse_policy(text) for name, text in given.items()}

    def chosen(self, name: str) -> Policy | None:
        """What the user chose for a tool, if anything. "subprocess" stands for all processes."""
        kind = name.split(" ", 1)[0]
        chosen = self._given.get(name)
        if chosen is None and kind == "subprocess":
            chosen = self._given.get(kind)
        return chosen or self._given.get("*")

    def default(self, effect: Effect | None) -> Policy:
        """Without a choice: looking up and local work run, everything else asks first."""
        return Policy("live" if effect in ("read", "local") else "ask")

    @property
    def names(self) -> list[str]:
        return [name for name in self._given if name != "*"]
