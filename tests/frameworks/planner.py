"""The model behind the framework agents: plans an evening with whatever tools it is offered.

Stateless, like a provider: what it says depends on the conversation alone. It asks for the weather
in two cities at once, hands over where it can, books a table, cancels it (which fails), and sums up.
"""

import re
from collections.abc import Iterator

from tracer.demo.conversation import Answer, Call, Conversation

CITIES = ("Berlin", "Paris")
SUMMARY = "Sunny in Berlin and Paris; a table for 2 is booked, it can't be cancelled."
_HANDOVER = re.compile(r"transfer|handoff|hand_off|delegate|ask_", re.IGNORECASE)


def answer(conversation: Conversation) -> Answer:
    """What the model says next."""
    offered, done = list(conversation.tools), {call.name for call in conversation.executed}
    for calls in _wishes(offered):
        if not {call.name for call in calls} & done:
            return Answer("", tuple(calls))
    return Answer(SUMMARY)


def _wishes(offered: list[str]) -> Iterator[list[Call]]:
    weather = _named(offered, "get_weather")
    if weather:
        yield [Call(weather, {"city": city}) for city in CITIES]
    handover = next((name for name in offered if _HANDOVER.search(name)), None)
    if handover:
        yield [Call(handover, {"task": "book a table"} if "ask_" in handover else {})]
    book = _named(offered, "book_table")
    if book:
        yield [Call(book, {"city": "Berlin", "people": 2})]
    cancel = _named(offered, "cancel_table")
    if cancel:
        yield [Call(cancel, {"ref": "T-7"})]
    final = _named(offered, "final_answer")
    if final:
        yield [Call(final, {"answer": SUMMARY})]


def _named(offered: list[str], name: str) -> str | None:
    return next((full for full in offered if full.endswith(name)), None)


__all__ = ["CITIES", "SUMMARY", "answer"]
