"""`make bench` produces every row; what the numbers are is nobody's business here."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.rows import Row, Target, compared, quartiles
from benchmarks.table import as_text

ROOT = Path(__file__).resolve().parents[2]
STEP_ROWS = {
    f"{form}, {steps} steps: {what}"
    for form in ("@tracer.model function", "model over httpx2")
    for steps in (4, 8, 12)
    for what in ("CPU of the agent's thread", "CPU of the whole process", "time")
}
GROUPS = {
    "step": STEP_ROWS,
    "disk": {
        "database at 40 steps",
        "whole requests, zlib, at 40 steps",
        "database instead of whole requests, at 40 steps",
    },
    "stream": {
        "streamed openai call: whole call",
        "streamed openai call: first chunk",
        "streamed openai call: CPU of the agent's thread",
    },
    "import": {"import tracer: CPU", "import tracer and its decorators: CPU"},
    "list": {
        "list of 1,000 runs",
        "list of 1,000 runs, those that failed",
        "list of 1,000 runs, by a comparison that fits none",
        "list of 1,000 runs, by duration",
    },
    "page": {
        "run page of 500 steps: first response",
        "run page of 500 steps: next response",
        "run page of 500 steps: HTML",
        "run page of 500 steps: elements",
        "run page of 500 steps: first paint",
        "run page of 500 steps: key to next step",
    },
}


def bench(tmp_path: Path, *groups: str) -> tuple[dict[str, Any], str]:
    """The JSON and the table of a quick measurement."""
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(out), *groups]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text()), done.stdout


def check(tmp_path: Path, group: str) -> None:
    document, table = bench(tmp_path, group)
    rows = document["rows"]
    assert {row["name"] for row in rows} == GROUPS[group]
    assert len(rows) == len(GROUPS[group])
    for row in rows:
        assert row["group"] == group
        assert row["name"] in table
        # Noise may make little work look like none, but never like no number.
        assert all(math.isfinite(row[key]) for key in ("value", "other", "ratio"))
        low, high = row["spread"]
        assert low <= row["ratio"] <= high
        assert (row["met"] is None) == (row["target"] is None)
    assert document["missed"] == [row["name"] for row in rows if row["met"] is False]
    assert "QUICK" in table


@pytest.mark.parametrize("group", ["step", "disk", "stream", "import", "list"])
def test_every_row_is_measured(tmp_path: Path, group: str) -> None:
    check(tmp_path, group)


@pytest.mark.browser
def test_every_row_of_the_run_page_is_measured(tmp_path: Path, chromium: str) -> None:
    check(tmp_path, "page")


def test_an_unknown_group_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "speed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no group 'speed'" in done.stderr


def test_a_row_compares_round_by_round() -> None:
    row = compared("work", "ms", [(1, 2), (3, 2), (4, 2)], "play", Target("ratio", 1.5))
    assert (row.value, row.other, row.ratio, row.rounds) == (3, 2, 1.5, 3)
    assert row.spread == (1.0, 1.75)
    assert row.met is True


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (None, None),
        (Target("ratio", 2.0), True),
        (Target("ratio", 1.9), False),
        (Target("value", 10), True),
        (Target("value", 9), False),
        (Target("more", 5), True),
        (Target("more", 4), False),
    ],
)
def test_a_target_is_met_or_missed(target: Target | None, met: bool | None) -> None:
    row = compared("work", "ms", [(10, 5)], "play", target)
    assert row.met is met
    assert row.as_json()["met"] is met


def test_quartiles_of_one_round_are_that_round() -> None:
    assert quartiles([2.5]) == (2.5, 2.5)


def test_the_table_says_what_was_missed() -> None:
    def row(name: str, limit: float) -> tuple[str, Row]:
        return "step", compared(name, "ms", [(10, 5)], "play", Target("ratio", limit))

    assert "every target is met" in as_text([row("quick", 2)], quick=False)
    table = as_text([row("quick", 2), row("slow", 1)], quick=False)
    assert "MISSED: slow (2.00x, at most 1x)" in table
    assert "QUICK" not in table
