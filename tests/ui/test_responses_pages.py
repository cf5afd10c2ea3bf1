"""Runs of an agent that speaks Responses, on the pages: what was asked, said, held; the editor."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from starlette.testclient import TestClient

import tracer
from tests.support.agents import Bench, bench
from tests.support.responses_server import ResponsesServer
from tests.ui.conftest import SAME_ORIGIN, open_client
from tests.ui.test_fork_page import Form
from tracer.core.records import Step
from tracer_ui.api import Plan

__all__ = ["bench"]

TOOLS: Any = [
    {
        "type": "function",
        "name": "weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    }
]


@tracer.agent
def traveller(how: str) -> str:
    """Sends its history each time, or leaves it to the provider."""
    client = openai.OpenAI(base_url=os.environ["TRAVELLER_URL"], api_key="sk-test-0123456789")
    if how == "embed":
        client.embeddings.create(model="text-embedding-3-small", input="Where?")
    items: Any = "Where should I go?" if how == "held" else [{"role": "user", "content": "Where?"}]
    more: dict[str, Any] = {}
    for _ in range(6):
        reply = client.responses.create(model="gpt-5-mini", input=items, tools=TOOLS, **more)
        calls = [item for item in reply.output if item.type == "function_call"]
        if not calls:
            return str(reply.output_text)
        told = [
            {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": json.dumps({"city": json.loads(call.arguments)["city"], "sky": "rain"}),
            }
            for call in calls
        ]
        if how == "held":
            items, more = told, {"previous_response_id": reply.id}
        else:
            items += [item.model_dump(exclude_none=True) for item in reply.output] + told
    return "no end"


@dataclass
class Desk:
    """Pages over what the traveller recorded."""

    bench: Bench
    client: TestClient
    server: ResponsesServer

    def models(self) -> list[Step]:
        return self.bench.steps("model")

    def page(self, step: Step, rest: str = "") -> str:
        reply = self.client.get(f"/runs/{step.run_id}/steps/{step.n}{rest}")
        assert reply.status_code == 200
        return reply.text

    def post(self, step: Step, action: str, form: dict[str, str]) -> Any:
        place = "/f" if action == "/check" else ""  # a fragment of the page
        url = f"{place}/runs/{step.run_id}/steps/{step.n}/fork{action}"
        return self.client.post(url, data=form, headers=SAME_ORIGIN)


@pytest.fixture
def desk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with ResponsesServer() as server:
        monkeypatch.setenv("TRAVELLER_URL", f"{server.url}/v1")
        traveller("all")
        bench.run()
        with open_client(bench.database) as client:
            yield Desk(bench, client, server)


def test_what_is_new_in_a_request(desk: Desk) -> None:
    _, second, _ = desk.models()
    page = desk.page(second)
    assert "New in this request" in page
    assert "1 unchanged earlier message" in page
    assert "the answer of step 2" in page
    assert "changed or gone" not in page


def test_what_the_provider_holds_is_not_gone(desk: Desk) -> None:
    assert traveller("held") == "Stay at home."
    first, second, _ = desk.models()
    assert "held" not in first.detail
    assert second.detail["held"] == ["previous_response_id"]
    page = desk.page(second)
    assert "The provider holds what came before" in page
    assert "previous_response_id" in page
    assert "changed or gone" not in page
    assert "Where should I go?" in desk.page(first)


def test_vectors_are_counted_on_the_page(desk: Desk) -> None:
    traveller("embed")
    step = desk.models()[0]
    page = desk.page(step)
    assert "1 vector of 2 dimensions" in page
    form = Form(desk.page(step, "/fork")).values
    check = desk.post(step, "/check", form | {"text": "x"}).text
    assert "is a call for embeddings" in check


def _started(desk: Desk, monkeypatch: pytest.MonkeyPatch, step: Step, form: Any) -> Plan:
    found: list[Plan] = []

    class Child:
        run_id = "0" * 32

        def __init__(self, plan: Plan) -> None:
            found.append(plan)

        def poll(self) -> None:
            return None

        def stop(self) -> None:
            return None

    monkeypatch.setattr("tracer_ui.views.fork.start", lambda plan, output: Child(plan))
    assert desk.post(step, "", form).status_code == 303
    [plan] = found
    return plan


def test_the_editor_changes_one_call_and_adds_another(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = desk.models()[0]
    form = Form(desk.page(step, "/fork")).values
    assert form["call.0.f.city"] == "Bergen"
    assert "Nothing: this repeats the recorded answer." in desk.post(step, "/check", form).text
    added = Form(desk.post(step, "/draft", form | {"do": "add"}).text).values
    changed = form | added | {"call.1.f.city": "Bodø", "text": "Both."}
    check = desk.post(step, "/check", changed).text
    assert "Fits what the model was offered." in check
    substitute = _started(desk, monkeypatch, step, changed).spec.substitute
    assert substitute is not None
    asked = desk.server.count
    forked = desk.bench.fork(traveller, substitute, model_call=1)
    assert (forked.verdict(), forked.result) == ((0, None), "Stay at home.")
    assert forked.sources("model") == ["substituted", "live"]
    assert desk.server.count == asked + 1
    sent = desk.server.asked[-1].json["input"]
    assert [item.get("type") for item in sent] == [
        None, "reasoning", "message", "function_call", "function_call",
        "function_call_output", "function_call_output",
    ]  # fmt: skip
    first, second = sent[3:5]
    # The call that stayed is in its own bytes; the new one has a name of its own.
    assert (first["arguments"], first["id"]) == ('{\n "city": "Bergen"\n}', "fc_1")
    assert json.loads(second["arguments"]) == {"city": "Bodø"}
    assert second["call_id"] != first["call_id"]
