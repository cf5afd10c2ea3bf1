"""The question of a run that waits: shown harmless, answered once, by this page alone."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.support.run_builder import RunBuilder, text
from tests.ui.conftest import SAME_ORIGIN, open_client
from tests.ui.test_fork_page import Form
from tracer.core.questions import Question
from tracer.store.reading import Store
from tracer.store.writing import StoreWriter
from tracer_ui.live import Seen, watch_run

SCRIPT = "<script>alert(1)</script>"
TOOL: dict[str, Any] = {
    "asked": {"to": SCRIPT, "count": 2},
    "why": [f"breakpoint text:{SCRIPT}"],
    "goes": "live",
    "can": ["continue", "arguments", "result", "block", "error", "stop"],
    "schema": {"type": "object", "properties": {"to": {"type": "string"}, "count": {}}},
}
MODEL: dict[str, Any] = {
    "asked": {"messages": [text("user", SCRIPT)], "model": "m", "tools": [{"name": "look"}]},
    "why": ["--after ask"],
    "goes": "recorded",
    "can": ["continue", "request", "say", "error", "stop"],
}


@dataclass
class Waiting:
    client: TestClient
    run: str
    path: Path

    def ask(self, kind: Any, name: str, about: dict[str, Any], number: int) -> str:
        writer = StoreWriter(self.path)
        question = f"{number:016x}"
        writer.add_question(Question(self.run, question, kind, name, 1, about))
        writer.close()
        return f"/runs/{self.run}/questions/{question}"

    def answer(self, url: str, **form: str) -> Any:
        held = Form(self.client.get(url).text).values
        return self.client.post(url, data=held | form, headers=SAME_ORIGIN)

    def stored(self, url: str) -> Question:
        with Store.open(self.path) as store:
            found = store.question(url.rpartition("/")[2])
        assert found is not None
        return found


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    writer = StoreWriter(tmp_path / "traces.db")
    run = RunBuilder(writer, "a", "agent", asked={"q": "?"}, pid=os.getpid())
    run.enter("agent", {"q": "?"})
    run.tool("look", {}, {})
    writer.close()
    with open_client(tmp_path / "traces.db") as client:
        yield Waiting(client, run.id, tmp_path / "traces.db")


def test_a_tools_question_is_shown_and_answered_once(waiting: Waiting) -> None:
    assert "Waiting for you" not in waiting.client.get(f"/runs/{waiting.run}/steps/1").text
    site: Any = cast(Starlette, waiting.client.app).state.site
    look = watch_run(site, waiting.run, Seen(2))
    look()
    url = waiting.ask("tool", SCRIPT, TOOL, 1)
    page = waiting.client.get(f"/runs/{waiting.run}/steps/1").text
    assert "Waiting for you" in page and SCRIPT not in page and f'action="{url}"' in page
    assert "waits for you" in waiting.client.get("/runs").text
    ((message,), _) = look()
    assert '<hx-partial hx-target="#questions"' in message.data and SCRIPT not in message.data
    assert message.id.endswith(";0000000000000001")
    assert look()[0] == [], "what is typed there is not swapped away"
    assert waiting.stored(url).seen_ns > 10**18, "somebody is there"

    for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        done = waiting.client.post(url, data={"do": "stop"}, headers=headers)
        assert done.status_code == 403
    assert waiting.stored(url).state == "open"
    broken = {"do": "continue", "call.0.f.count": "{"}
    for wrong in ({"do": ""}, {"do": "answer", "result": "{"}, broken):
        assert waiting.answer(url, **wrong).status_code == 422
    kept = waiting.answer(url, **{"do": "continue", "call.0.f.to": "bo", "call.0.f.count": "{"})
    assert Form(kept.text).values["call.0.f.to"] == "bo" and "Not answered" in kept.text
    as_json = waiting.client.post(
        url + "/draft", data=Form(kept.text).values | {"do": "json.0"}, headers=SAME_ORIGIN
    )
    assert as_json.status_code == 200 and waiting.stored(url).state == "open"
    done = waiting.answer(url, **{"do": "continue", "call.0.f.to": "bo"})
    assert (done.status_code, done.headers["location"]) == (303, f"/runs/{waiting.run}")
    found = waiting.stored(url)
    assert found.state == "answered" and found.answer is not None
    assert found.answer["arguments"] == {"to": "bo", "count": 2}
    late = waiting.client.post(url, data={"do": "stop"}, headers=SAME_ORIGIN)
    assert late.status_code == 409 and "answered already" in late.text
    assert "Waiting for you" not in waiting.client.get(f"/runs/{waiting.run}/steps/1").text
    assert waiting.client.get(url.replace("01", "02")).status_code == 404


def test_a_models_question(waiting: Waiting) -> None:
    url = waiting.ask("model", "chat", MODEL, 1)
    page = waiting.client.get(url).text
    assert "If you continue, it gets the recorded answer." in page and SCRIPT not in page
    assert waiting.answer(url, do="block").status_code == 422
    assert waiting.answer(url, do="continue", temperature="warm").status_code == 422
    added = waiting.client.post(
        f"/f{url}/draft",
        data=Form(page).values | {"do": "add", "text": "Well."},
        headers=SAME_ORIGIN,
    )
    assert 'value="look"' in added.text
    call = Form(added.text).values
    assert waiting.answer(url, **call, text="Well.", do="answer").status_code == 303
    answer = waiting.stored(url).answer
    assert answer is not None and answer["substitute"]["kind"] == "response"
    parts = answer["substitute"]["response"]["parts"]
    assert [part["type"] for part in parts] == ["text", "tool_call"]
    for number, (form, key, value) in enumerate(
        (
            ({"do": "continue", "model": "other", "temperature": "0.5"}, "edit",
             {"model": "other", "temperature": 0.5}),
            ({"do": "fail", "failure": "timeout"}, "substitute",
             {"kind": "error", "error": "timeout"}),
            ({"do": "stop"}, "do", "stop"),
        ),
        start=2,
    ):  # fmt: skip
        url = waiting.ask("model", "chat", MODEL, number)
        assert waiting.answer(url, **form).status_code == 303
        answer = waiting.stored(url).answer
        assert answer is not None and answer[key] == value


def test_odd_questions_are_shown(waiting: Waiting) -> None:
    """A database may hold anything."""
    odd: list[Any] = [None, [], "x", {"messages": [None, 3], "tools": [1, {"name": 2}]}]
    for number, asked in enumerate(odd):
        for place, kind in enumerate(("model", "tool", "http", "step")):
            about = {"asked": asked, "why": 7, "can": ["arguments", "say", "request"], "schema": 1}
            url = waiting.ask(kind, "n", about, 10 * number + place)
            assert waiting.client.get(url).status_code == 200
            assert waiting.answer(url, do="continue").status_code in (303, 422)
