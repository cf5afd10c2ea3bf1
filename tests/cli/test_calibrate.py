"""`tracer calibrate` and `--ignore`: what varies by itself is found, and can be ignored."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.support.processes import Desk, desk  # noqa: F401 - a fixture
from tests.support.servers import Numbered
from tracer.demo.model_server import ModelServer

# A process number is no clock and no random draw: it is another one in every execution.
AGENT = """
@tracer.tool(effect="read")
def look(where):
    return {"found": where}

@tracer.agent
def agent():
    first = ask(f"I am process {os.getpid()}. Greet me.")
    look("shelf")
    return ask([{"role": "system", "content": "Be brief"}, {"role": "user", "content": first}])

agent()
"""


@pytest.fixture
def recorded(desk: Desk) -> Iterator[Desk]:  # noqa: F811
    with ModelServer(latency=False, brain=Numbered()) as server:
        desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
        desk.load()
        desk.write("agent.py", AGENT)
        done = desk.record("agent.py", how="plain")
        assert done.code == 0, done.err
        yield desk
        assert server.request_count == 2


def _json(script: Run, on: Desk, *argv: str) -> tuple[int, Any]:
    done = script(*argv, "--json", cwd=on.folder, env=on.environment())
    return done.code, json.loads(done.out)


def test_what_varies_and_what_changed(script: Run, recorded: Desk) -> None:
    recorded.write("agent.py", AGENT.replace("Be brief", "Be long"))
    code, found = _json(script, recorded, "calibrate", "last")
    assert code == 3
    mine, edited = found["variations"]
    assert (mine["path"], mine["varies"], mine["cause"]) == (
        "messages[0].parts[0].content", True, "number",
    )  # fmt: skip
    assert mine["first"] != mine["second"]
    assert (edited["varies"], edited["first"], edited["second"]) == (False, "Be long", "Be long")
    assert found["ignore"] == ["number"]
    assert found["ended_early"] is None
    with recorded.bench.store as store:
        assert len(store.runs()) == 1  # its executions leave nothing


def test_the_rule_it_proposes_makes_the_replay_pass(script: Run, recorded: Desk) -> None:
    env = recorded.environment()
    stopped = script("replay", "last", cwd=recorded.folder, env=env)
    assert stopped.code == 3
    assert "a number varies by itself" in stopped.err
    assert "--ignore number" in stopped.err
    code, found = _json(script, recorded, "replay", "last", "--ignore", "number")
    assert (code, found["divergences"]) == (0, [])
    assert any("--ignore number" in warning for warning in found["warnings"])
    assert [s["source"] for s in found["steps"] if s["kind"] == "model"] == ["recorded"] * 2
    # A rule for another place changes nothing, and one is no licence for the rest.
    assert script("replay", "last", "--ignore", "messages[7]", cwd=recorded.folder, env=env).code
    recorded.write("agent.py", AGENT.replace("Greet me", "Curse me"))
    changed = script("replay", "last", "--ignore", "number", cwd=recorded.folder, env=env)
    assert changed.code == 3


def test_nothing_varies(script: Run, recorded: Desk) -> None:
    recorded.write("agent.py", AGENT.replace("{os.getpid()}", "one"))
    with ModelServer(latency=False, brain=Numbered()) as server:
        env = {"OPENAI_BASE_URL": f"{server.url}/v1"}
        assert recorded.record("agent.py", how="plain", env=env).code == 0
    code, found = _json(script, recorded, "calibrate", "last")
    assert (code, found["variations"], found["ignore"]) == (0, [], [])
