"""What doctor says of packages: those the matrix plays, old ones, and those not captured."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.frameworks.cases import CASES
from tracer.cli import doctor_seams
from tracer.cli.doctor_checks import KNOWN
from tracer.cli.support import OLDEST


def _install(folder: Path, name: str, version: str) -> None:
    """As much of a package as tells that it is there."""
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_every_row_of_the_matrix_has_an_oldest_version_that_doctor_goes_by() -> None:
    assert {case.distributions[0] for case in CASES} == set(OLDEST)
    assert set(OLDEST) <= {*KNOWN, *doctor_seams.NAMES}


def test_versions_older_than_any_that_is_tried_are_named(
    tracer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, version in (("cohere", "4.9.1"), ("groq", "0.13.0"), ("dspy", "2.6.27rc1")):
        _install(tmp_path, name, version)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = json.loads(tracer("doctor", "--json").out)
    packages = {package["name"]: package for package in found["packages"]}
    assert packages["cohere"]["older_than_tried"] == OLDEST["cohere"]
    assert packages["groq"]["older_than_tried"] is None
    assert packages["dspy"]["older_than_tried"] == OLDEST["dspy"]
    assert [problem.split(" is older")[0] for problem in found["problems"]] == [
        "cohere 4.9.1",
        "dspy 2.6.27rc1",
    ]
    shown = tracer("doctor").out
    line = next(line for line in shown.splitlines() if " cohere " in line)
    assert line.startswith("  ?") and f"older than {OLDEST['cohere']}" in line


def test_what_is_not_captured_says_why(
    tracer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("llama-cpp-python", "google-generativeai", "websocket-client", "litellm"):
        _install(tmp_path, name, "9.9.9")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = json.loads(tracer("doctor", "--json").out)
    packages = {package["name"]: package for package in found["packages"]}
    assert packages["litellm"]["captured"] and packages["litellm"]["replayable"]
    for name, word in (
        ("llama-cpp-python", "@tracer.model"),
        ("google-generativeai", "gRPC"),
        ("websocket-client", "not replayed past it"),
    ):
        package = packages[name]
        assert (package["captured"], package["replayable"]) == (False, False)
        assert word in package["why"]
