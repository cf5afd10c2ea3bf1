"""Recording, replaying and forking agents on google-genai and ollama, through the real SDKs.

No key reaches the disk, none is needed to replay, and signatures reach the agent as they were.
"""

import json
import os
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterator

import httpx
import pytest

import tracer
from tests.support.agents import Bench
from tests.support.google_wire import Asking, Calls, google_server, signature
from tests.support.processes import Desk, unpacked
from tests.support.servers import OddServer
from tests.support.weather import (
    GOOGLE,
    conclusion,
    next_city,
    record_forms,
    sources,
    with_its_ledger,
)
from tracer.core.records import Step
from tracer.reexecution.session import ReplaySpec, plan
from tracer.reexecution.substitute import Substitute
from tracer.store.reading import Store

AGENT = """
import asyncio, json, os, sys
import tracer

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
MODEL = os.environ.get("MODEL", "gemini-2.5-flash")

@tracer.tool(effect="external")
def weather(city):
    with open(os.environ["LEDGER"], "a") as file:
        file.write(f"weather {city}\\n")
    return {"city": city, "sky": "clear" if city == "Oslo" else "rain"}

class Gemini:
    def __init__(self, form):
        from google import genai
        from google.genai import types
        self.types, self.form, self.client = types, form, genai.Client()
        declared = {"name": "weather", "description": "the sky", "parameters": {
            "type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}}
        self.config = types.GenerateContentConfig(
            system_instruction="Be brief.",
            tools=[types.Tool(function_declarations=[declared])],
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )
        self.history = [types.Content(role="user", parts=[types.Part(text="Where should I go?")])]

    def turn(self):
        asked = dict(model=MODEL, contents=self.history, config=self.config)
        if self.form == "json":
            chunks = [self.client.models.generate_content(**asked)]
        elif self.form == "stream":
            chunks = list(self.client.models.generate_content_stream(**asked))
        else:
            chunks = asyncio.run(self.streamed(asked))
        parts = [p for c in chunks for p in (c.candidates[0].content.parts or [])]
        for part in parts:
            if part.thought_signature:
                with open(os.environ["LEDGER"].replace("ledger", "signatures"), "a") as file:
                    file.write(part.thought_signature.hex() + "\\n")
        self.history.append(self.types.Content(role="model", parts=parts))
        calls = [p.function_call for p in parts if p.function_call]
        text = "".join(p.text for p in parts if p.text and not p.thought)
        return text, [(c.name, dict(c.args)) for c in calls]

    async def streamed(self, asked):
        from google import genai
        client = genai.Client().aio
        return [c async for c in await client.models.generate_content_stream(**asked)]

    def results(self, pairs):
        self.history.append(self.types.Content(role="user", parts=[
            self.types.Part.from_function_response(name=name, response=result)
            for name, result in pairs]))

class Ollama:
    def __init__(self, form):
        import ollama
        self.client, self.form = ollama.Client(), form
        self.messages = [{"role": "user", "content": "Where should I go?"}]
        self.tools = [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]

    def turn(self):
        asked = dict(model="qwen3", messages=self.messages, tools=self.tools)
        if self.form == "json":
            chunks = [self.client.chat(**asked)]
        else:
            chunks = list(self.client.chat(**asked, stream=True))
        text = "".join(c.message.content or "" for c in chunks)
        calls = [call for c in chunks for call in c.message.tool_calls or []]
        said = {"role": "assistant", "content": text, "tool_calls": [c.model_dump() for c in calls]}
        self.messages.append(said)
        return text, [(c.function.name, dict(c.function.arguments)) for c in calls]

    def results(self, pairs):
        for name, result in pairs:
            self.messages.append(
                {"role": "tool", "tool_name": name, "content": json.dumps(result)})

@tracer.agent
def agent(api, form):
    model = Gemini(form) if api == "gemini" else Ollama(form)
    for _ in range(6):
        text, calls = model.turn()
        if not calls:
            return text
        model.results([(name, weather(**arguments)) for name, arguments in calls])
    return "no end"

if __name__ == "__main__":
    print(agent(sys.argv[1], sys.argv[2]))
"""
KEY = "AIzaDeskKeyThatMustNotBeStored01234"
Form = tuple[str, str]
FORMS: list[Form] = [
    ("gemini", "json"),
    ("gemini", "stream"),
    ("gemini", "async"),
    ("ollama", "json"),
    ("ollama", "stream"),
]


def brain(asking: Asking) -> tuple[str, Calls]:
    """Asks for two cities in turn, then says where it does not rain, from what it was told."""
    city = next_city(asking.results)
    if city is None:
        return conclusion(asking.results), []
    return "Let me look.", [("weather", {"city": city})]


@pytest.fixture(scope="module")
def server() -> Iterator[OddServer]:
    with google_server(brain) as running:
        yield running


@pytest.fixture(scope="module")
def desks(server: OddServer, tmp_path_factory: pytest.TempPathFactory) -> dict[Form, Desk]:
    """One recording of each form; re-executions only add runs of their own."""
    env = {
        "GOOGLE_GEMINI_BASE_URL": server.url,
        "GEMINI_API_KEY": KEY,
        "GOOGLE_API_KEY": "",
        "OLLAMA_HOST": server.url,
        "OLLAMA_API_KEY": "",
    }
    return record_forms(FORMS, AGENT, env, tmp_path_factory, *GOOGLE)


@pytest.fixture(params=[form for form in FORMS if form[1] != "async"], ids="-".join)
def forked(request: pytest.FixtureRequest, desks: dict[Form, Desk]) -> Desk:
    """Without the asynchronous client, which reads the same bytes."""
    return with_its_ledger(desks[request.param])


@pytest.fixture(params=FORMS, ids="-".join)
def recorded(request: pytest.FixtureRequest, desks: dict[Form, Desk]) -> Desk:
    return with_its_ledger(desks[request.param])


def test_what_is_recorded(recorded: Desk, desks: dict[Form, Desk]) -> None:
    is_gemini = recorded.env["GEMINI_API_KEY"] == KEY and recorded in list(desks.values())[:3]
    models = [step for step in recorded.steps() if step.kind == "model"]
    assert [step.api for step in models] == 3 * [
        "gemini.generate_content" if is_gemini else "ollama.chat"
    ]
    assert [step.status for step in models] == ["ok"] * 3
    assert {step.model for step in models} == {"gemini-2.5-flash-001" if is_gemini else "qwen3"}
    usages = {(step.usage.input_tokens, step.usage.output_tokens) for step in models if step.usage}
    assert usages == {(30, 12) if is_gemini else (21, 9)}
    with Store.open(recorded.database) as store:
        said = json.loads(store.output_messages(models[0]) or b"[]")[0]
    kinds = ["reasoning", "text", "tool_call"]
    assert [part["type"] for part in said["parts"]] == kinds
    assert said["parts"][2]["arguments"] == {"city": "Bergen"}
    assert said["finish_reason"] == "tool_call"


def test_a_replay_asks_nobody_and_needs_no_key(recorded: Desk, server: OddServer) -> None:
    asked = server.count
    none = {"GEMINI_API_KEY": "", "GOOGLE_API_KEY": ""}
    came = recorded.replay(env=none)
    assert (came.code, came.divergences) == (0, []), came.message
    assert came.out.splitlines()[-1] == "Go to Oslo."
    assert set(sources(recorded.steps(came.run_id), "model", "tool")) == {"recorded"}
    assert server.count == asked
    assert recorded.ledger() == ["weather Bergen", "weather Oslo"]


def test_the_key_is_not_stored(recorded: Desk) -> None:
    assert KEY.encode() not in recorded.everything_stored()


def test_a_tool_call_with_other_arguments(recorded: Desk, server: OddServer) -> None:
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
    assert recorded.run(came.run_id).parent_run == recorded.run().id


def test_text_in_place_of_a_tool_call(forked: Desk, server: OddServer) -> None:
    asked = server.count
    came = forked.fork(Substitute("text", text="Just stay."), model_call=1)
    assert (came.code, came.out.splitlines()[-1]) == (0, "Just stay."), came.err
    assert sources(forked.steps(came.run_id), "model") == ["substituted"]
    assert server.count == asked


def test_a_tool_call_in_place_of_text(forked: Desk, server: OddServer) -> None:
    again = Substitute("tool_call", tool_name="weather", arguments={"city": "Bodø"})
    stub = {"weather": 'stub:{"city":"Bodø","sky":"clear"}'}
    came = forked.fork(again, model_call=3, tools=stub)
    assert (came.code, came.out.splitlines()[-1]) == (0, "Go to Oslo."), came.err
    steps = forked.steps(came.run_id)
    assert sources(steps, "model") == ["recorded", "recorded", "substituted", "live"]
    assert forked.ledger() == ["weather Bergen", "weather Oslo"]


def test_the_same_answer_gives_the_same_run(forked: Desk, server: OddServer) -> None:
    asked = server.count
    parent = forked.steps()
    with Store.open(forked.database) as store:
        calls = [step for step in parent if step.kind == "model"]
        said = [json.loads(store.output_messages(step) or b"[]")[0] for step in calls]
    # The first and the last; the agent sends the first back in every later request.
    for number, message in ((1, said[0]), (3, said[2])):
        same = Substitute("response", response=message)
        came = forked.fork(same, model_call=number, after="recorded")
        assert (came.code, came.divergences) == (0, []), came.message
        assert came.out.splitlines()[-1] == "Go to Oslo."
    assert server.count == asked


ALL = ("429", "500", "timeout", "reset", "cut_stream", "invalid_json")
FAILURES = [(("gemini", "stream"), kind) for kind in ALL]
FAILURES += [(form, kind) for form in (FORMS[0], FORMS[4]) for kind in ("429", "invalid_json")]


@pytest.mark.parametrize(("form", "kind"), FAILURES, ids=str)
def test_a_failure_reaches_the_agent(
    desks: dict[Form, Desk], server: OddServer, form: Form, kind: str
) -> None:
    asked = server.count
    failing = Substitute("error", error=kind)
    came = desks[form].fork(failing, model_call=2, after="recorded")
    assert server.count == asked
    assert came.code == 1, (came.code, came.message)
    assert came.message is not None
    assert came.message.startswith("the re-executed agent failed: ")


def test_another_model_in_the_url_is_another_question(
    desks: dict[Form, Desk], server: OddServer
) -> None:
    asked = server.count
    came = desks["gemini", "json"].replay(env={"MODEL": "gemini-2.5-pro"})
    assert came.code == 3
    assert came.message is not None
    for said in ("model was", '"gemini-2.5-flash"', '"gemini-2.5-pro"'):
        assert said in came.message
    assert server.count == asked


def test_signatures_stay_as_they_were(desks: dict[Form, Desk], server: OddServer) -> None:
    """What the provider signed is sent back byte for byte, from a replay and after a fork."""
    made = {b64decode(signature(asked)) for asked in server.asked if "/v1" in asked.path}
    for form in FORMS[:2]:
        desk = desks[form]
        sent = [
            urlsafe_b64decode(part["thoughtSignature"])  # the SDK prefers the other alphabet
            for step in desk.steps()
            if step.kind == "model"
            for content in json.loads(_request(desk, step))["contents"]
            for part in content["parts"]
            if "thoughtSignature" in part
        ]
        assert sent
        assert set(sent) <= made
        before = (desk.folder / "signatures").read_text().splitlines()
        (desk.folder / "signatures").unlink()
        allowed = (str(desk.folder / "signatures"),)
        assert desk.replay(allow_writes=allowed).code == 0
        assert (desk.folder / "signatures").read_text().splitlines() == before[:2]
        (desk.folder / "signatures").write_text("\n".join(before[:2]) + "\n")
        elsewhere = Substitute("tool_call", tool_name="weather", arguments={"city": "Oslo"})
        desk.fork(elsewhere, model_call=1, tools={"weather": "recorded"}, allow_writes=allowed)
        assert (desk.folder / "signatures").read_text().splitlines()[2] == before[0]


def _request(desk: Desk, step: Step) -> bytes:
    with Store.open(desk.database) as store:
        request = store.request(step)
    assert request is not None
    return request.body


def test_a_signed_call_with_other_arguments_is_warned_of(desks: dict[Form, Desk]) -> None:
    elsewhere = Substitute("tool_call", tool_name="weather", arguments={"city": "Bodø"})
    with Store.open(desks["gemini", "json"].database) as store:
        made = plan(store, ReplaySpec("last", model_call=1, substitute=elsewhere))
    [warning] = [warning for warning in made.warnings if "signature" in warning]
    assert warning == (
        "the signature that goes with the tool call weather was made for the recorded tool call "
        "weather and does not cover it: the provider may refuse it once the run goes live"
    )


def test_a_key_in_the_url_is_not_stored_and_not_compared(
    bench: Bench, server: OddServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_KEY", KEY)

    @tracer.agent
    def plain(question: str) -> str:
        place = f"{server.url}/v1beta/models/gemini-2.5-flash:generateContent"
        body = {"contents": [{"role": "user", "parts": [{"text": question}]}]}
        reply = httpx.post(f"{place}?key={os.environ['OWN_KEY']}", json=body)
        return str(reply.json()["candidates"][0]["content"]["parts"][1]["text"])

    assert plain("Where?") == "Let me look."
    asked = server.count
    assert f"key={KEY}" in server.asked[-1].path
    assert bench.step("model").api == "gemini.generate_content"
    bench.store.close()
    assert KEY.encode() not in unpacked(bench.database)
    monkeypatch.setenv("OWN_KEY", "another-key-0123456789")
    again = bench.replay(plain)
    assert (again.exit_code, again.result) == (0, "Let me look.")
    assert server.count == asked
