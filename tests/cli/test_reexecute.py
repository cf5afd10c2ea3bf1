"""`replay` and `fork` as commands: what goes where, exit codes, and the new run in the document."""

import json
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.support.processes import Desk, desk  # noqa: F401 - a fixture

AGENT = """
import sys
import tracer

@tracer.tool(effect="external")
def pay(amount):
    ledger("paid", amount)
    return {"paid": amount}

@tracer.tool(effect="read")
def rate(day):
    return 2 if len(sys.argv) < 2 else 3

@tracer.agent
def agent(amount):
    print("working")
    return pay(amount * rate("monday"))["paid"]

agent(12)
"""


@pytest.fixture
def recorded(desk: Desk) -> Desk:  # noqa: F811
    desk.write("agent.py", AGENT)
    assert desk.record("agent.py").code == 0
    return desk


def _run(script: Run, on: Desk, *argv: str) -> Any:
    return script(*argv, cwd=on.folder, env=on.environment())


def test_replay(script: Run, recorded: Desk) -> None:
    done = _run(script, recorded, "replay", "last")
    assert (done.code, done.out) == (0, "working\n")
    assert "replay of" in done.err.splitlines()[-1]
    assert recorded.ledger() == ["paid 24"]


def test_json_is_alone_on_standard_output(script: Run, recorded: Desk) -> None:
    done = _run(script, recorded, "replay", "last", "--json")
    found = json.loads(done.out)
    assert found["divergences"] == []
    assert found["parent_run"] == recorded.run().id
    assert found["fork"] is None
    assert {step["source"] for step in found["steps"] if step["kind"] == "tool"} == {"recorded"}
    assert "working" in done.err


def test_fork(script: Run, recorded: Desk) -> None:
    step = next(step for step in recorded.steps() if step.name == "rate")
    done = _run(
        script, recorded, "fork", "last", "--step", str(step.n), "--result", "4",
        "--tool", "pay=stub:{\"paid\": 0}", "--reason", "try four", "--json",
    )  # fmt: skip
    found = json.loads(done.out)
    assert (done.code, found["status"]) == (0, "ok")
    assert found["fork"].items() >= {"step": step.n, "kind": "result", "after": "live"}.items()
    sources = {one["name"]: one["source"] for one in found["steps"] if one["kind"] == "tool"}
    assert sources == {"rate": "substituted", "pay": "stubbed"}
    assert found["did"] == {"model_calls": 0, "cost_usd": None, "done": {}}
    assert recorded.ledger() == ["paid 24"]


def test_a_fork_says_what_it_did_for_real(script: Run, recorded: Desk) -> None:
    step = next(step for step in recorded.steps() if step.name == "rate")
    words = ("fork", "last", "--step", str(step.n), "--result", "4", "--tool", "pay=live")
    done = _run(script, recorded, *words)
    assert done.code == 0
    assert "tracer: done for real: pay\n" in done.err
    assert recorded.ledger() == ["paid 24", "paid 48"]


def test_a_fork_stops_before_an_unasked_payment(script: Run, recorded: Desk) -> None:
    step = next(step for step in recorded.steps() if step.name == "rate")
    done = _run(script, recorded, "fork", "last", "--step", step.id, "--result", "4")
    assert done.code == 4
    assert "pay" in done.err
    assert "Traceback" not in done.err
    assert recorded.ledger() == ["paid 24"]


def test_a_changed_program_diverges(script: Run, recorded: Desk) -> None:
    recorded.write("agent.py", AGENT.replace("agent(12)", "agent(13)"))
    done = _run(script, recorded, "replay", "last", "--json")
    found = json.loads(done.out)
    assert done.code == 3
    assert found["divergences"][0].keys() >= {"n", "step", "kind", "message", "diff"}
    assert recorded.ledger() == ["paid 24"]


def test_an_imported_run_needs_a_named_program(script: Run, recorded: Desk) -> None:
    _run(script, recorded, "export", "last", "-o", "run.tracer")
    other = ["--db", str(recorded.folder / "other.db")]
    _run(script, recorded, "import", "run.tracer", *other)
    refused = _run(script, recorded, "replay", "last", *other)
    assert refused.code == 125
    assert "--script" in refused.err
    run = json.loads(_run(script, recorded, "ls", "--json", *other).out)[0]["id"]
    done = _run(script, recorded, "replay", run, "--script", "agent.py", *other)
    assert (done.code, done.out) == (0, "working\n")
    assert recorded.ledger() == ["paid 24"]
