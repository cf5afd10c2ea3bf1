"""Agents without a word of tracer in them: their tools are found, recorded, and not run again."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.processes import Desk
from tests.support.weather import brain
from tracer.demo.model_server import ModelServer
from tracer.reexecution.substitute import Substitute

LOOP = '''
import asyncio, functools, json, os, sys
import httpx

BASE = os.environ["OPENAI_BASE_URL"]

def ledger(*words):
    with open(os.environ["LEDGER"], "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")

def converse(call, names=("weather",)):
    """Ask until there are no more tool calls; `call(name, arguments)` does them."""
    tools = [{"type": "function", "function": {"name": n, "parameters": {}}} for n in names]
    messages = [{"role": "user", "content": "Where should I go?"}]
    for _ in range(6):
        body = {"model": "gpt-4o-mini", "messages": messages, "tools": tools}
        reply = httpx.post(BASE + "/chat/completions", json=body)
        message = reply.json()["choices"][0]["message"]
        messages.append(message)
        if not message.get("tool_calls"):
            return message["content"]
        for made in message["tool_calls"]:
            result = call(made["function"]["name"], json.loads(made["function"]["arguments"]))
            messages.append(
                {"role": "tool", "tool_call_id": made["id"], "content": json.dumps(result)}
            )
    return "no end"
'''

AGENTS = {
    "by name": """
def weather(city):
    ledger("weather", city)
    return {"city": city, "sky": "clear" if city == "Oslo" else "rain"}

print(converse(lambda name, given: weather(**given)))
""",
    "a table made before": """
def _look(city):
    ledger("weather", city)
    return {"city": city, "sky": "clear" if city == "Oslo" else "rain"}

TOOLS = {"weather": _look}
print(converse(lambda name, given: TOOLS[name](**given)))
""",
    "a method": """
class Desk:
    def __init__(self):
        self.sky = {"Oslo": "clear"}
        self.table = {"weather": self.weather}

    def weather(self, city):
        ledger("weather", city)
        return {"city": city, "sky": self.sky.get(city, "rain")}

desk = Desk()
print(converse(lambda name, given: desk.table[name](**given)))
""",
    "inside a function": """
def main():
    sky = {"Oslo": "clear"}

    def weather(city):
        ledger("weather", city)
        return {"city": city, "sky": sky.get(city, "rain")}

    print(converse(lambda name, given: weather(**given)))

main()
""",
    "a coroutine": """
async def weather(city):
    await asyncio.sleep(0.001)
    ledger("weather", city)
    return {"city": city, "sky": "clear" if city == "Oslo" else "rain"}

print(converse(lambda name, given: asyncio.run(weather(**given))))
""",
    "decorated by the user": """
def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

@logged
def weather(city):
    ledger("weather", city)
    return {"city": city, "sky": "clear" if city == "Oslo" else "rain"}

print(converse(lambda name, given: weather(**given)))
""",
}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False, brain=brain) as running:
        yield running


@pytest.fixture
def at(desk: Desk, server: ModelServer) -> Desk:
    desk.env |= {"OPENAI_BASE_URL": f"{server.url}/v1", "TRACER_QUIET": "1"}
    desk.load()
    return desk


def tools(desk: Desk, ref: str = "last") -> list[tuple[str, Any, str]]:
    return [
        (step.name, desk.bench.value(step, "input"), step.source)
        for step in desk.steps(ref)
        if step.kind == "tool"
    ]


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS.keys())
def test_a_tool_is_found_recorded_and_not_run_again(
    at: Desk, server: ModelServer, agent: str
) -> None:
    script = at.write("agent.py", LOOP + agent, prelude=False)
    done = at.record(script)
    assert (done.code, done.out, done.err) == (0, "Go to Oslo.\n", "")
    assert tools(at) == [
        ("weather", {"city": "Bergen"}, "live"),
        ("weather", {"city": "Oslo"}, "live"),
    ]
    assert at.run().warnings == ()
    asked = server.request_count
    came = at.replay()
    assert (came.code, came.message, came.out) == (0, None, "Go to Oslo.\n"), came.err
    assert [source for *_, source in tools(at, came.run_id)] == ["recorded", "recorded"]
    assert server.request_count == asked
    assert at.ledger() == ["weather Bergen", "weather Oslo"]


def test_a_tool_is_found_although_nothing_could_be_written_yet(at: Desk) -> None:
    """Fails when the end of a model call does not look for its tools itself."""
    locking = """
import sqlite3
held = sqlite3.connect(os.environ["TRACER_DB"], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
"""
    script = at.write(
        "agent.py", LOOP + locking + AGENTS["by name"] + "held.rollback()\n", prelude=False
    )
    assert at.record(script).out == "Go to Oslo.\n"
    assert [name for name, *_ in tools(at)] == ["weather", "weather"]


def test_after_the_fork_an_unknown_effect_needs_leave(at: Desk) -> None:
    at.record(at.write("agent.py", LOOP + AGENTS["by name"], prelude=False))
    elsewhere = Substitute("tool_call", tool_name="weather", arguments={"city": "Trondheim"})
    came = at.fork(elsewhere, model_call=2)
    assert came.code == 4 and "weather" in str(came.message)
    assert at.ledger() == ["weather Bergen", "weather Oslo"]
    came = at.fork(elsewhere, model_call=2, tools={"weather": "live"})
    assert (came.code, came.out) == (0, "Stay at home.\n"), came.err
    assert at.ledger()[2:] == ["weather Trondheim"]


def test_two_functions_of_a_name_are_left_alone_and_named(at: Desk) -> None:
    (at.folder / "other.py").write_text("def weather(city):\n    return {}\n")
    script = at.write("agent.py", LOOP + "import other\n" + AGENTS["by name"], prelude=False)
    done = at.record(script)
    assert done.out == "Go to Oslo.\n"
    assert tools(at) == []
    (warning,) = at.run().warnings
    assert "two functions have its name" in warning
    assert "agent.py:" in warning and "other.py:1" in warning and "--tool" in warning


def test_a_function_is_named_by_hand(at: Desk) -> None:
    source = """
def early(order):
    ledger("early", order)
    return order * 2

def fetch(city):
    return {"city": city, "sky": "clear" if city == "Oslo" else "rain"}

print(early(4))
print(converse(lambda name, given: fetch(**given)))
"""
    script = at.write("agent.py", LOOP + source, prelude=False)
    done = at.record("--tool", "early", "--tool", "__main__:fetch", str(script))
    assert done.out == "8\nGo to Oslo.\n", done.err
    named = [(name, source) for name, _, source in tools(at)]
    assert named == [("early", "live"), ("fetch", "live"), ("fetch", "live")]
    came = at.replay()
    assert (came.code, came.message, came.out) == (0, None, "8\nGo to Oslo.\n"), came.err
    assert at.ledger() == ["early 4"]


def test_a_function_of_another_module_is_named_by_hand(at: Desk) -> None:
    (at.folder / "shop.py").write_text(
        "class Till:\n    def pay(self, amount):\n        return amount + 1\n"
    )
    script = at.write("agent.py", "import shop\nprint(shop.Till().pay(3))\n", prelude=False)
    done = at.record("--tool", "shop:Till.pay", "--tool", "shop:nothing", str(script))
    assert done.out == "4\n", done.err
    assert tools(at) == [("pay", {"amount": 3}, "live")]
    (warning,) = at.run().warnings
    assert "shop:nothing" in warning and "no such function" in warning


def test_nothing_is_looked_for_when_told_so(at: Desk) -> None:
    script = at.write("agent.py", LOOP + AGENTS["by name"], prelude=False)
    done = at.record("--no-discover", str(script))
    assert done.out == "Go to Oslo.\n"
    assert tools(at) == []
    assert at.replay().code == 0


def test_a_decorated_tool_is_one_step(at: Desk) -> None:
    agent = "import tracer\n" + AGENTS["by name"].replace(
        "def weather", "@tracer.tool\ndef weather"
    )
    wrapped = AGENTS["decorated by the user"].replace("@logged", "@logged\n@tracer.tool")
    for source in (agent, "import tracer\n" + wrapped):
        done = at.record(at.write("agent.py", LOOP + source, prelude=False))
        assert done.out == "Go to Oslo.\n", done.err
        assert [name for name, *_ in tools(at)] == ["weather", "weather"]


def test_the_recorded_arguments_are_those_of_the_call(at: Desk) -> None:
    at.record(at.write("agent.py", LOOP + AGENTS["a method"], prelude=False))
    first = next(step for step in at.steps() if step.kind == "tool")
    assert json.dumps(at.bench.value(first)) == '{"city": "Bergen", "sky": "rain"}'
    assert "in <lambda>" in str(first.callsite)
