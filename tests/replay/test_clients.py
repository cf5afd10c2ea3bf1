"""Agents that ask models by hand, over any client: programs recorded, replayed and forked."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.agents import called, said
from tests.support.processes import Desk
from tests.support.servers import Exchange, OddServer
from tracer.demo.conversation import Call

LOOP = '''
TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {
    "type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}}}]

@tracer.tool
def look_up(order):
    ledger("looked", order)
    return {"order": order, "place": "the harbour"}

def heard(message, messages):
    """Do what the model asks for; True when it has answered."""
    messages.append(message)
    for call in message.get("tool_calls") or ():
        found = look_up(**json.loads(call["function"]["arguments"]))
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": json.dumps(found)})
    return not message.get("tool_calls")

QUESTION = [{"role": "user", "content": "Where is order A-1?"}]

def joined(chunks):
    """The message that a stream's chunks make."""
    made = {"role": "assistant", "content": "", "tool_calls": []}
    for chunk in chunks:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            made["content"] += delta.get("content") or ""
            for part in delta.get("tool_calls") or ():
                if part.get("id"):
                    made["tool_calls"].append({"id": part["id"], "type": "function", "function": {
                        "name": part["function"]["name"], "arguments": ""}})
                more = part["function"].get("arguments") or ""
                made["tool_calls"][-1]["function"]["arguments"] += more
    return made

def events(lines):
    for line in lines:
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])
'''
REQUESTS = """
import requests

def main(stream):
    messages, session = list(QUESTION), requests.Session()
    while True:
        with session.post(BASE + "/chat/completions", headers=KEY, stream=stream,
                          json=body(messages, tools=TOOLS, stream=stream)) as reply:
            reply.raise_for_status()
            if stream:
                message = joined(events(reply.iter_lines()))
            else:
                message = reply.json()["choices"][0]["message"]
        if heard(message, messages):
            return message["content"]
"""
AIOHTTP = """
import aiohttp

async def later(stream):
    messages = list(QUESTION)
    async with aiohttp.ClientSession(headers=KEY, raise_for_status=True) as session:
        while True:
            asked = body(messages, tools=TOOLS, stream=stream)
            async with session.post(BASE + "/chat/completions", json=asked) as reply:
                if stream:
                    message = joined(events([line async for line in reply.content]))
                else:
                    message = (await reply.json())["choices"][0]["message"]
            if heard(message, messages):
                return message["content"]

def main(stream):
    return asyncio.run(later(stream))
"""
URLLIB = """
import urllib.request

def main(stream):
    messages = list(QUESTION)
    while True:
        data = json.dumps(body(messages, tools=TOOLS, stream=stream)).encode()
        request = urllib.request.Request(BASE + "/chat/completions", data, {
            **KEY, "content-type": "application/json"})
        with urllib.request.urlopen(request) as reply:
            if stream:
                message = joined(events(reply))
            else:
                message = json.load(reply)["choices"][0]["message"]
        if heard(message, messages):
            return message["content"]
"""
PROGRAMS = {"requests": REQUESTS, "aiohttp": AIOHTTP, "urllib": URLLIB}
END = """
print(main({stream}))
"""


def brain(exchange: Exchange) -> None:
    """Asks for the tool, then says what it found."""
    messages = exchange.asked.json["messages"]
    if messages[-1]["role"] == "tool":
        exchange.say(f"I found {messages[-1]['content']}")
    else:
        exchange.say("", Call("look_up", {"order": "A-1"}))


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer(brain) as running:
        yield running


@pytest.fixture(params=[(name, stream) for name in PROGRAMS for stream in (False, True)])
def recorded(request: Any, desk: Desk, server: OddServer) -> Desk:
    """A desk whose last run is that of one of the programs."""
    name, stream = request.param
    desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
    desk.load("requests", "aiohttp")
    script = desk.write("agent.py", LOOP + PROGRAMS[name] + END.format(stream=stream))
    plain = desk.record(script, how="plain")
    done = desk.record(script)
    assert (done.code, done.out, done.err) == (0, plain.out, plain.err)
    assert "the harbour" in done.out
    return desk


def test_a_program_is_replayed_without_a_connection(recorded: Desk, server: OddServer) -> None:
    desk = recorded
    kinds = [(step.kind, step.name) for step in desk.steps()]
    assert kinds == [
        ("model", "chat gpt-4o-mini"), ("tool", "look_up"), ("model", "chat gpt-4o-mini"),
    ]  # fmt: skip
    assert all(step.usage is not None for step in desk.steps() if step.kind == "model")
    before, done = server.count, desk.ledger()
    came = desk.replay()
    assert (came.code, came.message, came.divergences) == (0, None, [])
    assert "the harbour" in came.out
    assert (server.count, desk.ledger()) == (before, done)
    sources = {step.source for step in desk.steps(came.run_id)}
    assert sources == {"recorded"}


def test_a_program_is_forked_with_another_answer(recorded: Desk, server: OddServer) -> None:
    desk = recorded
    run, before = desk.run().id, server.count
    came = desk.fork(said("Nobody knows."), run=run, model_call=1)
    assert (came.code, came.out.strip(), server.count) == (0, "Nobody knows.", before)
    came = desk.fork(
        called("look_up", order="B-2"), run=run, model_call=1, tools={"look_up": "live"}
    )
    assert came.code == 0, came.message
    assert "B-2" in came.out
    assert desk.ledger()[-1] == "looked B-2"
    assert server.count == before + 1, "the second question is another one, so it is asked"
