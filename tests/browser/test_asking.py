"""A fork that stops at a breakpoint, in a browser: the question, the answer, what comes of it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Server, running_server
from tests.support.processes import ROOT
from tracer.demo.conversation import Answer, Call, Conversation
from tracer.demo.model_server import ModelServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

AGENT = """
import json, os
import openai
import tracer

TOOLS = [{"type": "function", "function": {
    "name": "send_email",
    "description": "Send an e-mail to a customer.",
    "parameters": {"type": "object", "required": ["to", "body"], "properties": {
        "to": {"type": "string", "description": "The customer's address."},
        "body": {"type": "string"}, "urgent": {"type": "boolean"}}}}}]


def send_email(to, body, urgent=False):
    with open(os.environ["LEDGER"], "a") as file:
        file.write(f"{to}|{body}|{urgent}\\n")
    return {"sent": to}


def main():
    client = openai.OpenAI(base_url=os.environ["BASE"], api_key="sk-none-0123456789")
    messages = [{"role": "system", "content": "You write to customers."},
                {"role": "user", "content": "Tell ana@example.com that her <b>lamp</b> is here."}]
    while True:
        said = client.chat.completions.create(model="small", messages=messages, tools=TOOLS)
        message = said.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        if not message.tool_calls:
            print(message.content)
            return
        for call in message.tool_calls:
            result = send_email(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id,
                             "content": json.dumps(result)})


main()
"""


def brain(conversation: Conversation) -> Answer:
    if conversation.executed:
        return Answer(f"Sent to {conversation.executed[-1].result['sent']}.")
    return Answer("", (Call("send_email", {"to": "ana@example.com", "body": "It is here."}),))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over one recording of the agent, and the agent's own model server."""
    tmp_path = tmp_path_factory.mktemp("asking")
    (tmp_path / "agent.py").write_text(AGENT)
    with ModelServer(latency=False, brain=brain) as models, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASE", f"{models.url}/v1")
        patch.setenv("LEDGER", str(tmp_path / "ledger"))
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("TRACER_QUIET", "1")
        patch.setenv("TRACER_DB", str(tmp_path / "traces.db"))
        command = [sys.executable, "-P", "-m", "tracer", "run", "agent.py"]
        subprocess.run(command, env=dict(os.environ), cwd=tmp_path, check=True, timeout=60)
        with running_server(tmp_path / "traces.db") as server:
            yield server


def ledger() -> list[str]:
    return Path(os.environ["LEDGER"]).read_text().splitlines()


def shot(page: Page, name: str) -> None:
    """Pictures for whoever wants to look at them: TRACER_SHOTS names a folder."""
    if folder := os.environ.get("TRACER_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=False)


def start_fork(page: Page, server: Server, breaks: str, policy: str) -> None:
    """From the first model call on, with another body."""
    page.goto(server.base + "/runs/last/steps/1/fork")
    page.locator("[id='call.0.f.body']").fill("Your lamp is here.")
    page.locator("#breaks").fill(breaks)
    page.locator("[id='tool.send_email']").select_option(policy)
    expect(page.locator("#run-fork")).not_to_have_attribute("aria-disabled", "true")
    shot(page, "fork")
    page.locator("#run-fork").click()
    page.wait_for_url(lambda url: url.endswith(tuple("0123456789")) and "/fork" not in url)


def test_a_breakpoint_is_answered_in_the_page(window: Open, recorded: Server) -> None:
    before = len(ledger())
    page = window(recorded).page
    start_fork(page, recorded, "tool:send_*\nmodel", "ask")
    question = page.locator("#question")
    expect(question.locator("h2")).to_contain_text("send_email asks", timeout=60_000)
    expect(question).to_contain_text("breakpoint tool:send_*, policy ask")
    expect(question.locator("[id='call.0.f.to']")).to_have_value("ana@example.com")
    shot(page, "question-tool")
    other = window(recorded).page
    other.goto(recorded.base + "/runs")
    expect(other.locator(".tag-waits")).to_have_text("waits for you")
    shot(other, "list")
    other.close()

    # What is typed stays while the page is live, and a wrong answer comes back with it.
    question.locator("[id='call.0.f.body']").fill("Dear Ana, your lamp is here.")
    question.get_by_role("button", name="Edit as JSON").click()
    box = page.locator("[id='call.0.json']")
    expect(box).to_have_value(re.compile('"body": "Dear Ana, your lamp is here."'))
    box.fill('{"to": ')
    page.locator("#question-continue").click()
    expect(page.locator("#failed")).to_contain_text("this is not JSON")
    expect(page.locator("[id='call.0.json']")).to_have_value('{"to": ')
    shot(page, "question-wrong")
    page.locator("[id='call.0.json']").fill('{"to": "ana@example.com", "body": "Dear Ana!"}')
    page.locator("#question-continue").click()

    # The model is asked next: its text is given by hand.
    expect(question.locator("h2")).to_contain_text("small asks", timeout=30_000)
    expect(question).to_contain_text("ana@example.com")
    shot(page, "question-model")
    question.get_by_text("Answer in its place").click()
    question.locator("#text").fill("Ana knows.")
    shot(page, "question-answer")
    page.locator("#question-answer").click()
    expect(page.locator(".run-title .status-word")).to_have_text("ok", timeout=60_000)
    expect(page.locator("#question")).to_have_count(0)
    assert ledger()[before:] == ["ana@example.com|Dear Ana!|False"]
    page.goto(page.url.rpartition("/")[0] + "/2")
    expect(page.locator("#decided")).to_contain_text("edited by hand (page)")
    expect(page.locator("#decided ins").first).to_have_text("Dear Ana!")
    shot(page, "decided")


def test_without_scripts_a_form_is_enough(window: Open, recorded: Server) -> None:
    before = len(ledger())
    page = window(recorded, java_script_enabled=False).page
    page.goto(recorded.base + "/runs/last/steps/1/fork")
    page.locator("[id='call.0.f.body']").fill("Your lamp is here.")
    page.locator("[id='tool.send_email']").select_option("ask")
    page.locator("#run-fork").click()
    for _ in range(60):
        if page.locator("#question").count():
            break
        page.wait_for_timeout(500)
        page.reload()
    page.get_by_text("Answer in its place").click()
    page.locator("#result").fill('{"sent": "nobody"}')
    page.locator("#question-answer").click()
    for _ in range(60):
        if page.locator(".run-title .status-word").text_content() == "ok":
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(page.locator(".run-title .status-word")).to_have_text("ok")
    assert len(ledger()) == before
