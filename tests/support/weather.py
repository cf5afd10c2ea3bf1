"""One small agent, written with each SDK: it asks for the weather and says where to go.

Its tool `weather` writes to the ledger; its model asks for Bergen, then for Oslo.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import pytest

from tests.support.processes import Desk
from tracer.core.records import Step
from tracer.demo.conversation import Answer, Call, Conversation

# What the SDKs load when they are first used, which is most of them.
OPENAI = ("openai.resources.chat.completions", "openai.lib.streaming.chat", "openai.types.chat")
RESPONSES = ("openai.resources.responses", "openai.lib.streaming.responses")
ANTHROPIC = ("anthropic.resources.messages", "anthropic.lib.streaming", "anthropic.types")
GOOGLE = ("google.genai.models", "google.genai.types", "aiohttp", "ollama")
BEDROCK = ("boto3.session", "botocore.client", "botocore.eventstream", "anthropic.lib.bedrock")
LEDGER = "weather Bergen\nweather Oslo\n"
F = TypeVar("F", bound="str | tuple[str, ...]")


def next_city(told: Sequence[Mapping[str, Any]]) -> str | None:
    """The city to ask for after these results of the tool; None when that is enough."""
    asked = {item["city"] for item in told}
    wanted = (city for city in ("Bergen", "Oslo") if city not in asked)
    return next(wanted, None) if len(asked) < 2 else None


def conclusion(told: Sequence[Mapping[str, Any]]) -> str:
    """Where it does not rain, from what was told."""
    dry = [item["city"] for item in told if item["sky"] == "clear"]
    return f"Go to {dry[0]}." if dry else "Stay at home."


def brain(conversation: Conversation) -> Answer:
    """The model, behind the demo's server."""
    told = [done.result for done in conversation.executed]
    city = next_city(told)
    if city is None:
        return Answer(conclusion(told))
    return Answer("Let me look.", (Call("weather", {"city": city}),))


def record_forms(
    forms: Iterable[F],
    agent: str,
    env: Mapping[str, str],
    factory: pytest.TempPathFactory,
    *loaded: str,
) -> dict[F, Desk]:
    """One recording of the agent for each list of arguments; re-executions only add runs, and find
    the modules `loaded`, as do the recordings after the first."""
    made: dict[F, Desk] = {}
    for form in forms:
        words = (form,) if isinstance(form, str) else form
        desk = Desk(factory.mktemp("-".join(words)), {**env, "TRACER_QUIET": "1"})
        desk.load(*loaded)
        script = desk.write("agent.py", agent, prelude=False)
        done = desk.record(script, *words, cold=not made)
        assert done.out.splitlines()[-1:] == ["Go to Oslo."], done.err
        made[form] = desk
    return made


def with_its_ledger(desk: Desk) -> Desk:
    """A desk whose ledger is as its recording left it."""
    (desk.folder / "ledger").write_text(LEDGER)
    return desk


def sources(steps: list[Step], *kinds: str) -> list[str]:
    """Where the answers of the steps of some kinds came from, in order."""
    return [step.source for step in steps if step.kind in kinds]
