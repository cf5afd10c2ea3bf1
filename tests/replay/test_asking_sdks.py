"""Answers by hand to models asked through real SDKs, streamed and awaited, in child processes."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Came, Desk
from tests.support.warm import SEED
from tests.support.weather import ANTHROPIC, LEDGER, OPENAI, brain, with_its_ledger
from tracer.core.questions import Question
from tracer.core.records import Step
from tracer.demo.model_server import ModelServer
from tracer.providers.editing import Edit
from tracer.reexecution.resolution import Resolution, answer_question
from tracer.reexecution.substitute import Substitute
from tracer.store.reading import Store

# The same small agent on two SDKs and on a client whose requests can't be changed.
AGENT = """
import asyncio, json, os, sys
import tracer

BASE = os.environ["MODELS"]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

@tracer.tool
def weather(city: str) -> dict:
    with open(os.environ["LEDGER"], "a") as file:
        file.write(f"weather {city}\\n")
    return {"city": city, "sky": "rain" if city == "Bergen" else "clear"}

async def with_openai():
    import openai
    client = openai.AsyncOpenAI(base_url=BASE + "/v1", api_key="sk-none-0123456789", max_retries=0)
    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    messages = [{"role": "user", "content": "Where to?"}]
    while True:
        async with client.chat.completions.stream(model="m", messages=messages, tools=tools) as s:
            message = (await s.get_final_completion()).choices[0].message
        if not message.tool_calls:
            return message.content
        call = message.tool_calls[0]
        messages.append({"role": "assistant", "content": message.content, "tool_calls": [
            {"id": call.id, "type": "function", "function": {
                "name": "weather", "arguments": call.function.arguments}}]})
        messages.append({"role": "tool", "tool_call_id": call.id,
                         "content": json.dumps(weather(**json.loads(call.function.arguments)))})

def with_anthropic():
    import anthropic
    client = anthropic.Anthropic(base_url=BASE, api_key="sk-none-0123456789", max_retries=0)
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    messages = [{"role": "user", "content": "Where to?"}]
    while True:
        with client.messages.stream(
            model="m", max_tokens=99, messages=messages, tools=tools
        ) as stream:
            said = stream.get_final_message()
        calls = [block for block in said.content if block.type == "tool_use"]
        if not calls:
            return said.content[0].text
        messages.append({"role": "assistant", "content": [
            block.model_dump(exclude_none=True) for block in said.content]})
        messages.append({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": call.id,
             "content": json.dumps(weather(**call.input))} for call in calls]})

@tracer.agent
def agent(how):
    return asyncio.run(with_openai()) if how == "openai" else with_anthropic()

try:
    print(agent(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, getattr(error, "status_code", ""))
"""


@pytest.fixture(scope="module", params=["openai", "anthropic"])
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    with ModelServer(latency=False, brain=brain) as server:
        env = {"MODELS": server.url, "TRACER_QUIET": "1", "PYTHONHASHSEED": SEED}
        made = Desk(tmp_path_factory.mktemp(request.param), env)
        done = made.record(made.write("agent.py", AGENT, prelude=False), request.param)
        assert done.out.splitlines()[-1:] == ["Go to Oslo."], done.err
        made.load(*(OPENAI if request.param == "openai" else ANTHROPIC))
        yield made


def asked(database: Path, over: threading.Event, *answers: Resolution) -> list[Question]:
    """Give these answers to what the newest run asks, until all are given."""
    store, seen, left = Store(database), list[Question](), list(answers)
    while left and not over.wait(0.05):
        for question in store.questions(store.runs(limit=1)[0].id, "open"):
            if question.id not in [one.id for one in seen]:
                seen.append(question)
                assert answer_question(database, question, left.pop(0))
    store.close()
    return seen


def fork(desk: Desk, *answers: Resolution) -> tuple[Came, list[Question]]:
    """A fork at the first model call, which asks for Bodø; breakpoints at models."""
    questions, over = list[Question](), threading.Event()
    run = next(run.id for run in desk.bench.runs() if run.parent_run is None)
    thread = threading.Thread(target=lambda: questions.extend(asked(desk.database, over, *answers)))
    thread.start()
    other = Substitute("tool_call", tool_name="weather", arguments={"city": "Bodø"})
    try:
        came = with_its_ledger(desk).fork(
            other,
            run=run,
            model_call=1,
            tools={"*": "live"},
            breaks=("model",),
            wait_minutes=1,
        )
    finally:
        over.set()
        thread.join(20)
    return came, questions


def models(desk: Desk) -> list[Step]:
    newest = desk.bench.runs()[0].id
    return [step for step in desk.steps(newest) if step.kind == "model"]


def test_a_streamed_answer_by_hand_is_read_by_the_sdk(desk: Desk) -> None:
    """A tool call, then a text, then an error: each in the form the SDK asked for."""
    call = Substitute("tool_call", tool_name="weather", arguments={"city": "Alta"})
    text = Substitute("text", text="Go by hand.")
    came, questions = fork(
        desk,
        Resolution("answer", "page", substitute=call),
        Resolution("answer", "page", substitute=text),
    )
    assert (came.code, came.out) == (0, "Go by hand.\n"), came.err
    assert desk.ledger() == [*LEDGER.split("\n")[:2], "weather Bodø", "weather Alta"]
    assert [step.source for step in models(desk)] == ["substituted"] * 3
    first = questions[0].about
    assert (first["goes"], first["asked"]["model"]) == ("live", "m")
    assert [tool["name"] for tool in first["asked"]["tools"]] == ["weather"]

    failure = Substitute("error", error="rate_limit")
    came, _ = fork(desk, Resolution("answer", "page", substitute=failure))
    assert came.out == "RateLimitError 429\n", came.err

    edit = Edit(model="another", temperature=0.5, system="Be brief.")
    came, _ = fork(desk, Resolution("continue", "page", edit=edit), Resolution("stop", "page"))
    assert came.code == 4 and came.message is not None
    assert "stopped by hand, before model" in came.message
    edited = models(desk)[-1]
    with Store.open(desk.database) as store:
        request = store.request(edited)
    assert request is not None and b"Be brief." in request.body
    assert (edited.source, edited.detail["asked"]["did"]) == ("live", "edited")
