"""The files of the workspace that a step changed, on its page, in the command and as a download."""

import shutil
from pathlib import Path

import pytest

import tracer
from tests.support.agents import Bench, bench  # noqa: F401 - a fixture
from tests.ui.conftest import open_client
from tracer.cli.main import run_command
from tracer.store.trees import repository_of

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def recorded(bench: Bench, tmp_path: Path) -> Bench:  # noqa: F811
    work = tmp_path / "work"
    work.mkdir()
    (work / "old").write_text("before\n")

    @tracer.tool(effect="external")
    def write(text: str) -> None:
        (work / "a<b>.py").write_text(text)
        (work / "old").unlink()

    @tracer.agent(workspace=work)
    def agent() -> None:
        write(f"{HOSTILE}\n" + "x = 1\n" * 600)

    agent()
    return bench


def test_the_page_names_them_and_shows_how(recorded: Bench) -> None:
    step = recorded.step("tool")
    base = f"/runs/{recorded.run().id}/steps/{step.n}"
    with open_client(recorded.database) as client:
        page = client.get(base).text
        assert "2 changed in the workspace" in page
        assert "a&lt;b&gt;.py" in page and "a<b>" not in page
        fragment = client.get(f"/f{base}/files").text
        assert "<ins>+&lt;script&gt;alert(1)&lt;/script&gt;</ins>" in fragment
        assert HOSTILE not in fragment and "more lines" in fragment
        whole = client.get(f"{base}/raw/files")
        assert whole.text.count("+x = 1") == 600 and "-before" in whole.text
        assert whole.headers["content-type"].startswith("text/plain")
        assert client.get(f"{base}.json").json()["detail"]["workspace"]["changed"] == [
            ["A", "a<b>.py"], ["D", "old"],
        ]  # fmt: skip
        (agent,) = recorded.steps("agent")
        assert "in the workspace" not in client.get(base.replace(f"/{step.n}", f"/{agent.n}")).text
        shutil.rmtree(repository_of(recorded.database))
        gone = client.get(f"/f{base}/files")
        assert gone.status_code == 404 and "not kept here" in gone.text
        assert "2 changed in the workspace" in client.get(base).text


def test_the_command_shows_them(recorded: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    step = recorded.step("tool")
    assert run_command(["show", "last", "--step", str(step.n)]) == 0
    out = capsys.readouterr().out
    assert "  added a<b>.py\n" in out and "  removed old\n" in out and "    +x = 1\n" in out
