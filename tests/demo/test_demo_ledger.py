"""The ledger: one line an effect, whole even when threads and processes write together."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tracer.demo import ledger


def test_lines_are_appended_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACER_DEMO_LEDGER", str(tmp_path / "own.jsonl"))
    assert ledger.read() == []
    ledger.append("email", to="zoë@example.com")
    ledger.append("refund", amount=24.0)
    assert ledger.read() == [
        {"action": "email", "to": "zoë@example.com"},
        {"action": "refund", "amount": 24.0},
    ]


def test_the_default_is_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACER_DEMO_LEDGER", raising=False)
    monkeypatch.chdir(tmp_path)
    ledger.append("close")
    assert (tmp_path / "demo_ledger.jsonl").read_text() == '{"action": "close"}\n'


def test_threads_and_processes_do_not_tear_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACER_DEMO_LEDGER", str(tmp_path / "shared.jsonl"))
    body = "x" * 20_000  # long lines give a writer in pieces time to be interrupted
    script = (
        "from tracer.demo import ledger\n"
        f"for n in range(100): ledger.append('child', n=n, body={body!r})"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as child, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ledger.append("thread", n=n, body=body), range(100)))
        assert child.wait(timeout=30) == 0
    lines = (tmp_path / "shared.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    assert sorted((line["action"], line["n"]) for line in found) == [
        (who, n) for who in ("child", "thread") for n in range(100)
    ]
