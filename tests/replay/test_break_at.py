"""`tracer replay --break-at`: the debugger in the program's own frames, the rest held still."""

import subprocess

import pytest

from tests.support.processes import CLI, Desk, desk
from tests.support.servers import Numbered
from tracer.demo.model_server import ModelServer

__all__ = ["desk"]

AGENT = """
from concurrent.futures import ThreadPoolExecutor

def one(n):
    question = f"number {n}"
    told = ask(question)
    return told

@tracer.agent
def agent():
    with ThreadPoolExecutor(2) as pool:
        return [one(0), *pool.map(one, (1, 2))]

print(agent())
"""


def debugged(desk: Desk, step: int, *commands: str) -> subprocess.CompletedProcess[str]:
    """A replay with somebody at the debugger who types this."""
    import sys

    return subprocess.run(
        [sys.executable, "-c", CLI, "replay", "last", "--break-at", str(step)],
        input="\n".join(commands) + "\n",
        env=desk.environment({"PYTHONUNBUFFERED": "1"}),
        cwd=desk.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_stops_before_the_step_in_the_frame_that_asks(desk: Desk) -> None:
    with ModelServer(latency=False, brain=Numbered()) as server:
        desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
        desk.write("agent.py", AGENT)
        recorded = desk.record("agent.py", how="plain")
        assert recorded.code == 0, recorded.err
        steps = [step for step in desk.steps() if step.kind == "model"]
        first = debugged(desk, steps[0].n, "up", "p question", "c")
        assert (first.returncode, "Traceback" in first.stderr) == (0, False), first.stderr
        for words in (f"before step {steps[0].n} (model", "'number 0'", recorded.out.strip()):
            assert words in first.stdout
        # While one thread stands in the debugger nothing is given up, however long it takes.
        second = debugged(desk, steps[1].n, "import time; time.sleep(1.5)", "c")
        assert second.returncode == 0, second.stderr
        assert recorded.out.strip() in second.stdout
        assert desk.bench.runs()[0].warnings == ()
        stepped = debugged(desk, steps[0].n, "n", "p reply.status_code + 1", "c")
        assert "201" in stepped.stdout
        assert stepped.returncode == 0, stepped.stderr
        assert server.request_count == 3


@pytest.mark.parametrize("more", ["--json", "--all"])
def test_nobody_to_debug_it(desk: Desk, more: str) -> None:
    from tracer.cli.main import run_command

    assert run_command(["replay", "last", "--break-at", "1", more]) == 2
