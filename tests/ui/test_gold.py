"""The pages as they were last looked at; `make gold` accepts what they are now."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.goldtest import check_gold
from tests.support.run_builder import EPOCH_NS
from tests.ui.conftest import open_client

SCRUBS = [
    (r"\?v=[0-9a-f]{12}", "?v=HASH"),
    (r"/[^\"<\s]*traces\.db", "DATABASE"),
    (r"(?s)<dialog id=\"keys\".*?</dialog>", "<dialog>…</dialog>"),
]


@pytest.fixture(autouse=True)
def _one_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in the reader's zone, and by how long ago they were."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr("tracer_ui.runrows.time.time_ns", lambda: EPOCH_NS + 86_400 * 10**9)
    yield
    monkeypatch.undo()
    time.tzset()


def check(client: TestClient, name: str, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    check_gold(f"ui/{name}.html", page.text, SCRUBS)


def test_gold_run_list(client: TestClient) -> None:
    check(client, "runs", "/runs?q=lamp")


def test_gold_model_call(client: TestClient, ids: dict[str, str]) -> None:
    check(client, "model_call", f"/runs/{ids['failed']}/steps/4")


def test_gold_failed_tool(client: TestClient, ids: dict[str, str]) -> None:
    check(client, "failed_tool", f"/f/runs/{ids['failed']}/steps/9")


def test_gold_fork_run(client: TestClient, ids: dict[str, str]) -> None:
    check(client, "fork_run", f"/runs/{ids['fork']}/steps/7")


def test_gold_fork_editor(client: TestClient, ids: dict[str, str]) -> None:
    check(client, "fork_editor", f"/runs/{ids['failed']}/steps/7/fork")


def test_gold_compare(client: TestClient, ids: dict[str, str]) -> None:
    check(client, "compare", f"/compare?a={ids['failed']}&b={ids['fork']}")


def test_gold_overview(client: TestClient) -> None:
    check(client, "overview", "/overview?q=after:2026-09-01")


def test_gold_first_run(tmp_path: Path) -> None:
    with open_client(tmp_path / "traces.db") as empty:
        check(empty, "first_run", "/runs")
