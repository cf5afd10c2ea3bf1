"""The model behind the framework agents: plans an evening with whatever tools it is offered.

Stateless, like a provider: what it says depends on the conversation alone. It asks for the weather
in two cities at once, hands over where it can, books a table, cancels it (which fails), sums up.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tracer.demo.conversation import Answer, Call, Conversation

CITIES = ("Berlin", "Paris")
SUMMARY = "Sunny in Berlin and Paris; a table for 2 is booked, it can't be cancelled."
_HANDOVER = re.compile(r"transfer|handoff|hand_off|delegate|ask_", re.IGNORECASE)


def answer(conversation: Conversation) -> Answer:
    """What the model says next."""
    executed = conversation.executed
    seen = "\n".join(
        [*conversation.users, *(json.dumps(call.result, default=str) for call in executed)]
    )
    for calls, sign in _wishes(conversation.tools):
        asked = {call.name for call in executed}
        if not {call.name for call in calls} & asked and (sign is None or sign not in seen):
            return Answer("", tuple(calls))
    return Answer(SUMMARY)


def _wishes(tools: Mapping[str, Any]) -> Iterator[tuple[list[Call], str | None]]:
    """What to ask for, in order, and the words of the result that tell it was done: not every
    framework sends the calls themselves back."""
    offered = list(tools)
    weather = _named(offered, "get_weather")
    if weather:
        yield [Call(weather, {"city": city}) for city in CITIES], "sunny in"
    handover = next((name for name in offered if _HANDOVER.search(name)), None)
    if handover and not _named(offered, "book_table"):
        yield [Call(handover, _filled(tools[handover]))], None
    book = _named(offered, "book_table")
    if book:
        yield [Call(book, {"city": "Berlin", "people": 2})], "T-7"
    cancel = _named(offered, "cancel_table")
    if cancel:
        yield [Call(cancel, {"ref": "T-7"})], "too late"
    final = _named(offered, "final_answer")
    if final:
        yield [Call(final, {"answer": SUMMARY})], None


def _filled(schema: Any) -> dict[str, Any]:
    """What a handover wants to know: to whom, and what for."""
    wanted = schema.get("required") or ()
    return {name: "booker" if "agent" in name else "Book a table." for name in wanted}


def _named(offered: list[str], name: str) -> str | None:
    return next((full for full in offered if full.endswith(name)), None)


def loaded(messages: bytes | None) -> list[Any]:
    """Stored messages as data."""
    return [] if messages is None else list(json.loads(messages))
