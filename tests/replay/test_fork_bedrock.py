"""Agents on Bedrock's, Cohere's and Mistral's formats: recorded, replayed offline and forked.

Through the real SDKs: boto3, Anthropic's for Bedrock, Mistral's. Cohere, whose SDK is large, is
spoken over httpx by hand.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.processes import Desk
from tests.support.servers import Exchange, OddServer
from tests.support.weather import (
    ANTHROPIC,
    BEDROCK,
    conclusion,
    next_city,
    record_forms,
    sources,
    with_its_ledger,
)
from tracer.providers import recognise
from tracer.providers.base import HttpRequest
from tracer.reexecution.substitute import Substitute
from tracer.store.reading import Store

AGENT = """
import json, os, sys
import httpx
import tracer

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
BASE = os.environ["BASE"]

@tracer.tool(effect="external")
def weather(city):
    with open(os.environ["LEDGER"], "a") as file:
        file.write(f"weather {city}\\n")
    return {"city": city, "sky": "clear" if city == "Oslo" else "rain"}

def post(path, body):
    with httpx.Client(timeout=30) as client:
        with client.stream("POST", BASE + path, json=body) as reply:
            data = b"".join(reply.iter_bytes())
            if reply.status_code != 200:
                raise RuntimeError(data.decode())
            return data

def lines(data):
    found = [l[5:].strip() for l in data.decode().splitlines() if l.startswith("data:")]
    return [json.loads(l) for l in found if l != "[DONE]"]

class Converse:
    def __init__(self, stream):
        self.stream = stream
        self.messages = [{"role": "user", "content": [{"text": "Where should I go?"}]}]

    def turn(self):
        import boto3
        from botocore.config import Config
        client = boto3.client(
            "bedrock-runtime", region_name="eu-west-1", endpoint_url=BASE,
            aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="desk-0123456789ab",
            config=Config(retries={"total_max_attempts": 1}))
        spec = {"name": "weather", "inputSchema": {"json": SCHEMA}}
        model = os.environ.get("MODEL", "eu.amazon.nova-pro-v1:0")
        tools = {"tools": [{"toolSpec": spec}]}
        asked = dict(modelId=model, messages=self.messages, toolConfig=tools)
        if not self.stream:
            content = client.converse(**asked)["output"]["message"]["content"]
        else:
            blocks = {}
            for event in client.converse_stream(**asked)["stream"]:
                [(kind, value)] = event.items()
                if kind == "contentBlockStart":
                    use = {**value["start"]["toolUse"], "input": ""}
                    blocks[value["contentBlockIndex"]] = {"toolUse": use}
                elif kind == "contentBlockDelta":
                    at, delta = value["contentBlockIndex"], value["delta"]
                    if "toolUse" in delta:
                        blocks[at]["toolUse"]["input"] += delta["toolUse"]["input"]
                    else:
                        blocks.setdefault(at, {"text": ""})["text"] += delta["text"]
            content = list(blocks.values())
            for block in content:
                if "toolUse" in block:
                    block["toolUse"]["input"] = json.loads(block["toolUse"]["input"])
        self.messages.append({"role": "assistant", "content": content})
        uses = [b["toolUse"] for b in content if "toolUse" in b]
        text = "".join(b.get("text", "") for b in content)
        return text, [(u["toolUseId"], u["name"], u["input"]) for u in uses]

    def results(self, done):
        self.messages.append({"role": "user", "content": [
            {"toolResult": {"toolUseId": i, "content": [{"json": result}]}} for i, result in done]})

class Invoke(Converse):
    def turn(self):
        from anthropic import AnthropicBedrock
        client = AnthropicBedrock(base_url=BASE, aws_region="eu-west-1",
                                  aws_access_key="AKIDEXAMPLE", aws_secret_key="desk-0123456789ab")
        offered = [{"name": "weather", "input_schema": SCHEMA}]
        asked = dict(model="eu.anthropic.claude-sonnet-4-5-20250929-v1:0", max_tokens=99,
                     messages=self.messages, tools=offered)
        if self.stream:
            with client.messages.stream(**asked) as events:
                reply = events.get_final_message()
        else:
            reply = client.messages.create(**asked)
        kept = {"type", "text", "id", "name", "input"}
        content = [block.model_dump(include=kept) for block in reply.content]
        self.messages.append({"role": "assistant", "content": content})
        text = "".join(b.get("text", "") for b in content)
        return text, [(b["id"], b["name"], b["input"]) for b in content if b["type"] == "tool_use"]

    def results(self, done):
        self.messages.append({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": i, "content": json.dumps(result)}
            for i, result in done]})

class Cohere:
    def __init__(self, stream):
        self.stream = stream
        self.messages = [{"role": "user", "content": "Where should I go?"}]

    def turn(self):
        function = {"name": "weather", "parameters": SCHEMA}
        body = {"model": "command-a-03-2025", "messages": self.messages, "stream": self.stream,
                "tools": [{"type": "function", "function": function}]}
        data = post("/v2/chat", body)
        if self.stream:
            message = {"role": "assistant", "content": "", "tool_calls": []}
            for event in lines(data):
                said = event.get("delta", {}).get("message", {})
                if event["type"] == "content-delta":
                    message["content"] += said["content"]["text"]
                elif event["type"] == "tool-call-start":
                    message["tool_calls"].append(said["tool_calls"])
                elif event["type"] == "tool-call-delta":
                    more = said["tool_calls"]["function"]["arguments"]
                    message["tool_calls"][-1]["function"]["arguments"] += more
            text = message["content"]
        else:
            message = json.loads(data)["message"]
            text = "".join(item["text"] for item in message.get("content", []))
        self.messages.append(message)
        return text, [(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"]))
                      for c in message.get("tool_calls") or []]

    def results(self, done):
        for call_id, result in done:
            content = json.dumps(result)
            self.messages.append({"role": "tool", "tool_call_id": call_id, "content": content})

class Mistral(Cohere):
    def turn(self):
        from mistralai.client import Mistral as Client
        function = {"name": "weather", "parameters": SCHEMA}
        asked = dict(model="mistral-large-latest", messages=self.messages,
                     tools=[{"type": "function", "function": function}])
        with Client(api_key="mistral-desk-0123456789", server_url=BASE) as client:
            if self.stream:
                text, calls = "", []
                for event in client.chat.stream(**asked):
                    delta = event.data.choices[0].delta if event.data.choices else None
                    if delta is None:
                        continue
                    text += delta.content or ""
                    for call in delta.tool_calls or []:
                        if call.function.name:
                            calls.append([call.id, call.function.name, ""])
                        calls[-1][2] += call.function.arguments
            else:
                message = client.chat.complete(**asked).choices[0].message
                text, calls = message.content or "", [
                    [c.id, c.function.name, c.function.arguments] for c in message.tool_calls or []]
        self.messages.append({"role": "assistant", "content": text, "tool_calls": [
            {"id": i, "type": "function", "function": {"name": name, "arguments": said}}
            for i, name, said in calls]})
        return text, [(i, name, json.loads(said)) for i, name, said in calls]

@tracer.agent
def agent(api, stream):
    model = globals()[api.capitalize()](stream)
    for _ in range(6):
        text, calls = model.turn()
        if not calls:
            return text
        model.results([(i, weather(**arguments)) for i, name, arguments in calls])
    return "no end"

if __name__ == "__main__":
    print(agent(sys.argv[1], sys.argv[2] == "stream"))
"""
Form = tuple[str, str]
FORMS: list[Form] = [
    (api, form)
    for api in ("converse", "invoke", "cohere", "mistral")
    for form in ("json", "stream")
]
NAMES = {"converse": "bedrock.converse", "invoke": "bedrock.invoke", "cohere": "cohere.chat",
         "mistral": "openai.chat"}  # fmt: skip


def answer(exchange: Exchange) -> None:
    """Asks for two cities in turn, then says where it does not rain, from what it was told."""
    asked = exchange.asked
    headers = list(asked.headers.items())
    request = HttpRequest(asked.method, f"http://h{asked.path}", headers, asked.body)
    api = recognise(asked.method, asked.path, asked.body)
    assert api is not None, asked.path
    parts = [part for m in api.read_request(request).messages for part in m["parts"]]
    told = [_result(p["response"]) for p in parts if p["type"] == "tool_call_response"]
    said: dict[str, Any] = {"role": "assistant", "parts": []}
    city = next_city(told)
    if city is not None:
        call = {"type": "tool_call", "name": "weather", "arguments": {"city": city}}
        said["parts"] = [{"type": "text", "content": "Let me look."}, call]
    else:
        said["parts"] = [{"type": "text", "content": conclusion(told)}]
    reply = api.build_reply(request, None, said)
    exchange.begin(reply.status, dict(reply.headers))
    for start in range(0, len(reply.body), 97):  # edges inside frames and events
        exchange.chunk(reply.body[start : start + 97])
    exchange.finish()


def _result(response: Any) -> Any:
    """What the tool gave, out of the ways in which formats wrap it."""
    while not isinstance(response, dict) or "city" not in response:
        if isinstance(response, str):
            response = json.loads(response)
        elif isinstance(response, list):
            response = response[0]
        else:
            response = next(iter(response.values()))
    return response


@pytest.fixture(scope="module")
def server() -> Iterator[OddServer]:
    with OddServer(answer) as running:
        yield running


@pytest.fixture(scope="module")
def desks(server: OddServer, tmp_path_factory: pytest.TempPathFactory) -> dict[Form, Desk]:
    """One recording of each form; re-executions only add runs of their own."""
    return record_forms(FORMS, AGENT, {"BASE": server.url}, tmp_path_factory, *BEDROCK, *ANTHROPIC)


@pytest.fixture(params=FORMS, ids="-".join)
def recorded(request: pytest.FixtureRequest, desks: dict[Form, Desk]) -> Desk:
    return with_its_ledger(desks[request.param])


@pytest.mark.parametrize("form", FORMS, ids="-".join)
def test_calls_are_recorded_as_model_calls(desks: dict[Form, Desk], form: Form) -> None:
    steps = desks[form].steps()
    models = [step for step in steps if step.kind == "model"]
    assert [step.api for step in models] == [NAMES[form[0]]] * 3
    assert all(step.model and "%" not in step.model for step in models)
    assert all(step.status == "ok" for step in steps)
    with Store.open(desks[form].database) as store:
        said = [json.loads(store.output_messages(step) or b"[]")[0] for step in models]
    assert [part["type"] for part in said[0]["parts"]] == ["text", "tool_call"]
    assert said[0]["parts"][1]["arguments"] == {"city": "Bergen"}
    assert [message["finish_reason"] for message in said] == ["tool_call", "tool_call", "stop"]
    assert all((step.ttft_ms is not None) == (form[1] == "stream") for step in models)


def test_replayed_offline_without_a_request(recorded: Desk, server: OddServer) -> None:
    asked = server.count
    came = recorded.replay()
    assert (came.code, came.divergences) == (0, []), came.message
    assert came.out.splitlines()[-1] == "Go to Oslo."
    assert server.count == asked
    assert recorded.ledger() == ["weather Bergen", "weather Oslo"]


def test_a_fork_with_another_tool_call(recorded: Desk, server: OddServer) -> None:
    asked = server.count
    elsewhere = Substitute("tool_call", tool_name="weather", arguments={"city": "Trondheim"})
    came = recorded.fork(elsewhere, model_call=2, tools={"weather": "live"})
    assert (came.code, came.message) == (0, None), came.err
    assert came.out.splitlines()[-1] == "Stay at home."
    steps = recorded.steps(came.run_id)
    assert sources(steps, "model") == ["recorded", "substituted", "live"]
    assert sources(steps, "tool") == ["recorded", "live"]
    assert server.count == asked + 1
    assert recorded.ledger() == ["weather Bergen", "weather Oslo", "weather Trondheim"]


def test_a_fork_with_text(recorded: Desk, server: OddServer) -> None:
    asked = server.count
    came = recorded.fork(Substitute("text", text="Just stay, ☂."), model_call=1)
    assert (came.code, came.out.splitlines()[-1]) == (0, "Just stay, ☂."), came.err
    assert sources(recorded.steps(came.run_id), "model") == ["substituted"]
    assert server.count == asked


def test_the_same_answer_gives_the_same_run(recorded: Desk, server: OddServer) -> None:
    asked = server.count
    parent = recorded.steps()
    with Store.open(recorded.database) as store:
        calls = [step for step in parent if step.kind == "model"]
        said = [json.loads(store.output_messages(step) or b"[]")[0] for step in calls]
    same = Substitute("response", response=said[1])
    came = recorded.fork(same, model_call=2, after="recorded")
    assert (came.code, came.divergences) == (0, []), came.message
    steps = recorded.steps(came.run_id)
    assert sources(steps, "model") == ["recorded", "substituted", "recorded"]
    assert [s.fingerprint for s in steps] == [s.fingerprint for s in parent]
    assert server.count == asked


@pytest.mark.parametrize("form", [FORMS[1], FORMS[3], FORMS[4]], ids="-".join)
@pytest.mark.parametrize("kind", ["429", "cut_stream", "invalid_json"])
def test_a_failure_reaches_the_agent(
    desks: dict[Form, Desk], server: OddServer, form: Form, kind: str
) -> None:
    asked = server.count
    came = desks[form].fork(Substitute("error", error=kind), model_call=2, after="recorded")
    assert server.count == asked
    assert came.code in (1, 4), came.message  # the agent fails, or calls its tool with what is none
    models = [step for step in desks[form].steps(came.run_id) if step.kind == "model"]
    assert models[1].source == "substituted"
    if kind == "429" and form[0] == "converse":
        assert came.message is not None
        assert "ThrottlingException" in came.message


def test_another_model_in_the_path_is_another_question(
    desks: dict[Form, Desk], server: OddServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body of a Bedrock request does not name the model."""
    asked = server.count
    monkeypatch.setenv("MODEL", "eu.amazon.nova-micro-v1:0")
    came = desks["converse", "json"].replay()
    assert came.code == 3, came.message
    assert came.message is not None
    assert "eu.amazon.nova-micro-v1:0" in came.message
    assert server.count == asked
