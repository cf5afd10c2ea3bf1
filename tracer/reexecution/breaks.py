"""Breakpoints: where a fork stops and asks before a step happens, behind the fork point."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from tracer.capture.boundary import Call
from tracer.core.questions import first_new
from tracer.errors import UsageError
from tracer.reexecution.budget import Spent

Kind = Literal["any", "model", "tool", "cost", "tokens", "text"]
_WHOLE: dict[str, Kind] = {"any": "any", "model": "model", "tool": "tool"}
FORMS = "any, model, tool, tool:NAME (* allowed), cost>DOLLARS, tokens>N or text:WORDS"


@dataclass(frozen=True, slots=True)
class Break:
    """One condition; `name` of a tool, `words` to look for, `bound` to be exceeded."""

    text: str
    kind: Kind
    name: str = ""
    words: str = ""
    bound: float = 0.0

    @property
    def is_bound(self) -> bool:
        """Whether it is an amount to be exceeded."""
        return self.kind in ("cost", "tokens")


def parse_break(text: str) -> Break:
    """A condition as it is written. Raises UsageError."""
    given = text.strip()
    if given in _WHOLE:
        return Break(given, _WHOLE[given])
    word, sign, rest = given.partition(":")
    rest = rest.strip()
    if sign and word in ("tool", "text"):
        if not rest:
            what = "a tool, as in tool:send_*" if word == "tool" else "words, as in text:refund"
            raise UsageError(f"--break {given}: name {what}")
        return Break(given, "tool", rest) if word == "tool" else Break(given, "text", words=rest)
    word, sign, rest = given.partition(">")
    word = word.strip()
    if sign and word == "cost":
        return Break(given, "cost", bound=_bound(given, rest.strip().removeprefix("$")))
    if sign and word == "tokens":
        return Break(given, "tokens", bound=_bound(given, rest.strip().replace(",", "")))
    raise UsageError(f"--break {given or repr(text)}: write {FORMS}")


def _bound(given: str, number: str) -> float:
    try:
        found = float(number)
    except ValueError:
        found = math.nan
    if not math.isfinite(found) or found < 0:
        raise UsageError(
            f"--break {given}: {number!r} is no amount; write a number, as in cost>0.05"
        )
    return found


class Breaks:
    """The breakpoints of one re-execution. The caller holds the handler's lock.

    Bounds stop once, before the first step behind them: every later step is behind them too.
    """

    def __init__(self, given: Sequence[Break] = ()) -> None:
        self._given = list(given)

    def __bool__(self) -> bool:
        return bool(self._given)

    def hit(self, call: Call, spent: Callable[[], Spent], asks: Callable[[], Any]) -> list[str]:
        """Those that a call meets, as they were written. `asks`: what it asks, as JSON."""
        found = [one for one in self._given if _is_met(one, call, spent, asks)]
        self._given = [one for one in self._given if not (one.is_bound and one in found)]
        return [one.text for one in found]


def _is_met(one: Break, call: Call, spent: Callable[[], Spent], asks: Callable[[], Any]) -> bool:
    if one.kind == "any":
        return True
    if one.kind == "model":
        return call.kind == "model"
    if one.kind == "tool":
        return call.kind == "tool" and (not one.name or fnmatchcase(call.name, one.name))
    if one.kind == "text":
        return one.words.casefold() in said_anew(asks()).casefold()
    tokens, cost = spent()
    return (tokens if one.kind == "tokens" else cost or 0.0) > one.bound


def said_anew(asked: Any) -> str:
    """The text of what is asked. Of a conversation only what follows the model's last answer: all
    before it was asked already."""
    if isinstance(asked, dict) and isinstance(asked.get("messages"), list):
        messages = asked["messages"]
        asked = messages[first_new(messages) :]
    return "\n".join(_texts(asked))


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [] if value is None or isinstance(value, bool) else [str(value)]
