"""What other programs read: the keys of the contract, on standard output and nothing else there."""

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Run

RUN_KEYS = {
    "id", "name", "status", "started_at", "duration_ms", "input", "output", "error", "usage",
    "cost_usd", "model_calls", "tool_calls", "parent_run", "fork", "entry", "origin",
}  # fmt: skip
STEP_KEYS = {
    "n", "id", "parent", "kind", "name", "status", "started_at", "duration_ms",
    "time_to_first_token_ms", "source", "diverged", "model", "provider", "input", "output",
    "error", "usage", "cost_usd", "effect",
}  # fmt: skip
USAGE_KEYS = {"input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"}


def _read(text: str) -> Any:
    def refuse(word: str) -> Any:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_ls(samples: Run) -> None:
    runs = _read(samples("ls", "--json").out)
    assert len(runs) == 7
    for run in runs:
        assert run.keys() >= RUN_KEYS
        assert "steps" not in run
    assert [run["started_at"] for run in runs] == sorted(
        (run["started_at"] for run in runs), reverse=True
    )
    failed = _read(samples("ls", "--json", "--failed").out)
    assert {run["status"] for run in failed} == {"error", "interrupted"}
    found = _read(samples("ls", "--json", "--search", "Halden cracked").out)
    assert {run["name"] for run in found} == {"support_agent", "nightly triage"}
    assert _read(samples("ls", "--json", "--search", "no such words").out) == []


def test_ls_reads_the_filters_of_the_list(samples: Run) -> None:
    def ids(*argv: str) -> list[str]:
        return [run["id"][:4] for run in _read(samples("ls", "--json", *argv).out)]

    assert ids("status:failed", "tool:lookup_order", "cracked") == ids(
        "--failed", "--search", "lamp"
    )
    assert ids("--filter", "-is:original", "--sort", "cost") == ["1d53", "c1fc"]
    assert ids("--filter=-is:original", "--sort", "cost-up") == ["c1fc", "1d53"]
    assert ids("name:broken_agent") == ["475e"]
    for argv, words in (
        (("stauts:error",), "there is no filter stauts: write status:"),
        (("--sort", "colour"), "runs can't be sorted by colour: write started"),
    ):
        done = samples("ls", "--json", *argv)
        assert (done.code, done.out) == (2, "")
        assert words in done.err


def test_show(samples: Run) -> None:
    run = _read(samples("show", "a975", "--json").out)
    assert run.keys() >= RUN_KEYS
    assert run["usage"].keys() == USAGE_KEYS
    assert run["status"] == "error"
    assert run["error"].keys() == {"type", "message", "traceback"}
    assert (run["fork"], run["parent_run"], run["origin"]) == (None, None, "local")
    assert (run["started_at"], run["duration_ms"]) == ("2026-09-21T14:23:20.000000Z", 4750.0)
    assert [step["n"] for step in run["steps"]] == list(range(1, 10))
    for step in run["steps"]:
        assert step.keys() >= STEP_KEYS
        assert step["usage"].keys() == USAGE_KEYS


def test_model_steps_carry_messages(samples: Run) -> None:
    run = _read(samples("show", "a975", "--json").out)
    step = run["steps"][3]
    assert (step["kind"], step["model"], step["provider"]) == (
        "model",
        "gpt-4.1-mini-2025-04-14",
        "openai",
    )
    assert [message["role"] for message in step["input"]] == ["system", "user", "assistant", "tool"]
    (call,) = step["output"][0]["parts"]
    assert (call["type"], call["name"]) == ("tool_call", "check_policy")
    assert call["arguments"] == {"category": "standard"}
    assert run["steps"][1]["time_to_first_token_ms"] == 90.0


def test_fork_and_sources(samples: Run) -> None:
    run = _read(samples("show", "1d53", "--json").out)
    assert run["fork"].items() >= {"step": 4, "kind": "tool_call", "after": "live"}.items()
    sources = [step["source"] for step in run["steps"]]
    assert sources[1:5] == ["recorded", "recorded", "substituted", "live"]


def test_one_step(samples: Run) -> None:
    step = _read(samples("show", "a975", "--step", "9", "--json").out)
    assert step.keys() >= STEP_KEYS
    assert (step["n"], step["kind"], step["effect"]) == (9, "tool", "external")
    assert step["input"] == {"order_id": "A-1042", "amount": 480.0}
    assert _read(samples("show", "a975", "--step", step["id"], "--json").out) == step


def test_hostile_runs_are_json_all_the_same(samples: Run) -> None:
    run = _read(samples("show", "bd67", "--json").out)
    assert len(run["steps"]) == 8
    assert run["steps"][4]["output"] == "long line " * 500_000


def test_diff(samples: Run, sample_store: tuple[Path, dict[str, str]]) -> None:
    ids = sample_store[1]
    found = _read(samples("diff", "a975", "1d53", "--json").out)
    assert found.keys() >= {"a", "b", "first_divergence", "rows"}
    assert (found["a"], found["b"], found["first_divergence"]) == (ids["failed"], ids["fork"], 4)
    assert [row["same"] for row in found["rows"]] == [True] * 3 + [False] * 7
    assert found["rows"][-1].items() >= {"a": None, "b": 10, "same": False}.items()
    assert found["rows"][3]["changes"] == [
        {
            "path": "output[0].parts[0].arguments.category",
            "old": "standard",
            "new": "clearance",
        }
    ]
    assert _read(samples("diff", "a975", "a975", "--json").out)["first_divergence"] is None


def test_import(tracer: Run, samples: Run, tmp_path: Path) -> None:
    bundle = tmp_path / "run.tracer"
    assert samples("export", "1d53", "-o", str(bundle)).code == 0
    runs = _read(tracer("import", str(bundle), "--json").out)
    assert [run["origin"] for run in runs] == ["imported", "imported"]
    assert runs[0]["parent_run"] == runs[1]["id"]


def test_doctor(tracer: Run, tmp_path: Path) -> None:
    found = _read(tracer("doctor", "--json").out)
    assert found["database"] == {
        "path": str(tmp_path / "traces.db"),
        "exists": False,
        "size_bytes": None,
        "runs": None,
    }
    assert {"openai", "httpx"} <= {package["name"] for package in found["packages"]}
