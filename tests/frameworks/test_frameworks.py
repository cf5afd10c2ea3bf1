"""Agents written with frameworks, unmodified: recorded, replayed, forked.

The light ones run here, in an environment that the first test makes (pip, about a minute; kept in
`.matrix`). `make matrix` runs them all; its results are held against what is claimed of them.
"""

import json
from pathlib import Path

import pytest

from tests.frameworks import matrix
from tests.frameworks.cases import CASES, LIGHT, Case

LIGHT_CASES = [case for case in CASES if case.environment == LIGHT]


@pytest.fixture(scope="session")
def light() -> Path:
    """The Python of the light environment; an error, never a skip, where it can't be made."""
    return matrix.python_of(LIGHT)


@pytest.mark.timeout(900)
def test_the_environment_can_be_made(light: Path) -> None:
    assert light.exists()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", LIGHT_CASES, ids=lambda case: case.name)
def test_an_evening(case: Case, light: Path) -> None:
    found = matrix.play(case, light).as_json()
    assert {
        key: said for key, said in found.items() if key != "versions" and said is not True
    } == {}


def test_every_case_has_a_result() -> None:
    """The table is made of these, so a framework without one would silently be missing."""
    results = json.loads(matrix.RESULTS.read_text("utf-8"))
    assert list(results) == [case.name for case in CASES]
    shown = matrix.table(results)
    assert all(f"| {case.name} |" in shown for case in CASES)


def test_what_fails_is_no_mark_in_the_table() -> None:
    found = {"versions": {"x": "1.0"}, "models": True, "tools": "2 of 4", "agents": True}
    row = matrix.table({"X": found | {"replay": "exit 3", "fork_text": True}}).splitlines()[-1]
    assert row == "| X | 1.0 | ✓ | – | ✓ | – | ✓ |"
