"""Agents written with frameworks, unmodified: recorded, replayed, forked.

`make matrix` runs them all, each in an environment that it makes (pip, about a minute; kept in
`.matrix`), and keeps the results; the light ones are also tests here, for `pytest -m matrix`. What
is claimed of frameworks is held against the results in every run of the tests.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.frameworks import matrix, spans
from tests.frameworks.cases import CASES, LIGHT, Case
from tests.frameworks.environments import AGES, python_of
from tests.frameworks.harness import Findings
from tracer.cli.support import OLDEST

LIGHT_CASES = [case for case in CASES if case.environment == LIGHT]


@pytest.fixture(scope="session")
def light() -> Path:
    """The Python of the light environment; an error, never a skip, where it can't be made."""
    return python_of(LIGHT)


@pytest.mark.matrix
@pytest.mark.timeout(900)
def test_the_environment_can_be_made(light: Path) -> None:
    assert light.exists()


@pytest.mark.matrix
@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", LIGHT_CASES, ids=lambda case: case.name)
def test_an_evening(case: Case, light: Path) -> None:
    found = matrix.play(case, light).as_json()
    assert {
        key: said for key, said in found.items() if key != "versions" and said is not True
    } == {}


def test_every_case_has_a_result_with_the_versions_that_are_claimed() -> None:
    """The tables are made of these, so a framework without one would silently be missing."""
    results = json.loads(matrix.RESULTS.read_text("utf-8"))
    assert list(results) == [case.name for case in CASES]
    for case in CASES:
        name, found = case.distributions[0], results[case.name]
        assert found["newest"]["versions"][name]
        if "oldest" in found:
            assert found["oldest"]["versions"][name] == OLDEST[name]
    shown = "".join(matrix.blocks(results).values())
    assert all(f"| {case.name} |" in shown for case in CASES)


def test_what_fails_with_either_version_is_no_mark_in_the_table() -> None:
    case = Case("X", "x.py", ("x",), ("planner",))
    fine = dict.fromkeys(asdict(Findings()), True)
    found: dict[str, Any] = {age: fine | {"versions": {"x": age}} for age in AGES}
    assert matrix.table({"X": found}, (case,)).splitlines()[-1] == (
        "| X | oldest – newest | ✓ | ✓ | ✓ | ✓ | ✓ |"
    )
    found["oldest"] |= {"usage": "2 of 4", "fork_tool": "exit 3"}
    assert matrix.table({"X": found}, (case,)).splitlines()[-1] == (
        "| X | oldest – newest | – | ✓ | ✓ | ✓ | – |"
    )


def test_every_program_with_spans_of_its_own_has_a_result() -> None:
    results = json.loads(matrix.SPANS.read_text("utf-8"))
    assert list(results) == [row.name for row in spans.ROWS]
