"""The installed command in processes of its own: programs, streams, imports, demo, doctor."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Run
from tracer.capture.http import LIBRARIES
from tracer.cli.doctor_checks import KNOWN
from tracer.cli.run import end_options

PROGRAM = """
import sys
print("out", sys.argv[1:])
print("err", file=sys.stderr)
sys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
"""


def test_run_passes_the_program_through(script: Run, tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(PROGRAM)
    done = script("run", "prog.py", "7", "--db", "-m", "--json", cwd=tmp_path)
    assert done.code == 7
    assert done.out == "out ['7', '--db', '-m', '--json']\n"
    first, second = done.err.splitlines()
    assert first == "err"
    assert second.startswith("run ")
    assert " · error" in second
    assert second.endswith(" · tracer ui")
    assert script("run", "prog.py", cwd=tmp_path, env={"TRACER_QUIET": "1"}).err == "err\n"
    shown = json.loads(script("ls", "--json", cwd=tmp_path).out)
    assert [run["status"] for run in shown] == ["ok", "error"]


def test_run_module_and_database(script: Run, tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(PROGRAM)
    place = tmp_path / "deep" / "own.db"
    done = script("run", "--db", str(place), "-m", "prog", "0", "-h", cwd=tmp_path)
    assert (done.code, done.out) == (0, "out ['0', '-h']\n")
    assert json.loads(script("ls", "--json", "--db", str(place)).out)[0]["name"] == "prog"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["a.py", "--json"], ["--", "a.py", "--json"]),
        (["--per-agent", "a.py", "-m"], ["--per-agent", "--", "a.py", "-m"]),
        (["--db", "x", "a.py"], ["--db", "x", "--", "a.py"]),
        (["--db=x", "a.py"], ["--db=x", "--", "a.py"]),
        (["-m", "mod", "--db", "y"], ["-m", "mod", "--", "--db", "y"]),
        (["-mmod", "-h"], ["-mmod", "--", "-h"]),
        (["--", "a.py"], ["--", "a.py"]),
        (["-h"], ["-h", "--"]),
    ],
)
def test_where_options_end(given: list[str], read: list[str]) -> None:
    assert end_options(given) == read


def test_run_stays_light(script: Run, tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text("")
    (tmp_path / "prog.py").write_text("import sys; print(*sorted(sys.modules))")
    script("run", "first.py", cwd=tmp_path)  # makes the database, which needs more
    loaded = set(script("run", "prog.py", cwd=tmp_path).out.split())
    heavy = {"sqlite_utils", "starlette", "jinja2", "rich", "uvicorn", "tracer_ui", "jsonschema"}
    assert "tracer.capture.runtime" in loaded
    assert not loaded & heavy


def test_module_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tracer", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tracer, version ")


@pytest.mark.timeout(300)
def test_demo_check(script: Run, tmp_path: Path) -> None:
    """Record, fork, compare: the whole product once, on each sample agent."""
    done = script("demo", "--check", cwd=tmp_path, env={"OPENAI_API_KEY": "sk-not-used-0123456"})
    assert (done.code, done.err) == (0, "")
    assert done.out.count(": ok (") == 3
    assert "✗" not in done.out
    assert list(tmp_path.iterdir()) == []


def test_demo_serves_until_it_is_stopped(tmp_path: Path) -> None:
    """The run is in the project's database, the UI answers, forks have a model, Ctrl-C ends it."""
    tracer = str(Path(sys.executable).with_name("tracer"))
    command = [tracer, "demo", "--no-browser", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        address = next((line for line in shown.stdout if "http://127.0.0.1:" in line), "")
        assert httpx.get(address.strip(), follow_redirects=True).status_code == 200
        shown.send_signal(signal.SIGINT)
        assert shown.wait(30) == 0
        said = shown.stderr.read()
    assert "refunded 480.00, the policy allows 24.00" in said
    assert "tracer fork" in said
    assert "Traceback" not in said


def test_doctor_names_problems(script: Run, tmp_path: Path) -> None:
    (tmp_path / "tracer.py").write_text("")
    found = json.loads(
        script(
            "doctor",
            "--json",
            cwd=tmp_path,
            env={"OTEL_SDK_DISABLED": "true", "TRACER_DISABLED": "1", "TRACER_CAPTURE": ""},
        ).out
    )
    text = "\n".join(found["problems"])
    for words in ("tracer.py", "OTEL_SDK_DISABLED", "TRACER_DISABLED", "TRACER_CAPTURE"):
        assert words in text
    (tmp_path / "broken.db").write_bytes(b"x" * 5000)
    broken = script("doctor", "--db", "broken.db", cwd=tmp_path)
    assert broken.code == 0
    assert "broken.db" in broken.out


def test_doctor_knows_what_capture_watches() -> None:
    claimed = {name for name, (sort, captured, _) in KNOWN.items() if sort == "client" and captured}
    watched = {name.split(".")[0] for name in LIBRARIES} - {"http"}
    assert claimed == watched | {"requests", "botocore"}  # both stand on urllib3
