"""A run that goes on while its page is open: rows come, nothing moves under the reader."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open, Server, running_server
from tests.support.run_builder import RunBuilder, call, text
from tracer.store.writing import StoreWriter

pytestmark = pytest.mark.browser


class Recording:
    """A writer in this process, and the server that shows what it writes."""

    def __init__(self, database: Path, server: Server) -> None:
        self.database = database
        self.server = server
        self.writer = StoreWriter(database)
        self.run = self.begin("live")
        self.run.enter("agent", {"question": "?"})
        for number in range(3):
            self.run.tool("look", {"number": number}, {"found": number}, effect="read")

    def begin(self, key: str, minute: int = 0) -> RunBuilder:
        return RunBuilder(
            self.writer, key, "agent", asked={"question": "?"}, minute=minute, pid=os.getpid()
        )

    @property
    def path(self) -> str:
        return f"/runs/{self.run.id}/steps"


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    database = tmp_path / "traces.db"
    with running_server(database) as server:
        made = Recording(database, server)
        yield made
        made.writer.close()


def test_following_goes_on_only_from_the_last_step(window: Open, recording: Recording) -> None:
    page = window(recording.server).open(f"{recording.path}/4")
    recording.run.tool("look", {"number": 4}, {"found": 4}, effect="read")
    expect(page.locator("#s5")).to_be_attached()
    page.wait_for_url("**/steps/5")
    expect(page.locator("#step-title .step-n")).to_have_text("5")
    page.keyboard.press("k")
    page.wait_for_url("**/steps/4")
    for number in range(5, 8):
        recording.run.tool("look", {"number": number}, {"found": number}, effect="read")
    newer = page.get_by_role("button", name=re.compile(r"newer steps"))
    expect(newer).to_have_text("4 newer steps (G)")
    expect(page.locator("#s8")).to_be_attached()
    assert page.url.endswith("/steps/4")
    expect(page.locator("#s4 > a")).to_be_focused()
    newer.click()
    page.wait_for_url("**/steps/8")
    expect(newer).to_be_hidden()


def test_a_step_that_ends_fills_in_and_the_run_ends(window: Open, recording: Recording) -> None:
    history = [text("user", "?")]
    recording.run.model(history, None)
    page = window(recording.server).open(f"{recording.path}/5")
    expect(page.locator("#answer")).to_contain_text("The model has not answered yet.")
    expect(page.locator("#s5 .time")).to_have_text("running")
    recording.run.end("error")
    expect(page.locator("#run-head .status-word")).to_have_text("failed")
    expect(page.locator("#answer")).to_contain_text("No answer was recorded.")
    expect(page.locator("#status")).to_contain_text(re.compile("ended|Step 5"))
    assert page.url.endswith("/steps/5")
    page.reload()
    expect(page.locator("#live")).to_have_count(0)


def test_rows_come_once_across_a_restart_of_the_server(
    window: Open, recording: Recording, tmp_path: Path
) -> None:
    watched = window(recording.server)
    page = watched.open(f"{recording.path}/2")
    recording.run.tool("look", {"number": 4}, {"found": 4}, effect="read")
    expect(page.locator("#s5")).to_be_attached()
    port = recording.server.port
    recording.server.stop()
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("The server has stopped", timeout=20_000)
    assert page.locator("#steps a.row").count() == 5  # still readable
    recording.run.tool("look", {"number": 5}, {"found": 5}, effect="read")
    with running_server(recording.database, port) as again:
        # Opening the new address, as `tracer ui` does, lets the old window back in.
        other = watched.context.new_page()
        other.goto(again.url)
        other.close()
        expect(page.locator("#s6")).to_be_attached(timeout=30_000)
        expect(notice).to_be_hidden()
        numbers = page.locator("#steps a.row .n").all_inner_texts()
        assert numbers == ["1", "2", "3", "4", "5", "6"]
        assert page.url.endswith("/steps/2")
        # Its own end, before the one below tries to stop it a second time.
    watched.faults = [f for f in watched.faults if "ERR_" not in f and "fetch" not in f]
    recording.server.process = again.process


def test_the_list_updates_rows_and_offers_new_ones(window: Open, recording: Recording) -> None:
    page = window(recording.server).open("/runs")
    row = page.locator(f"#r{recording.run.id}")
    row.locator("input").check()
    recording.run.tool("look", {"number": 4}, {"found": 4}, effect="read")
    expect(row.locator("td.num").first).to_have_text("5")
    expect(row.locator("input")).to_be_checked()
    recording.run.end("ok", "done")
    expect(row.locator(".status-word")).to_have_text("ok")
    other = recording.begin("other", minute=5)
    other.tool("look", {}, 1)
    pill = page.locator("#new-runs")
    expect(pill).to_have_text("1 new run: show")
    assert page.locator("tr.run-row").count() == 1
    pill.click()
    expect(page.locator("tr.run-row")).to_have_count(2)


def test_a_detail_under_the_eyes_stays(window: Open, recording: Recording) -> None:
    said = call("look", "c", {"number": 9}, "word " * 3000)
    recording.run.model([text("user", "?")], said)
    page = window(recording.server).open(f"{recording.path}/5")
    detail = page.locator("#detail")
    detail.evaluate("element => { element.scrollTop = 300; }")
    page.keyboard.press("Tab")
    recording.run.tool("look", {"number": 9}, {"found": 9}, running=True)
    page.wait_for_url("**/steps/6")  # it was the last step, so it follows
    page.keyboard.press("k")
    page.wait_for_url("**/steps/5")
    page.wait_for_timeout(400)
    detail.evaluate("element => { element.scrollTop = 300; }")
    recording.run.note("one more")
    expect(page.locator("#s7")).to_be_attached()
    page.wait_for_timeout(500)
    assert detail.evaluate("element => element.scrollTop") == 300
