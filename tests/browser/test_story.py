"""The whole story in a browser: a failed run, another answer, the run that comes of it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Server, running_server
from tracer.demo.samples import SUPPORT, TEAM, Sample

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def record(sample: Sample, database: Path) -> None:
    """Let the sample agent fail once, as `tracer run` records it."""
    environment = {name: text for name, text in os.environ.items() if "API_KEY" not in name}
    environment["TRACER_DB"] = str(database)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tracer", "run", "-m", sample.module],
        env=environment,
        cwd=database.parent,  # where the sample keeps its ledger
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert sample.error_message in done.stderr


@contextmanager
def told(sample: Sample, folder: Path) -> Iterator[Server]:
    """A server over the recording of a sample that failed."""
    record(sample, folder / "traces.db")
    with running_server(folder / "traces.db") as server:
        yield server


@pytest.mark.parametrize("sample", [SUPPORT, TEAM], ids=lambda sample: sample.name)
def test_another_answer_mends_the_run(window: Open, tmp_path: Path, sample: Sample) -> None:
    with told(sample, tmp_path) as server:
        _mend(window(server).page, server, sample)


def _mend(page: Page, server: Server, sample: Sample) -> None:
    page.locator(".run-link").first.click()  # opens on the failure
    expect(page.locator(".error-box")).to_contain_text(sample.error_message)
    wrong_step = page.locator("#steps a.row.k-model").nth(sample.blamed_call - 1)
    expect(wrong_step).to_contain_text(sample.wrong.name)
    wrong_step.click()
    expect(page.locator("#answer .call-name")).to_have_text(sample.wrong.name)
    page.keyboard.press("f")
    page.wait_for_url("**/fork")

    for name, value in sample.right.arguments.items():
        if sample.wrong.arguments.get(name) == value:
            continue
        field = page.locator(f"[id='call.0.f.{name}']")
        if field.evaluate("element => element.tagName") == "SELECT":
            field.select_option(label=str(value))
        else:
            field.fill(str(value))
    expect(page.locator("#check .changes ins")).not_to_have_count(0)
    page.locator("#reason").fill("what it should have said")
    for policy in page.locator(".policy").all():
        name = policy.locator("select").get_attribute("name") or ""
        policy.locator("select").select_option("live")
        page.locator(f"[id='{name.replace('tool.', 'confirm.', 1)}']").fill(
            name.removeprefix("tool.")
        )
    run = page.locator("#run-fork")
    expect(run).to_be_enabled()
    expect(run).not_to_have_attribute("aria-disabled", "true")
    parent = page.url.split("/")[4]
    page.keyboard.press("Control+Enter")

    page.wait_for_url(lambda url: "/runs/" in url and parent not in url)
    expect(page.locator(".run-title .status-word")).to_have_text("ok", timeout=60_000)
    expect(page.locator(".lineage")).to_contain_text("what it should have said")
    expect(page.locator(".tag-edited").first).to_be_attached()
    expect(page.locator("#steps .tag-recorded").first).to_be_attached()
    expect(page.locator("#steps .tag-live").first).to_be_attached()
    expect(page.locator("#steps .failed")).to_have_count(0)

    page.keyboard.press("c")
    page.wait_for_url("**/compare?a=*&b=*")
    expect(page.get_by_text(re.compile(r"First difference: step \d+, edited\."))).to_be_visible()
    edited = page.locator(".state-edited")
    expect(edited.locator(".cell")).to_have_count(2)
    expect(edited.locator("ins").first).to_be_visible()

    page.goto(server.base + "/runs")
    page.get_by_role("link", name="1 re-execution").click()
    forks = page.locator("tr.run-row.depth-1")
    expect(forks).to_have_count(1)
    expect(forks.locator(".status-word")).to_have_text("ok")


def test_a_careful_policy_stops_the_fork_and_says_so(window: Open, tmp_path: Path) -> None:
    with told(SUPPORT, tmp_path) as server:
        _be_careful(window(server).page, server)


def _be_careful(page: Page, server: Server) -> None:
    page.goto(server.base + "/runs/last-failed")
    page.locator("#steps a.row.k-model").nth(SUPPORT.blamed_call - 1).click()
    page.keyboard.press("f")
    page.wait_for_url("**/fork")
    page.locator("[id='call.0.f.category']").select_option(label="clearance")
    expect(page.locator("#check")).to_contain_text("issue_refund=recorded")
    page.get_by_role("button", name=re.compile("Run fork")).click()
    # The refund has other arguments now, and the careful policy does not repeat it.
    status = page.locator(".run-title .status-word")
    expect(status).to_have_text(re.compile("stopped|failed"), timeout=60_000)
    expect(page.locator(".verdict")).to_contain_text("issue_refund may not run live")


def test_a_run_can_be_stopped(window: Open, tmp_path: Path) -> None:
    """An agent that would go on for ever, forked and stopped from its page."""
    agent = tmp_path / "slow_agent.py"
    agent.write_text(
        "import time\nimport tracer\n\n\n"
        "@tracer.tool(effect='read')\ndef look(number):\n    return number\n\n\n"
        "@tracer.tool(effect='read')\ndef wait(seconds):\n"
        "    time.sleep(seconds)\n    return 'over'\n\n\n"
        "@tracer.agent\ndef slow_agent(first):\n"
        "    if look(first) == first:\n        return 'as recorded'\n"
        "    return wait(600)\n\n\n"
        "if __name__ == '__main__':\n    slow_agent(1)\n"
    )
    database = tmp_path / "traces.db"
    environment = os.environ | {"TRACER_DB": str(database)}
    subprocess.run([sys.executable, str(agent)], env=environment, check=True, timeout=60)
    with running_server(database) as server:
        page = window(server).page
        page.goto(server.base + "/runs/last/steps/2/fork")
        page.locator("#result").fill("2")
        page.get_by_role("button", name=re.compile("Run fork")).click()
        expect(page.locator("#steps a.row.k-tool")).to_have_count(2, timeout=60_000)
        expect(page.locator(".run-title .status-word")).to_have_text("running")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".run-title .status-word")).to_have_text(
            re.compile("stopped|interrupted|failed"), timeout=30_000
        )
        expect(page.get_by_role("button", name="Stop")).to_have_count(0)
