"""`tracer fork --break` at a terminal: a pseudo-terminal, the installed command, a real agent."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import CLI, Desk, desk
from tracer.demo.conversation import Answer, Call, Conversation
from tracer.demo.model_server import ModelServer
from tracer.reexecution.resolution import Resolution, answer_question
from tracer.store.reading import Store

__all__ = ["desk"]

AGENT = """
@tracer.tool
def pay(amount, to):
    ledger("pay", amount, to)
    return {"paid": amount}

@tracer.agent
def agent():
    messages = [{"role": "user", "content": "Pay."}]
    for _ in range(4):
        tools = [{"type": "function", "function": {"name": "pay", "parameters": {}}}]
        reply = httpx.post(BASE + "/chat/completions", json=body(messages, tools=tools))
        said = reply.json()["choices"][0]["message"]
        messages.append(said)
        for call in said.get("tool_calls") or ():
            done = pay(**json.loads(call["function"]["arguments"]))
            messages.append(
                {"role": "tool", "tool_call_id": call["id"], "content": json.dumps(done)}
            )
        if not said.get("tool_calls"):
            return said["content"]

print("agent says", agent())
"""


def brain(conversation: Conversation) -> Answer:
    if conversation.executed:
        return Answer(f"Paid {conversation.executed[-1].result['paid']}.")
    return Answer("", (Call("pay", {"amount": 5, "to": "ana"}),))


class Terminal:
    """The command at a pseudo-terminal of its own."""

    def __init__(self, desk: Desk, *words: str, **env: str) -> None:
        self._own, theirs = pty.openpty()
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLI, "fork", "last", "--model-call", "1", *words],
            env=desk.environment({"EDITOR": "", "VISUAL": "", **env}),
            cwd=desk.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def until(self, words: str, seconds: float = 40) -> str:
        """What is shown up to these words; they are looked for once."""
        give_up = time.monotonic() + seconds
        while words not in self.seen:
            assert time.monotonic() < give_up, self.seen
            if not select.select([self._own], [], [], 0.2)[0]:
                continue
            try:
                self.seen += os.read(self._own, 1 << 16).decode("utf-8", "replace")
            except OSError:  # the other end is closed
                break
        before, found, self.seen = self.seen.partition(words)
        assert found, before
        return before

    def type(self, line: str) -> None:
        os.write(self._own, line.encode() + b"\n")

    def ended(self) -> int:
        self.until("tracer diff")
        code = self.process.wait(20)
        os.close(self._own)
        return code


@pytest.fixture
def recorded(desk: Desk) -> Iterator[Desk]:
    with ModelServer(latency=False, brain=brain) as server:
        desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
        desk.write("agent.py", AGENT)
        done = desk.record("agent.py", how="plain")
        assert done.code == 0, done.err
        yield desk


CALL = ("--tool-call", "pay", '{"amount": 7, "to": "bob \\u001b[31m"}')


def test_a_question_is_answered_at_the_terminal(recorded: Desk, tmp_path: Path) -> None:
    terminal = Terminal(recorded, *CALL, "--break", "any")
    shown = terminal.until("[s]top")
    assert "tool pay waits for you (breakpoint any, it may change the world)" in shown
    assert '"amount": 7' in shown and "\x1b[31m" not in shown
    terminal.type("x")
    terminal.until("type c, e, a, f, b or s")
    terminal.type("e not json")
    terminal.until("this is not JSON")
    terminal.type('e {"amount": 3, "to": "cy"}')
    assert "model chat waits for you (breakpoint any)" in terminal.until("[s]top")
    terminal.type("a By hand.")
    terminal.until("agent says By hand.")
    assert terminal.ended() == 0
    assert recorded.ledger() == ["pay 5 ana", "pay 3 cy"]
    newest = recorded.bench.runs()[0].id
    tool, model = (s for s in recorded.steps(newest) if s.kind in ("tool", "model") and s.n > 2)
    assert (tool.source, tool.detail["asked"]["did"]) == ("live", "edited")
    assert (model.source, model.detail["asked"]["by"]) == ("substituted", "terminal")

    # An editor, and the words in full.
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import sys, json, pathlib\npath = pathlib.Path(sys.argv[1])\n"
        "given = json.loads(path.read_text())\ngiven['amount'] = 1\n"
        "path.write_text(json.dumps(given))\n"
    )
    terminal = Terminal(recorded, *CALL, EDITOR=f"{sys.executable} {editor}")
    terminal.until("[s]top")
    terminal.type("edit")
    terminal.until("agent says Paid 1.")
    assert terminal.ended() == 0


def test_the_page_may_be_faster(recorded: Desk) -> None:
    terminal = Terminal(recorded, *CALL, "--tool", "pay=ask")
    terminal.until("[s]top")
    with Store.open(recorded.database) as store:
        run = store.runs(limit=1)[0]
        assert run.waiting
        (question,) = store.questions(run.id, "open")
    assert answer_question(recorded.database, question, Resolution("continue", "page"))
    said = terminal.until("tracer diff")
    assert "(answered elsewhere)" in said and "agent says Paid 7." in said
    assert terminal.process.wait(20) == 0


def test_without_a_terminal_nobody_is_waited_for(recorded: Desk) -> None:
    words = [sys.executable, "-c", CLI, "fork", "last", "--model-call", "1", *CALL]
    began = time.monotonic()

    def fork(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*words, *more],
            env=recorded.environment(),
            cwd=recorded.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = fork("--tool", "pay=ask", "--json")
    assert done.returncode == 4 and "nobody agreed to it" in done.stderr
    assert json.loads(done.stdout)["exit_code"] == 4
    done = fork("--break", "tool", "--wait", "0.01", "--tool", "pay=live")
    assert done.returncode == 4, done.stderr
    assert "met the breakpoint tool, and nobody answered within 0.01 minutes" in done.stderr
    assert time.monotonic() - began < 60 and recorded.ledger() == ["pay 5 ana"]
