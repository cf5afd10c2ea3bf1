"""The model behind the framework agents: plans an evening with whatever tools it is offered.

Stateless, like a provider: what it says depends on the conversation alone. It asks for the weather
in two cities at once, hands over where it can, books a table, cancels it (which fails), sums up.
Frameworks that put tools into the prompt are answered in their own text format.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tracer.demo.conversation import Answer, Call, Conversation

CITIES = ("Berlin", "Paris")
SUMMARY = "Sunny in Berlin and Paris; a table for 2 is booked, it can't be cancelled."
REFUSED = "too late to cancel T-7"
_HANDOVER = re.compile(r"transfer|handoff|hand_off|delegate|ask_", re.IGNORECASE)
_EVENING = ("get_weather", "book_table", "cancel_table")
# For agents whose only tool is a shell.
COMMANDS = (
    "echo sunny in Berlin",
    "echo sunny in Paris",
    'echo booked Berlin 2 >> "$LEDGER" && echo T-7',
    f"echo {REFUSED} && false",
)
_SUBMIT = f'echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT && echo "{SUMMARY}"'


@dataclass(frozen=True)
class Wish:
    """A call to ask for, until `sign` is in a result (not every framework sends the calls back) or
    a call of that tool is in the history."""

    call: Call
    sign: str | None = None


def answer(conversation: Conversation) -> Answer:
    """What the model says next."""
    if "next_tool_name" in conversation.system:
        return Answer(_dspy(conversation))
    if "`plan`" in conversation.system and "[[ ##" in conversation.system:
        return Answer(f"[[ ## reasoning ## ]]\nAll is done.\n\n[[ ## plan ## ]]\n{SUMMARY}\n")
    if "<code>" in conversation.system:
        return Answer(_code(conversation))
    for wishes in _wishes(conversation.tools):
        if not any(_is_done(wish, conversation) for wish in wishes):
            return Answer("", tuple(wish.call for wish in wishes))
    return Answer(SUMMARY)


def _is_done(wish: Wish, conversation: Conversation) -> bool:
    if wish.sign is not None and wish.sign in _results(conversation):
        return True
    return wish.call.name in {call.name for call in conversation.executed} and not _is_shell(wish)


def _is_shell(wish: Wish) -> bool:
    return "command" in wish.call.arguments


def _results(conversation: Conversation) -> str:
    executed = [json.dumps(call.result, default=str) for call in conversation.executed]
    return "\n".join([*conversation.users, *executed])


def _evening(names: Mapping[str, str | None]) -> Iterator[list[Wish]]:
    weather, book, cancel = (names[name] for name in _EVENING)
    if weather:
        yield [Wish(Call(weather, {"city": city}), f"sunny in {city}") for city in CITIES]
    if book:
        yield [Wish(Call(book, {"city": "Berlin", "people": 2}), "T-7")]
    if cancel:
        yield [Wish(Call(cancel, {"ref": "T-7"}), "too late")]


def _wishes(tools: Mapping[str, Any]) -> Iterator[list[Wish]]:
    offered = list(tools)
    if "bash" in offered:
        signs = ("sunny in Berlin", "sunny in Paris", "T-7", REFUSED)
        calls = [Call("bash", {"command": command}) for command in COMMANDS]
        wishes = [Wish(call, sign) for call, sign in zip(calls, signs, strict=True)]
        yield from (wishes[:2], wishes[2:3], wishes[3:])
        yield [Wish(Call("bash", {"command": _SUBMIT}), None)]
    names = {name: _named(offered, name) for name in _EVENING}
    evening = list(_evening(names))
    yield from evening[: 1 if names["get_weather"] else 0]
    handover = next((name for name in offered if _HANDOVER.search(name)), None)
    if handover and not names["book_table"]:
        yield [Wish(Call(handover, _filled(tools[handover])))]
    yield from evening[1 if names["get_weather"] else 0 :]
    final = _named(offered, "final_answer")
    if final:
        yield [Wish(Call(final, {"answer": SUMMARY}))]


def _named(offered: list[str], name: str) -> str | None:
    return next((full for full in offered if full.endswith(name)), None)


def _filled(schema: Any) -> dict[str, Any]:
    """What a handover wants to know: to whom, and what for."""
    wanted = schema.get("required") or ()
    return {name: "booker" if "agent" in name else "Book a table." for name in wanted}


def _next(conversation: Conversation) -> Call | None:
    """One call at a time, for formats that know no more."""
    for wishes in _evening({name: name for name in _EVENING}):
        for wish in wishes:
            if wish.sign is None or wish.sign not in _results(conversation):
                return wish.call
    return None


def _dspy(conversation: Conversation) -> str:
    call = _next(conversation) or Call("finish", {})
    return (
        f"[[ ## next_thought ## ]]\nGoing on.\n\n[[ ## next_tool_name ## ]]\n{call.name}\n\n"
        f"[[ ## next_tool_args ## ]]\n{json.dumps(call.arguments)}\n\n[[ ## completed ## ]]\n"
    )


def _code(conversation: Conversation) -> str:
    call = _next(conversation) or Call("final_answer", {"answer": SUMMARY})
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    return f"Thought: going on.\n<code>\nprint({call.name}({arguments}))\n</code>"


def loaded(messages: bytes | None) -> list[Any]:
    """Stored messages as data."""
    return [] if messages is None else list(json.loads(messages))
