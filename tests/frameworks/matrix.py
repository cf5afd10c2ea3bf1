"""The whole matrix: environments under `.matrix`, every agent, one result file.

`make matrix` builds what is missing (pip, minutes for some) and runs; ARGS='langgraph adk' picks
cases by the beginnings of their names. `results.json` says what was found with which versions, and
`table` makes of it the table of README.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.frameworks import harness
from tests.frameworks.cases import CASES, ENVIRONMENTS, Case

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".matrix"
RESULTS = Path(__file__).parent / "results.json"
_VERSIONS = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
_COLUMNS = {
    "models": "model calls",
    "tools": "tool executions",
    "agents": "agents",
    "replay": "replay",
    "fork_text": "fork",
}


def python_of(environment: str) -> Path:
    """The interpreter of an environment; made first, where it is missing or out of date.

    Raises CalledProcessError with pip's own words on standard error.
    """
    folder = PLACE / environment
    wanted = "\n".join(ENVIRONMENTS[environment])
    stamp = folder / "packages"
    if not stamp.exists() or stamp.read_text() != wanted:
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        python = str(folder / "bin" / "python")
        quiet = ("--quiet", "--disable-pip-version-check")
        packages = ENVIRONMENTS[environment]
        _run(python, "-m", "pip", "install", *quiet, *packages, "--editable", str(ROOT))
        stamp.write_text(wanted)
    return folder / "bin" / "python"


def _run(*words: str) -> str:
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def play(case: Case, python: Path) -> harness.Findings:
    """One case in an environment, with the versions it met there."""
    with (
        tempfile.TemporaryDirectory(prefix="tracer-matrix-") as folder,
        harness.bench(python, case.script, Path(folder)) as made,
    ):
        found = harness.examine(made, case)
    versions = _run(str(python), "-c", _VERSIONS, *case.distributions).split()
    found.versions = dict(zip(case.distributions, versions, strict=True))
    return found


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table: a mark where all is well, else what is not."""
    heads = ["framework", "version", *_COLUMNS.values()]
    without_agents = {case.name for case in CASES if not case.agents}  # MCP has no such notion
    rows = [heads, ["---"] * len(heads)]
    for name, found in results.items():
        version = next(iter(found["versions"].values()), "")
        marks = {column: _cell(found[column]) for column in _COLUMNS}
        if name in without_agents:
            marks["agents"] = ""
        rows.append([name, version, *marks.values()])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _cell(found: bool | str) -> str:
    return "✓" if found is True else "–"


def main(words: list[str]) -> int:
    """Run the cases named, all without a name, and write down what came out."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    failed = 0
    for case in CASES:
        if words and not case.name.lower().startswith(tuple(word.lower() for word in words)):
            continue
        found = play(case, python_of(case.environment)).as_json()
        bad = {key: said for key, said in found.items() if key != "versions" and said is not True}
        failed += bool(bad)
        print(f"{case.name}: {bad or 'ok'}", flush=True)
        results[case.name] = found
    ordered = {case.name: results[case.name] for case in CASES if case.name in results}
    RESULTS.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return 1 if failed else 0


__all__ = ["main", "play", "python_of", "table"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
