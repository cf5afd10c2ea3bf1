"""What is installed: two packages with their files, and nothing that hides a user's own names."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in the wheel built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("tracer_debugger-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_only_our_names_are_installed(names: list[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tracer", "tracer_ui"}


def test_every_file_of_the_packages_is_there(names: list[str]) -> None:
    for folder, package in (("tracer", "tracer"), ("ui/tracer_ui", "tracer_ui")):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"{package}/{path.relative_to(ROOT / folder).as_posix()}" in names
    assert "tracer/py.typed" in names


def test_no_tests_and_no_tools(names: list[str]) -> None:
    assert not [name for name in names if "test" in name.split("/")[0] or name.startswith(".")]
