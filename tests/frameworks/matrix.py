"""The whole matrix: environments under `.matrix`, every agent, one result file.

`make matrix` builds what is missing (pip, minutes for some) and runs; ARGS='langgraph sdks' picks
rows by the beginnings of their names or by their environment, `oldest` or `newest` among the words
one of the ages; `rm` takes environments away when they have been played. `spans` plays the programs
that send spans of their own. `results.json` and `spans.json` say what was found with which
versions; the tables of README are made of the former.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.frameworks import environments, harness, spans
from tests.frameworks.bench import bench
from tests.frameworks.cases import CASES, FRAMEWORKS, SDKS, Case
from tests.frameworks.environments import AGES, Age, python_of

SPANS = Path(__file__).parent / "spans.json"
RESULTS = Path(__file__).parent / "results.json"
# Column of the tables -> what must be true for its mark.
_COLUMNS = {
    "model calls": ("same", "models", "usage", "messages"),
    "tool executions": ("tools", "errors", "ids"),
    "agents": ("agents", "parents"),
    "replay": ("replay",),
    "fork": ("fork_text", "fork_tool"),
}


def play(case: Case, python: Path) -> harness.Findings:
    """One case in an environment, with the versions it met there."""
    with (
        tempfile.TemporaryDirectory(prefix="tracer-matrix-") as folder,
        bench(python, case, Path(folder)) as made,
    ):
        found = harness.examine(made, case)
    found.versions = environments.versions(python, *case.distributions, "httpx2")
    return found


def table(results: dict[str, Any], cases: tuple[Case, ...]) -> str:
    """The results of some rows as a Markdown table: a mark where all is well with both ages. A row
    whose oldest version has not been played shows the newest alone."""
    columns = [name for name in _COLUMNS if name != "agents" or any(case.agents for case in cases)]
    rows = [["", "versions", *columns], ["---"] * (2 + len(columns))]
    for case in cases:
        found = results[case.name]
        played = [found[age]["versions"] for age in AGES if age in found]
        versions = [next(iter(one.values()), "?") for one in played]
        told = " – ".join(dict.fromkeys(versions))
        marks = {name: _cell(found, _COLUMNS[name]) for name in columns}
        if not case.agents and "agents" in marks:
            marks["agents"] = ""  # the row has no such notion
        rows.append([case.name, told, *marks.values()])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _cell(found: dict[str, Any], keys: tuple[str, ...]) -> str:
    return "✓" if all(one[key] is True for one in found.values() for key in keys) else "–"


def blocks(results: dict[str, Any]) -> dict[str, str]:
    """The tables of README by the name of the comment around them."""
    return {"matrix": table(results, FRAMEWORKS), "matrix sdks": table(results, SDKS)}


def main(words: list[str]) -> int:
    """Run the cases named, all without a name, and write down what came out."""
    if words == ["spans"]:
        return _spans()
    ages = [age for age in AGES if age in words] or list(AGES)
    names = tuple(word.lower() for word in words if word not in (*AGES, "rm"))
    picked = [
        case
        for case in CASES
        if not names or case.environment in names or case.name.lower().startswith(names)
    ]
    failed = 0
    for environment in dict.fromkeys(case.environment for case in picked):
        for age in ages:
            python = python_of(environment, age)
            for case in picked:
                if case.environment == environment:
                    failed += _one(case, age, python)
            if "rm" in words:
                shutil.rmtree(python.parents[1])
    return 1 if failed else 0


def _spans() -> int:
    found = {row.name: spans.play(row) for row in spans.ROWS}
    SPANS.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", "utf-8")
    bad = {
        f"{name}: {key}": said
        for name, row in found.items()
        for key, said in row.items()
        if key != "versions" and said is not True
    }
    print(bad or "spans ok", flush=True)
    return 1 if bad else 0


def _one(case: Case, age: Age, python: Path) -> bool:
    found = play(case, python).as_json()
    bad = {key: said for key, said in found.items() if key != "versions" and said is not True}
    print(f"{case.name} ({age}): {bad or 'ok'}", flush=True)
    # Read anew for each row: two environments may be played at once.
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    results.setdefault(case.name, {})[age] = found
    ordered = {
        case.name: {age: results[case.name][age] for age in AGES if age in results[case.name]}
        for case in CASES
        if case.name in results
    }
    RESULTS.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
