"""`tracer replay --all`: what is stored, against the code as it is now."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.processes import Desk, desk  # noqa: F401 - a fixture

AGENT = """
import sys
import tracer

@tracer.tool(effect="read")
def rate(day):
    return 2

@tracer.tool(effect="external")
def pay(amount):
    ledger("paid", amount)
    return amount

@tracer.agent
def agent(day):
    if day == "never":
        return 0
    return pay(rate(day) * 10)

if __name__ == "__main__":
    print(agent(sys.argv[1]))
"""


@pytest.fixture
def recorded(desk: Desk) -> Desk:  # noqa: F811
    desk.write("agent.py", AGENT)
    for day in ("monday", "never"):
        assert desk.record("agent.py", day, how="plain").code == 0
    return desk


def test_every_run_is_replayed_and_only_what_diverged_is_kept(
    script: Run, recorded: Desk, tmp_path: Path
) -> None:
    env = recorded.environment()
    done = script("replay", "--all", cwd=recorded.folder, env=env)
    assert (done.code, done.out.count("same")) == (0, 2), done.err
    assert "2 runs: 2 same" in done.err
    with recorded.bench.store as store:
        assert len(store.runs()) == 2
    recorded.write("agent.py", AGENT.replace("rate(day) * 10", "rate(day) * 20"))
    done = script("replay", "--all", "--json", cwd=recorded.folder, env=env)
    assert done.code == 3
    found = json.loads(done.out)
    assert (found["same"], found["diverged"]) == (1, 1)
    changed, same = found["runs"]
    assert (changed["verdict"], changed["step"], same["verdict"]) == ("diverged", 3, "same")
    assert "20" in changed["message"]
    assert recorded.run(changed["replay"]).parent_run == changed["run"]
    with recorded.bench.store as store:
        assert len(store.runs()) == 3
    assert recorded.ledger() == ["paid 20"]


def test_bundles_of_a_folder_with_your_own_copy_of_the_agent(
    script: Run, recorded: Desk, tmp_path: Path
) -> None:
    env = recorded.environment()
    folder = recorded.folder / "bundles"
    folder.mkdir()
    for run in ("last", recorded.bench.store.runs()[1].id):
        name = str(folder / f"{run[:6]}.tracer")
        assert script("export", run, "-o", name, cwd=recorded.folder, env=env).code == 0
    (folder / "broken.tracer").write_bytes(b"no zip at all")
    words = ("replay", "--all", str(folder), "--json")
    alone = json.loads(script(*words, cwd=recorded.folder, env=env).out)
    assert {row["verdict"] for row in alone["runs"]} == {"cannot"}
    mine = script(*words, "--entry", "agent.py:agent", cwd=recorded.folder, env=env)
    found = json.loads(mine.out)
    assert (found["same"], found["cannot"], mine.code) == (2, 1, 125)
    broken = next(row for row in found["runs"] if row["run"] is None)
    assert "broken.tracer" in broken["message"]
    assert recorded.ledger() == ["paid 20"]
    with recorded.bench.store as store:
        assert len(store.runs()) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("replay",), "name the run"),
        (("replay", "--all", "nowhere"), "no folder"),
        (("replay", "--all", "."), "holds no bundle"),
    ],
)
def test_what_is_wrong_is_said(
    tracer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = tracer(*words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
