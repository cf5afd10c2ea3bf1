"""Forking at each model call, for both APIs, streaming and not, through the real SDKs.

Before the step: recorded. The step: substituted. After it: live. The parent stays as it was, and an
identical substitute gives an identical run with no request at all.
"""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.processes import Desk
from tests.support.weather import ANTHROPIC, OPENAI, brain, record_forms, sources, with_its_ledger
from tracer.demo.model_server import ModelServer
from tracer.reexecution.substitute import Substitute
from tracer.store.reading import Store

AGENT = """
import json, os, sys
import tracer

TOOLS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

@tracer.tool(effect="external")
def weather(city):
    with open(os.environ["LEDGER"], "a") as file:
        file.write(f"weather {city}\\n")
    return {"city": city, "sky": "clear" if city == "Oslo" else "rain"}

def openai_turn(messages, stream):
    import openai
    client = openai.OpenAI()
    offered = [{"type": "function", "function": {"name": "weather", "parameters": TOOLS}}]
    asked = dict(model="gpt-4o-mini", messages=messages, tools=offered)
    if stream:
        with client.chat.completions.stream(**asked) as events:
            for _ in events: pass
            reply = events.get_final_completion()
    else:
        reply = client.chat.completions.create(**asked)
    message = reply.choices[0].message
    kept = {"role", "content", "tool_calls"}
    messages.append(message.model_dump(exclude_none=True, include=kept))
    calls = message.tool_calls or []
    named = [(c.id, c.function.name, json.loads(c.function.arguments)) for c in calls]
    return message.content, named

def anthropic_turn(messages, stream):
    import anthropic
    client = anthropic.Anthropic()
    offered = [{"name": "weather", "input_schema": TOOLS}]
    asked = dict(model="claude-haiku-4-5", max_tokens=500, messages=messages, tools=offered)
    if stream:
        with client.messages.stream(**asked) as events:
            for _ in events.text_stream: pass
            reply = events.get_final_message()
    else:
        reply = client.messages.create(**asked)
    kept = {"type", "text", "id", "name", "input"}
    blocks = [block.model_dump(include=kept) for block in reply.content]
    messages.append({"role": "assistant", "content": blocks})
    texts = [b.text for b in reply.content if b.type == "text"]
    return " ".join(texts), [(b.id, b.name, b.input) for b in reply.content if b.type == "tool_use"]

@tracer.agent
def agent(api, stream):
    messages = [{"role": "user", "content": "Where should I go?"}]
    for _ in range(6):
        turn = openai_turn if api == "openai" else anthropic_turn
        text, calls = turn(messages, stream)
        if not calls:
            return text
        results = []
        for call_id, name, arguments in calls:
            result = json.dumps(weather(**arguments))
            if api == "openai":
                messages.append({"role": "tool", "tool_call_id": call_id, "content": result})
            else:
                results.append({"type": "tool_result", "tool_use_id": call_id, "content": result})
        if results:
            messages.append({"role": "user", "content": results})
    return "no end"

if __name__ == "__main__":
    print(agent(sys.argv[1], sys.argv[2] == "stream"))
"""
Form = tuple[str, str]
FORMS: list[Form] = [
    ("openai", "json"),
    ("openai", "stream"),
    ("anthropic", "json"),
    ("anthropic", "stream"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False, brain=brain) as running:
        yield running


@pytest.fixture(scope="module")
def desks(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> dict[Form, Desk]:
    """One recording of each form; re-executions only add runs of their own."""
    env = {
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "ANTHROPIC_BASE_URL": server.url,
        "OPENAI_API_KEY": "sk-desk-0123456789",
        "ANTHROPIC_API_KEY": "sk-ant-desk-0123456789",
    }
    return record_forms(FORMS, AGENT, env, tmp_path_factory, *OPENAI, *ANTHROPIC)


@pytest.fixture(params=FORMS, ids="-".join)
def recorded(request: pytest.FixtureRequest, desks: dict[Form, Desk]) -> Desk:
    return with_its_ledger(desks[request.param])


def rows(desk: Desk, run_id: str) -> list[Any]:
    """Everything the database says of a run and its steps."""
    connection = sqlite3.connect(desk.database)
    found = connection.execute(
        "select r.*, s.* from run r join step s on s.run = r.key where r.id = ? order by s.n",
        (run_id,),
    ).fetchall()
    connection.close()
    return found


def test_a_tool_call_with_other_arguments(recorded: Desk, server: ModelServer) -> None:
    parent = recorded.run()
    before = rows(recorded, parent.id)
    assert before
    asked = server.request_count
    elsewhere = Substitute("tool_call", tool_name="weather", arguments={"city": "Trondheim"})
    came = recorded.fork(elsewhere, model_call=2, tools={"weather": "live"})
    assert (came.code, came.message) == (0, None), came.err
    assert came.out.splitlines()[-1] == "Stay at home."
    steps = recorded.steps(came.run_id)
    assert sources(steps, "model") == ["recorded", "substituted", "live"]
    assert sources(steps, "tool") == ["recorded", "live"]
    assert server.request_count == asked + 1
    assert recorded.ledger() == ["weather Bergen", "weather Oslo", "weather Trondheim"]
    assert rows(recorded, parent.id) == before, "the parent was changed"
    child = recorded.run(came.run_id)
    assert child.parent_run == parent.id
    assert child.fork is not None
    assert (child.fork["kind"], child.fork["after"]) == ("tool_call", "live")


def test_text_in_place_of_a_tool_call(recorded: Desk, server: ModelServer) -> None:
    asked = server.request_count
    came = recorded.fork(Substitute("text", text="Just stay."), model_call=1)
    assert (came.code, came.out.splitlines()[-1]) == (0, "Just stay."), came.err
    assert sources(recorded.steps(came.run_id), "model") == ["substituted"]
    assert server.request_count == asked


def test_a_tool_call_in_place_of_text(recorded: Desk, server: ModelServer) -> None:
    again = Substitute("tool_call", tool_name="weather", arguments={"city": "Bodø"})
    came = recorded.fork(
        again, model_call=3, tools={"weather": 'stub:{"city":"Bodø","sky":"clear"}'}
    )
    assert (came.code, came.out.splitlines()[-1]) == (0, "Go to Oslo."), came.err
    steps = recorded.steps(came.run_id)
    assert sources(steps, "model") == ["recorded", "recorded", "substituted", "live"]
    assert sources(steps, "tool") == ["recorded", "recorded", "stubbed"]
    assert recorded.ledger() == ["weather Bergen", "weather Oslo"]


def test_the_same_answer_gives_the_same_run(recorded: Desk, server: ModelServer) -> None:
    asked = server.request_count
    parent = recorded.steps()
    with Store.open(recorded.database) as store:
        calls = [step for step in parent if step.kind == "model"]
        said = [json.loads(store.output_messages(step) or b"[]")[0] for step in calls]
    for number, message in enumerate(said, 1):
        same = Substitute("response", response=message)
        came = recorded.fork(same, model_call=number, after="recorded")
        assert (came.code, came.divergences) == (0, []), came.message
        assert came.out.splitlines()[-1] == "Go to Oslo."
        steps = recorded.steps(came.run_id)
        expected = ["substituted" if n == number else "recorded" for n in (1, 2, 3)]
        assert sources(steps, "model") == expected
        assert sources(steps, "tool") == ["recorded", "recorded"]
        assert [s.fingerprint for s in steps] == [s.fingerprint for s in parent]
    assert server.request_count == asked
    assert recorded.ledger() == ["weather Bergen", "weather Oslo"]


ALL = ("429", "500", "timeout", "reset", "cut_stream", "invalid_json")
FAILURES = [(("openai", "json"), kind) for kind in ALL]
FAILURES += [(form, kind) for form in FORMS[1:] for kind in ("429", "cut_stream")]


@pytest.mark.parametrize(("form", "kind"), FAILURES, ids=str)
def test_a_failure_reaches_the_agent(
    desks: dict[Form, Desk], server: ModelServer, form: Form, kind: str
) -> None:
    recorded = desks[form]
    asked = server.request_count
    came = recorded.fork(Substitute("error", error=kind), model_call=2, after="recorded")
    assert server.request_count == asked
    models = [step for step in recorded.steps(came.run_id) if step.kind == "model"]
    assert models[1].source == "substituted"
    if came.code == 1:
        assert came.message is not None
        assert came.message.startswith("the re-executed agent failed: ")
    else:
        # The SDK asks again after a broken connection; offline there is no second answer.
        assert came.code == 4, came.message
        assert kind in ("timeout", "reset", "cut_stream")


def test_a_changed_prompt_is_named(recorded: Desk, server: ModelServer) -> None:
    asked = server.request_count
    script = recorded.folder / "agent.py"
    source = script.read_text("utf-8")
    script.write_text(source.replace("Where should I go?", "Where must I go?"), "utf-8")
    try:
        came = recorded.replay()
    finally:
        script.write_text(source, "utf-8")
    assert came.code == 3
    assert came.message is not None
    step = next(s for s in recorded.steps() if s.kind == "model")
    for part in (f"step {step.n}", "messages[0]", "Where should I go?", "Where must I go?"):
        assert part in came.message
    assert came.divergences[0]["n"] == step.n
    assert server.request_count == asked
