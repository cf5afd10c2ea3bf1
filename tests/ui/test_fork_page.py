"""The fork editor's page: what it shows, what it refuses, what it starts."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.run_builder import RunBuilder, call, text
from tests.ui.conftest import SAME_ORIGIN, open_client
from tracer.store.writing import StoreWriter
from tracer_ui.api import Outcome, Plan
from tracer_ui.site import Site

TOOLS = [
    {
        "name": "refund",
        "parameters": {
            "type": "object",
            "properties": {"order": {"type": "string"}, "amount": {"type": "number"}},
            "required": ["order", "amount"],
        },
    }
]


class Form(HTMLParser):
    """The fields of the fork form, as a browser would send them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._area: str | None = None
        self._select: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "textarea":
            self._area, self.values[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self.values[self._select] = value
        elif tag == "input" and name and _counts(given):
            self.values[name] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            self.values[self._area] = self.values[self._area].removeprefix("\n")
            self._area = None
        if tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self.values[self._area] += data


def _counts(given: dict[str, str | None]) -> bool:
    return given.get("type") not in ("radio", "checkbox") or "checked" in given


@dataclass
class Recorded:
    client: TestClient
    run: str
    agent: Path
    site: Site


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    """A run of an agent whose file exists, and a client over it."""
    agent = tmp_path / "agent.py"
    agent.write_text("def agent(question): ...\n")
    database = tmp_path / "traces.db"
    writer = StoreWriter(database)
    run = RunBuilder(writer, "a", "agent", asked={"question": "?"})
    place = {"module": "agent", "file": str(agent), "root": str(tmp_path), "cwd": str(tmp_path)}
    entry = run.entry | place
    writer.update_run(run.id, entry=entry)
    with run.agent("agent", {"question": "?"}):
        said = call("refund", "c1", {"order": "A-1", "amount": 480.0}, "Refunding.")
        run.model([text("user", "?")], said, tools=TOOLS)
        run.tool("refund", {"order": "A-1", "amount": 480.0}, {"done": True})
        run.tool("look", {"order": "A-1"}, {"found": True}, effect="read")
    run.end("ok", "done")
    writer.close()
    with open_client(database) as client:
        yield Recorded(client, run.id, agent, client.app.state.site)  # type: ignore[attr-defined]


def form_of(recorded: Recorded, n: int = 2) -> dict[str, str]:
    reply = recorded.client.get(f"/runs/{recorded.run}/steps/{n}/fork")
    assert reply.status_code == 200
    return Form(reply.text).values


def post(recorded: Recorded, path: str, form: dict[str, str], n: int = 2) -> Any:
    prefix, _, action = path.rpartition("fork")
    url = f"{prefix}/runs/{recorded.run}/steps/{n}/fork{action}"
    return recorded.client.post(url, data=form, headers=SAME_ORIGIN)


def test_the_form_holds_the_recorded_answer(recorded: Recorded) -> None:
    form = form_of(recorded)
    assert form["text"] == "Refunding."
    assert form["call.0.name"] == "refund"
    assert form["call.0.f.order"] == "A-1"
    assert form["call.0.f.amount"] == "480.0"
    assert form["tool.refund"] == "recorded"  # careful by default
    assert "tool.look" not in form  # only reads
    assert form["after"] == "live"
    check = post(recorded, "/ffork/check", form).text
    assert "Nothing: this repeats the recorded answer." in check
    assert "Re-run unchanged" in check


def test_the_check_follows_what_is_typed(recorded: Recorded) -> None:
    form = form_of(recorded) | {"call.0.f.amount": "24"}
    check = post(recorded, "/ffork/check", form).text
    assert "<del>480.0</del><ins>24</ins>" in check
    assert "Fits what the model was offered." in check
    assert "tracer fork" in check
    assert "--tool refund=recorded" in check
    assert "2 steps: 0 model calls; 1 tool execution" in check
    wrong = post(recorded, "/ffork/check", form | {"call.0.f.amount": "many"}).text
    assert "is not of type" in wrong
    assert 'href="#call.0.f.amount"' in wrong
    assert "Run fork with these problems" in wrong
    assert 'aria-disabled="true"' not in wrong


def test_a_live_tool_must_be_typed(recorded: Recorded) -> None:
    form = form_of(recorded) | {"tool.refund": "live"}
    check = post(recorded, "/ffork/check", form).text
    assert "refund would really be called" in check
    assert 'aria-disabled="true"' in check
    reply = post(recorded, "fork", form | {"confirm.refund": "refunds"})
    assert reply.status_code == 422
    assert "Not started" in reply.text
    confirmed = post(recorded, "/ffork/check", form | {"confirm.refund": "refund"}).text
    assert "--tool refund=live" in confirmed


def test_buttons_work_without_scripts(recorded: Recorded) -> None:
    form = form_of(recorded) | {"text": "kept", "do": "add"}
    page = post(recorded, "fork/draft", form).text
    assert "<!doctype html>" in page
    added = Form(page).values
    assert added["calls"] == "2"
    assert added["text"] == "kept"
    removed = Form(post(recorded, "fork/draft", added | {"do": "remove.0"}).text).values
    assert removed["calls"] == "1"
    as_json = Form(post(recorded, "fork/draft", form | {"do": "json.0"}).text).values
    assert as_json["call.0.as"] == "json"
    assert '"order": "A-1"' in as_json["call.0.json"]
    fragment = post(recorded, "/ffork/draft", form).text
    assert fragment.lstrip().startswith('<div id="calls"')
    assert '<hx-partial hx-target="#check"' in fragment


def test_what_was_typed_survives_a_refusal(recorded: Recorded) -> None:
    form = form_of(recorded) | {
        "call.0.as": "json",
        "call.0.json": '{"order": ',
        "reason": "why <not>",
    }
    reply = post(recorded, "fork", form)
    assert reply.status_code == 422
    kept = Form(reply.text).values
    assert kept["call.0.json"] == '{"order": '
    assert kept["reason"] == "why <not>"
    assert "this is not JSON" in reply.text


def test_a_program_that_is_gone_is_a_conflict(recorded: Recorded) -> None:
    recorded.agent.unlink()
    form = form_of(recorded) | {"call.0.f.amount": "24"}
    reply = post(recorded, "fork", form)
    assert reply.status_code == 409
    assert "is gone" in reply.text
    assert Form(reply.text).values["call.0.f.amount"] == "24"
    assert '<details class="fold program" open>' in reply.text


def test_a_result_is_edited_as_json(recorded: Recorded) -> None:
    form = form_of(recorded, 3)
    assert form["mode"] == "result"
    assert form["result"] == '{\n  "done": true\n}'
    check = post(recorded, "/ffork/check", form | {"result": '{"done": false}'}, 3).text
    assert "<del>true</del><ins>false</ins>" in check
    assert "--result" in check
    assert post(recorded, "fork", form | {"result": "no"}, 3).status_code == 422


def test_only_steps_with_an_answer_can_be_forked(recorded: Recorded) -> None:
    reply = recorded.client.get(f"/runs/{recorded.run}/steps/1/fork")
    assert reply.status_code == 422
    assert "of kind agent" in reply.text
    page = recorded.client.get(f"/runs/{recorded.run}/steps/1").text
    assert "Re-execute from here" not in page.partition("<dialog")[0]


class FakeChild:
    """A child process that does what the test says."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.ended: Outcome | None = None
        self.stopped = 0

    def poll(self) -> Outcome | None:
        return self.ended

    def stop(self) -> None:
        self.stopped += 1
        self.ended = Outcome(self.run_id, 1, "the re-execution was stopped", [])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Plan, FakeChild]]:
    """Catches what would be started."""
    found: list[tuple[Plan, FakeChild]] = []

    def start(plan: Plan, *, output: str) -> FakeChild:
        assert output == "stderr"
        child = FakeChild(plan.child_run_id)
        found.append((plan, child))
        return child

    monkeypatch.setattr("tracer_ui.views.fork.start", start)
    return found


def test_running_a_fork_leads_to_the_child(
    recorded: Recorded, started: list[tuple[Plan, FakeChild]]
) -> None:
    form = form_of(recorded) | {"call.0.f.amount": "24", "reason": "5 %", "max_live": "7"}
    reply = post(recorded, "fork", form)
    assert reply.status_code == 303
    ((plan, child),) = started
    assert reply.headers["location"] == f"/runs/{child.run_id}"
    spec = plan.spec
    assert spec.substitute is not None
    assert (spec.substitute.kind, spec.substitute.tool_name) == ("tool_call", "refund")
    assert spec.substitute.arguments == {"order": "A-1", "amount": 24}
    assert (spec.step, spec.after, spec.reason, spec.max_live_calls) == (2, "live", "5 %", 7)
    assert dict(spec.tools) == {"refund": "recorded"}
    waiting = recorded.client.get(f"/runs/{child.run_id}")
    assert waiting.status_code == 200
    assert "Starting the program again" in waiting.text
    child.ended = Outcome(child.run_id, 125, "the program <is> gone", [])
    over = recorded.client.get(f"/runs/{child.run_id}")
    assert over.status_code == 409
    assert "the program &lt;is&gt; gone" in over.text


def test_stop_ends_the_child(recorded: Recorded, started: list[tuple[Plan, FakeChild]]) -> None:
    post(recorded, "fork", form_of(recorded))
    ((_, child),) = started
    reply = recorded.client.post(f"/runs/{child.run_id}/stop", headers=SAME_ORIGIN)
    assert reply.status_code == 303
    assert child.stopped == 1
    other = recorded.client.post(f"/runs/{recorded.run}/stop", headers=SAME_ORIGIN)
    assert other.status_code == 404


def test_the_server_stops_its_children_when_it_ends(
    recorded: Recorded, started: list[tuple[Plan, FakeChild]]
) -> None:
    for _ in range(2):
        post(recorded, "fork", form_of(recorded))
    started[0][1].ended = Outcome("x", 0, None, [])
    recorded.site.close()
    assert [child.stopped for _, child in started] == [0, 1]


def test_a_cross_site_form_starts_nothing(
    recorded: Recorded, started: list[tuple[Plan, FakeChild]]
) -> None:
    url = f"/runs/{recorded.run}/steps/2/fork"
    form = form_of(recorded)
    for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        assert recorded.client.post(url, data=form, headers=headers).status_code == 403
    assert started == []


def test_a_real_child_process_is_recorded_and_ends(recorded: Recorded) -> None:
    """The agent of this recording does nothing, so it ends at once and says what is missing."""
    recorded.agent.write_text(
        "import tracer\n\n@tracer.agent\ndef agent(question):\n    return 5\n"
    )
    reply = post(recorded, "fork", form_of(recorded) | {"call.0.f.amount": "24"})
    assert reply.status_code == 303
    run = reply.headers["location"].rpartition("/")[2]
    end = time.monotonic() + 30
    while recorded.site.children.is_running(run) and time.monotonic() < end:
        time.sleep(0.05)
    outcome = recorded.site.children.outcome(run)
    assert outcome is not None
    assert outcome.exit_code == 3  # the model call that was to be replaced was never made
    location = recorded.client.get(f"/runs/{run}").headers["location"]
    page = recorded.client.get(location).text
    assert re.search(r'<p class="warning"[^>]*>.*?Diverged', page, re.DOTALL)
