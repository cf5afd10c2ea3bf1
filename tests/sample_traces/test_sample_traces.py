"""Each bundle in sample_traces/ is imported, shown and replayed, with no key and no network."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tracer.demo.model_server import ModelServer

ROOT = Path(__file__).parents[2]
BUNDLES = sorted((ROOT / "sample_traces").glob("*.tracer"))
EXPECTED = {
    "refund-failed": ("error", "RefundMismatch", 7),
    "refund-fixed": ("ok", None, 7),
    "refund-streaming": ("error", "RefundMismatch", 7),
    "team-exception": ("error", "NoRate", 8),
}


def run_tracer(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_KEY")}
    environment |= {
        "TRACER_DB": str(folder / "traces.db"),
        "TRACER_DEMO_LEDGER": str(folder / "ledger.jsonl"),
        "NO_COLOR": "1",
    }
    return subprocess.run(
        [sys.executable, "-P", "-m", "tracer", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_they_are_all_there() -> None:
    assert {path.stem for path in BUNDLES} == set(EXPECTED)


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.stem)
def test_imported_shown_and_replayed(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, error, model_calls = EXPECTED[bundle.stem]
    imported = run_tracer(tmp_path, "import", str(bundle))
    assert imported.returncode == 0, imported.stderr
    listed: list[dict[str, Any]] = json.loads(run_tracer(tmp_path, "ls", "--json").stdout)
    forks = [run for run in listed if run["fork"] is not None]
    wanted = forks[0] if bundle.stem == "refund-fixed" else listed[0]
    assert wanted["origin"] == "imported"

    shown = run_tracer(tmp_path, "show", wanted["id"], "--json")
    before = json.loads(shown.stdout)
    assert before["status"] == status
    assert before["model_calls"] == model_calls
    assert (before["error"] or {}).get("type", "").endswith(error or "")
    assert "check_policy" in shown.stdout or "submit_plan" in shown.stdout
    assert run_tracer(tmp_path, "show", wanted["id"]).returncode == 0

    with ModelServer(latency=False) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        replayed = run_tracer(tmp_path, "replay", wanted["id"], "--json")
        assert server.request_count == 0
    assert replayed.returncode == 0, replayed.stderr
    after = json.loads(replayed.stdout)
    assert after["divergences"] == []
    assert after["output"] == before["output"]
    assert after["status"] == before["status"]
    done = [step for step in after["steps"] if step["kind"] in ("model", "tool")]
    assert {step["source"] for step in done} == {"recorded"}
    assert not (tmp_path / "ledger.jsonl").exists()
