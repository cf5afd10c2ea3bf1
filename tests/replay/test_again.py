"""Ask the model again: the same question, or an edited one, for real; and what that may cost."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
import requests

import tracer
from tests.support.agents import Bench, said
from tests.support.servers import Exchange, Numbered, OddServer
from tracer.demo.model_server import ModelServer
from tracer.errors import UsageError
from tracer.providers.editing import Edit
from tracer.reexecution.substitute import Substitute

EDIT = Edit("another-model", 0.25, "You are brief.")


@pytest.fixture
def seen() -> list[dict[str, Any]]:
    """The bodies that reached the server."""
    return []


@pytest.fixture
def server(seen: list[dict[str, Any]]) -> Iterator[OddServer]:
    def answer(exchange: Exchange) -> None:
        seen.append(exchange.asked.json)
        assert int(exchange.asked.headers["content-length"]) == len(exchange.asked.body)
        exchange.say(f"answer {exchange.number}")

    with OddServer(answer) as odd:
        yield odd


def _openai(url: str, *, stream: bool) -> Callable[[str], str]:
    def ask(text: str) -> str:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="sk-test-0123456789")
        messages: Any = [{"role": "user", "content": text}]
        asked: Any = client.chat.completions.create(model="m", messages=messages, stream=stream)
        if stream:
            return "".join(c.choices[0].delta.content or "" for c in asked if c.choices)
        return str(asked.choices[0].message.content)

    return ask


def _anthropic(url: str, *, stream: bool) -> Callable[[str], str]:
    def ask(text: str) -> str:
        client = anthropic.Anthropic(base_url=url, api_key="sk-ant-test-0123456789")
        given: Any = {
            "model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}],
        }  # fmt: skip
        if stream:
            with client.messages.stream(**given) as events:
                return "".join(events.text_stream)
        found: Any = client.messages.create(**given).content[0]
        return str(found.text)

    return ask


def _agent(ask: Callable[[str], str]) -> Callable[[], list[str]]:
    @tracer.agent
    def three() -> list[str]:
        first = ask("one")
        second = ask(f"two {first}")
        return [first, second, ask(f"three {second}")]

    return three


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("make", [_openai, _anthropic])
def test_the_same_question_for_real(
    bench: Bench, server: OddServer, seen: list[dict[str, Any]], make: Any, stream: bool
) -> None:
    agent = _agent(make(server.url, stream=stream))
    assert agent() == ["answer 1", "answer 2", "answer 3"]
    came = bench.fork(agent, Substitute("again"), model_call=2)
    assert came.verdict() == (0, None)
    assert came.result == ["answer 1", "answer 4", "answer 5"]
    assert came.sources("model") == ["recorded", "live", "live"]
    assert seen[3] == seen[1]
    assert came.run.fork is not None and came.run.fork["kind"] == "again"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("make", [_openai, _anthropic])
def test_an_edited_question_for_real(
    bench: Bench, server: OddServer, seen: list[dict[str, Any]], make: Any, stream: bool
) -> None:
    agent = _agent(make(server.url, stream=stream))
    agent()
    came = bench.fork(agent, Substitute("again", edit=EDIT), model_call=2)
    assert came.verdict() == (0, None)
    assert (seen[3]["model"], seen[3]["temperature"]) == ("another-model", 0.25)
    assert "You are brief." in json.dumps(seen[3])
    assert (seen[4]["model"], "temperature" in seen[4]) == ("m", False)  # only that one call
    step = [step for step in came.steps if step.kind == "model"][1]
    assert (step.model, step.detail["again"]) == ("another-model", EDIT.as_json())
    with bench.store as store:
        request = store.request(step)
    assert request is not None and json.loads(request.body) == seen[3]  # what was really asked


def test_a_client_whose_requests_can_not_be_edited(bench: Bench, server: OddServer) -> None:
    def ask(text: str) -> str:
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        reply = requests.post(f"{server.url}/v1/chat/completions", json=body)
        return str(reply.json()["choices"][0]["message"]["content"])

    agent = _agent(ask)
    agent()
    came = bench.fork(agent, Substitute("again", edit=EDIT), model_call=2)
    code, message = came.verdict()
    assert code == 125 and message is not None and "only that of httpx" in message
    assert server.count == 3
    assert bench.fork(agent, Substitute("again"), model_call=2).verdict() == (0, None)
    assert server.count == 5


def test_what_makes_no_sense_is_refused_before_anything_runs(bench: Bench) -> None:
    @tracer.tool
    def look() -> str:
        return "found"

    @tracer.model
    def generate(messages: list[dict[str, str]]) -> str:
        return "said"

    @tracer.agent
    def agent() -> str:
        return look() + generate([{"role": "user", "content": "hi"}])

    agent()
    tool, model = bench.step("tool"), bench.step("model")
    with pytest.raises(UsageError, match="only a model can be asked again"):
        bench.fork(agent, Substitute("again"), step=tool.n)
    with pytest.raises(UsageError, match="leave out --model"):
        bench.fork(agent, Substitute("again", edit=EDIT), step=model.n)
    with pytest.raises(UsageError, match="for real"):
        bench.fork(agent, Substitute("again"), step=model.n, after="recorded")
    assert bench.fork(agent, Substitute("again"), step=model.n).result == "foundsaid"


@pytest.mark.parametrize(
    ("ceiling", "words", "calls"),
    [
        ({"max_live_calls": 1}, "limit of 1 live calls", 1),
        ({"max_tokens": 1}, "limit of 1 tokens", 1),
        ({"max_cost": 1e-9}, "limit of $1e-09", 1),
        ({"max_minutes": 0.0}, "limit of 0 minutes", 0),
    ],
)
def test_a_ceiling_ends_it_before_the_call_that_would_pass_it(
    bench: Bench, ceiling: dict[str, Any], words: str, calls: int
) -> None:
    with ModelServer(latency=False, brain=Numbered()) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-test-0123456789")

        def ask(text: str) -> str:
            messages: Any = [{"role": "user", "content": text}]
            reply = client.chat.completions.create(model="gpt-4o-mini", messages=messages)
            if "max_cost" in ceiling:
                tracer_flush()
            return str(reply.choices[0].message.content)

        agent = _agent(ask)
        agent()
        before = server.request_count
        came = bench.fork(agent, said("Otherwise."), model_call=1, **ceiling)
        code, message = came.verdict()
        assert code == 4 and message is not None and words in message
        assert server.request_count == before + calls
        assert came.run.status == "stopped"


def tracer_flush() -> None:
    """Prices come a moment after the answer."""
    from tracer.capture import runtime

    runtime.flush(5)
