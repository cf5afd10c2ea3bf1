"""What a program that only decorates its functions must not pay for."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys, tracer

@tracer.agent
def agent(question):
    return look(question)

@tracer.tool
def look(question):
    return "found"

late = [
    name
    for name in (
        "sqlite3", "logging", "concurrent.futures", "shutil", "tracer.store.writer",
        "tracer.capture.recorder", "tracer.providers.registry", "starlette", "jinja2",
    )
    if name in sys.modules
]
print(late, agent("where?"), "sqlite3" in sys.modules)
"""


def test_decorating_loads_nothing_that_only_a_run_needs(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    said = subprocess.run(
        [sys.executable, "-S", "-c", _without_site(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"TRACER_DB": str(tmp_path / "t.db"), "PATH": ""},
        check=False,
    )
    assert (said.stdout, said.stderr) == ("[] found True\n", "")


def _without_site(script: Path) -> str:
    """Starts the script without what .pth files of the environment import by themselves."""
    return (
        f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}; "
        f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    )
