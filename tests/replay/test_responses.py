"""Agents that speak Responses: recorded, replayed, forked; and where the provider holds the
conversation, a fork stops before it would ask about another one."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

import tracer
from tests.support.agents import Bench, called, said
from tests.support.processes import Desk
from tests.support.responses_server import ResponsesServer
from tests.support.weather import OPENAI, RESPONSES, record_forms, sources, with_its_ledger
from tracer.errors import EXIT_CANNOT, UsageError
from tracer.reexecution.session import ReplaySpec, plan, plan_with_entry
from tracer.reexecution.substitute import Substitute
from tracer.store.reading import Store

AGENT = """
import json, os, sys
import openai
import tracer

TOOLS = [{"type": "function", "name": "weather", "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
    "additionalProperties": False}}]

@tracer.tool(effect="external")
def weather(city):
    with open(os.environ["LEDGER"], "a") as file:
        file.write(f"weather {city}\\n")
    return {"city": city, "sky": "clear" if city == "Oslo" else "rain"}

def turn(client, items, how):
    asked = dict(model="gpt-5-mini", instructions="Be brief.", input=items, tools=TOOLS,
                 store=False, include=["reasoning.encrypted_content"])
    if how == "json":
        return client.responses.create(**asked).output
    if how == "helper":
        with client.responses.stream(**asked) as events:
            return events.get_final_response().output
    found = []
    for event in client.responses.create(**asked, stream=True):
        if event.type == "response.output_item.done":
            found.append(event.item)
    return found

@tracer.agent
def agent(how):
    client = openai.OpenAI()
    items = [{"role": "user", "content": "Where should I go?"}]
    for _ in range(6):
        output = turn(client, items, how)
        items += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"})
                  for item in output]
        calls = [item for item in output if item.type == "function_call"]
        if not calls:
            [message] = [item for item in output if item.type == "message"]
            return message.content[0].text
        for call in calls:
            result = json.dumps(weather(**json.loads(call.arguments)))
            items.append({"type": "function_call_output", "call_id": call.call_id,
                          "output": result})
    return "no end"

if __name__ == "__main__":
    print(agent(sys.argv[1]))
"""
FORMS = ["json", "stream", "helper"]


@pytest.fixture(scope="module")
def server() -> Iterator[ResponsesServer]:
    with ResponsesServer() as running:
        yield running


@pytest.fixture(scope="module")
def desks(server: ResponsesServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Desk]:
    """One recording of each form; re-executions only add runs of their own."""
    env = {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "sk-desk-0123456789"}
    return record_forms(FORMS, AGENT, env, tmp_path_factory, *OPENAI, *RESPONSES)


@pytest.fixture(params=FORMS)
def recorded(request: pytest.FixtureRequest, desks: dict[str, Desk]) -> Desk:
    return with_its_ledger(desks[request.param])


def test_what_is_recorded(recorded: Desk) -> None:
    models = [step for step in recorded.steps() if step.kind == "model"]
    assert [(s.name, s.api, s.model, s.provider) for s in models] == [
        ("chat gpt-5-mini", "openai.responses", "gpt-5-mini", "openai")
    ] * 3
    first, _, last = models
    assert first.usage is not None
    assert (first.usage.input_tokens, first.usage.cached_input_tokens) == (30, 4)
    assert (first.usage.output_tokens, first.usage.reasoning_tokens) == (12, 5)
    assert first.cost_usd is not None
    assert first.detail["tools_offered"] == ["weather"]
    assert first.detail["finish_reasons"] == ["tool_call"]
    assert first.detail["response_id"].startswith("resp_")
    assert first.summary == '→ weather("Bergen")'
    assert last.summary == "Go to Oslo."
    # Reasoning, a call and its result: three items a turn.
    assert [step.detail["messages"] for step in models] == [1, 4, 7]


def test_a_replay_asks_nothing(recorded: Desk, server: ResponsesServer) -> None:
    asked = server.count
    came = recorded.replay()
    assert (came.code, came.divergences) == (0, []), came.message
    assert came.out.splitlines()[-1] == "Go to Oslo."
    assert sources(recorded.steps(came.run_id), "model") == ["recorded"] * 3
    assert server.count == asked
    assert recorded.ledger() == ["weather Bergen", "weather Oslo"]


def test_a_tool_call_with_other_arguments(recorded: Desk, server: ResponsesServer) -> None:
    asked = server.count
    came = recorded.fork(called("weather", city="Trondheim"), model_call=2, tools=LIVE)
    assert (came.code, came.message) == (0, None), came.err
    assert came.out.splitlines()[-1] == "Stay at home."
    assert sources(recorded.steps(came.run_id), "model") == ["recorded", "substituted", "live"]
    assert server.count == asked + 1
    assert recorded.ledger()[2:] == ["weather Trondheim"]
    sent = server.asked[-1].json["input"]
    before = [s for s in recorded.steps() if s.kind == "model"][1]
    with Store.open(recorded.database) as store:
        reply = store.output_messages(before) or b""
    # The reasoning and the names of the call are those that the provider gave.
    reasoning, call = json.loads(reply)[0]["parts"]
    kept = next(i for i in sent[4:] if i["type"] == "reasoning")
    assert kept["encrypted_content"] == reasoning["encrypted_content"]
    edited = next(i for i in sent[4:] if i["type"] == "function_call")
    assert (edited["call_id"], edited["id"]) == (call["id"], call["item_id"])
    assert json.loads(edited["arguments"]) == {"city": "Trondheim"}


def test_text_in_place_of_a_tool_call(recorded: Desk, server: ResponsesServer) -> None:
    asked = server.count
    came = recorded.fork(said("Just stay."), model_call=1)
    assert (came.code, came.out.splitlines()[-1]) == (0, "Just stay."), came.err
    assert sources(recorded.steps(came.run_id), "model") == ["substituted"]
    assert server.count == asked


def test_a_tool_call_in_place_of_text(recorded: Desk) -> None:
    stub = 'stub:{"city":"Bodø","sky":"clear"}'
    came = recorded.fork(called("weather", city="Bodø"), model_call=3, tools={"weather": stub})
    assert (came.code, came.out.splitlines()[-1]) == (0, "Go to Oslo."), came.err
    assert sources(recorded.steps(came.run_id), "model")[2:] == ["substituted", "live"]


def test_the_same_answer_gives_the_same_run(recorded: Desk, server: ResponsesServer) -> None:
    asked = server.count
    parent = recorded.steps()
    calls = [step for step in parent if step.kind == "model"]
    with Store.open(recorded.database) as store:
        answers = [json.loads(store.output_messages(step) or b"[]")[0] for step in calls]
    for number, message in enumerate(answers, 1):
        same = Substitute("response", response=message)
        came = recorded.fork(same, model_call=number, after="recorded")
        assert (came.code, came.divergences) == (0, []), came.message
        assert came.out.splitlines()[-1] == "Go to Oslo."
        steps = recorded.steps(came.run_id)
        assert [s.fingerprint for s in steps] == [s.fingerprint for s in parent]
    assert server.count == asked


def test_a_providers_own_body_and_failures(recorded: Desk, server: ResponsesServer) -> None:
    content = [{"type": "output_text", "text": "Own words.", "annotations": []}]
    message = {"type": "message", "id": "m", "role": "assistant", "content": content}
    body = {"id": "resp_x", "object": "response", "output": [message], "status": "completed"}
    asked = server.count
    came = recorded.fork(Substitute("response", response=body), model_call=1)
    assert (came.code, came.out.splitlines()[-1]) == (0, "Own words."), came.err
    for kind in ("429", "cut_stream"):
        came = recorded.fork(Substitute("error", error=kind), model_call=2, after="recorded")
        assert came.code in (1, 4), came.message
    assert server.count == asked


def test_a_changed_prompt_is_named(recorded: Desk) -> None:
    script = recorded.folder / "agent.py"
    source = script.read_text("utf-8")
    script.write_text(source.replace("Where should I go?", "Where must I go?"), "utf-8")
    try:
        came = recorded.replay()
    finally:
        script.write_text(source, "utf-8")
    assert came.code == 3
    for part in ("messages[1]", "Where should I go?", "Where must I go?"):
        assert part in (came.message or "")


def test_the_signature_warning(recorded: Desk) -> None:
    with Store.open(recorded.database) as store:
        made = plan(store, ReplaySpec("last", model_call=1, substitute=said("x")))
    assert any("signed for the recorded answer" in warning for warning in made.warnings)


LIVE = {"weather": "live"}
Agent = Callable[[], str]


def held_agent(server: ResponsesServer, how: str) -> Agent:
    """An agent that leaves its history to the provider in one of the ways there are."""
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-test-0123456789")

    @tracer.tool(effect="read")
    def weather(city: str) -> dict[str, str]:
        return {"city": city, "sky": "clear" if city == "Oslo" else "rain"}

    @tracer.agent
    def agent() -> str:
        more: dict[str, Any] = {}
        if how == "conversation":
            more = {"conversation": client.conversations.create().id}
        given: Any = "Where should I go?"
        for _ in range(6):
            reply = client.responses.create(model="gpt-5-mini", input=given, **more)
            calls = [item for item in reply.output if item.type == "function_call"]
            if not calls:
                if how == "looks back":
                    client.responses.retrieve(reply.id)
                return str(reply.output_text)
            given = [
                {
                    "type": "function_call_output",
                    "call_id": call.call_id,
                    "output": json.dumps(weather(**json.loads(call.arguments))),
                }
                for call in calls
            ]
            if how == "reference":
                given = [{"type": "item_reference", "id": call.id} for call in calls] + given
            if how != "conversation":
                more = {"previous_response_id": reply.id}
        return "no end"

    return agent


@pytest.fixture(params=["previous", "conversation", "reference"])
def held(request: pytest.FixtureRequest, bench: Bench, server: ResponsesServer) -> Agent:
    agent = held_agent(server, request.param)
    assert agent() == "Go to Oslo."
    return agent


def test_held_conversations_are_replayed(
    held: Agent, bench: Bench, server: ResponsesServer
) -> None:
    asked = server.count
    replayed = bench.replay(held)
    assert (replayed.verdict(), replayed.result) == ((0, None), "Go to Oslo.")
    assert server.count == asked
    models = [step for step in replayed.steps if step.kind == "model"]
    assert models[0].detail["messages"] == 1


@pytest.mark.parametrize("after", ["live", "recorded"])
def test_a_fork_stops_before_the_provider_is_asked_about_another_conversation(
    held: Agent, bench: Bench, server: ResponsesServer, after: Any
) -> None:
    asked = server.count
    forked = bench.fork(held, called("weather", city="Oslo"), model_call=1, after=after)
    assert forked.exit_code == EXIT_CANNOT
    message = forked.came.message or ""
    assert "leaves its history to the provider" in message
    assert "nothing was sent" in message
    assert "previous_response_id resp_" in message or "conversation conv_" in message
    assert server.count == asked


def test_a_fork_with_the_same_result_is_stopped_too(
    held: Agent, bench: Bench, server: ResponsesServer
) -> None:
    """The next request may equal the recorded one; what it is about does not."""
    asked = server.count
    with bench.store as store:
        [first, *_] = [s for s in store.steps(bench.run().id) if s.kind == "model"]
        [message] = json.loads(store.output_messages(first) or b"[]")
    extra = {"type": "text", "content": "Let me see."}
    both = {**message, "parts": [*message["parts"], extra]}
    forked = bench.fork(held, Substitute("response", response=both), model_call=1)
    assert forked.exit_code == EXIT_CANNOT
    assert "leaves its history to the provider" in (forked.came.message or "")
    assert server.count == asked


def test_the_same_answer_goes_on_in_a_held_conversation(
    held: Agent, bench: Bench, server: ResponsesServer
) -> None:
    asked = server.count
    with bench.store as store:
        calls = [s for s in store.steps(bench.run().id) if s.kind == "model"]
        answers = [json.loads(store.output_messages(step) or b"[]")[0] for step in calls]
    parent = bench.run().id
    for number, message in enumerate(answers, 1):
        same = Substitute("response", response=message)
        forked = bench.fork(held, same, run=parent, model_call=number)
        assert (forked.verdict(), forked.result) == ((0, None), "Go to Oslo.")
        assert forked.sources("model").count("recorded") == 2
    assert server.count == asked


def test_the_last_answer_can_be_replaced(
    held: Agent, bench: Bench, server: ResponsesServer
) -> None:
    asked = server.count
    forked = bench.fork(held, said("Stay."), model_call=3)
    assert (forked.verdict(), forked.result) == ((0, None), "Stay.")
    assert server.count == asked


def test_a_turn_the_provider_really_holds_is_asked_about(
    bench: Bench, server: ResponsesServer
) -> None:
    """Another result for a tool: the answer before it is the recorded one, and held as that."""
    agent = held_agent(server, "previous")
    assert agent() == "Go to Oslo."
    asked = server.count
    step = bench.steps("tool")[0]
    forked = bench.fork(agent, Substitute("result", result={"city": "Bergen", "sky": "clear"}),
                        step=step.n)  # fmt: skip
    assert (forked.verdict(), forked.result) == ((0, None), "Go to Bergen.")
    assert forked.sources("model") == ["recorded", "live", "live"]
    assert server.count == asked + 2


def test_a_conversation_that_went_on_is_not_asked_about(
    bench: Bench, server: ResponsesServer
) -> None:
    agent = held_agent(server, "conversation")
    agent()
    asked = server.count
    step = bench.steps("tool")[0]
    forked = bench.fork(agent, Substitute("result", result={"city": "Bergen", "sky": "clear"}),
                        step=step.n)  # fmt: skip
    assert forked.exit_code == EXIT_CANNOT
    assert "conversation conv_" in (forked.came.message or "")
    assert server.count == asked


def test_a_made_up_answer_is_not_fetched(bench: Bench, server: ResponsesServer) -> None:
    agent = held_agent(server, "looks back")
    assert agent() == "Go to Oslo."
    asked = server.count
    forked = bench.fork(agent, said("Stay."), model_call=3, tools={"http": "live"})
    assert forked.exit_code == EXIT_CANNOT
    assert "GET " in (forked.came.message or "")
    assert server.count == asked


def test_what_will_stop_is_said_before_it_starts(held: Agent, bench: Bench) -> None:
    with bench.store as store:
        run = bench.run()
        places = [step.n for step in store.steps(run.id) if step.kind == "model"]
        first = plan_with_entry(store, ReplaySpec(run.id, None, 1, said("x")), {})
        last = plan_with_entry(store, ReplaySpec(run.id, None, 3, said("x")), {})
    [warning] = [text for text in first.warnings if "leaves its history" in text]
    assert warning.startswith(f"step {places[1]} (chat gpt-5-mini)")
    assert not any("leaves its history" in text for text in last.warnings)


def test_embeddings_are_model_calls(bench: Bench, server: ResponsesServer) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-test-0123456789")

    @tracer.agent
    def agent() -> list[float]:
        reply = client.embeddings.create(model="text-embedding-3-small", input=["abc", "de"])
        return [entry.embedding[0] for entry in reply.data]

    assert agent() == [3.0, 2.0]
    step = bench.step("model")
    assert (step.name, step.api) == ("embeddings text-embedding-3-small", "openai.embeddings")
    assert step.summary == "2 vectors of 2 dimensions"
    assert step.usage is not None
    assert step.usage.input_tokens == 6
    assert step.cost_usd is not None and step.cost_usd > 0
    assert step.detail["messages"] == 2
    asked = server.count
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), [3.0, 2.0])
    run = bench.runs()[-1].id
    body = {"data": [{"embedding": [7.0]}, {"embedding": [8.0]}]}
    forked = bench.fork(agent, Substitute("response", response=body), run=run, step=step.n)
    assert (forked.verdict(), forked.result) == ((0, None), [7.0, 8.0])
    with pytest.raises(UsageError, match="embeddings"):
        bench.fork(agent, said("x"), run=run, step=step.n)
    assert server.count == asked


def test_a_changed_text_is_named(bench: Bench, server: ResponsesServer) -> None:
    """A request whose input is one text has no list of messages to be split at."""
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-test-0123456789")
    question = "Where should I go?"

    @tracer.agent
    def agent() -> int:
        reply = client.responses.create(model="gpt-5-mini", input=question, user="u1")
        return len(reply.output)

    agent()
    step = bench.step("model")
    assert step.detail["messages"] == 1
    assert step.summary == '→ weather("Bergen")'
    assert bench.replay(agent).verdict() == (0, None)
    with bench.store as store:
        request = store.request(step)
    assert request is not None and json.loads(request.body)["input"] == question
    asked = server.count
    question = "Where must I go?"
    replayed = bench.replay(agent, bench.runs()[-1].id)
    code, message = replayed.verdict()
    assert code == 3
    for part in ("messages[0].parts[0].content", "Where should I go?", "Where must I go?"):
        assert part in (message or "")
    assert server.count == asked
