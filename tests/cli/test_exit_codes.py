"""Every way a command can end, by its exit code and its one sentence."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tracer.cli import main
from tracer.cli.main import EXIT_INTERNAL

BAD = {
    "no such run": (("show", "nope"), 6, "there is no run 'nope'"),
    "no such step": (("show", "a975", "--step", "57"), 6, "there is no step 57"),
    "step of digits": (("show", "a975", "--step", "9" * 5000), 6, "step"),
    "run of both": (("diff", "a975", "nope"), 6, "there is no run 'nope'"),
    "unknown option": (("ls", "--nope"), 2, "no such option '--nope': see `tracer ls --help`"),
    "unknown command": (("frok",), 2, "no such command 'frok'"),
    "missing argument": (("show",), 2, "missing argument 'RUN'"),
    "no answer": (("fork", "a975", "--step", "4"), 2, "give one answer"),
    "two answers": (("fork", "a975", "--step", "4", "--text", "x", "--result", "1"), 2, "one"),
    "no step": (("fork", "a975", "--text", "x"), 2, "--step N or --model-call K"),
    "step and call": (
        ("fork", "a975", "--step", "4", "--model-call", "1", "--text", "x"),
        2,
        "not both",
    ),
    "bad json": (
        ("fork", "a975", "--step", "4", "--tool-call", "f", "{"),
        2,
        "is not JSON",
    ),
    "not an object": (("fork", "a975", "--step", "4", "--tool-call", "f", "[]"), 2, "JSON object"),
    "bad kind": (("fork", "a975", "--step", "4", "--error", "flood"), 2, "use one of rate_limit"),
    "bad policy": (
        ("fork", "a975", "--step", "4", "--text", "x", "--tool", "pay=maybe"),
        2,
        "recorded, ask, live, block or stub:JSON",
    ),
    "policy without name": (
        ("fork", "a975", "--step", "4", "--text", "x", "--tool", "live"),
        2,
        "NAME=POLICY",
    ),
    "no response file": (
        ("fork", "a975", "--step", "4", "--response", "/nope.json"),
        2,
        "/nope.json can't be read",
    ),
    "open quote": (("replay", "a975", "--script", "'a.py"), 2, "--script"),
    "program gone": (("replay", "a975"), 125, "--script PATH"),
    "fork of no step": (("fork", "a975", "--step", "99", "--text", "x"), 6, "no step 99"),
    "fork of no call": (("fork", "a975", "--model-call", "99", "--text", "x"), 6, "model call"),
    "export later": (("export", "a975", "-o", "/tmp/x", "--format", "html"), 2, "not there yet"),
    "export no place": (("export", "a975", "-o", "/nope/x"), 2, "can't write /nope/x"),
    "import nothing": (("import", "/nope.tracer"), 2, "can't read /nope.tracer"),
}


@pytest.mark.parametrize("case", BAD)
def test_one_sentence_and_a_code(samples: Run, case: str) -> None:
    argv, code, words = BAD[case]
    done = samples(*argv)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert done.err.startswith("tracer: ")
    assert len(done.err.splitlines()) == 1
    assert "Traceback" not in done.err


def test_no_database_yet(tracer: Run, tmp_path: Path) -> None:
    done = tracer("ls", "--json")
    assert (done.code, json.loads(done.out)) == (0, [])
    assert "nothing is recorded" in done.err
    for argv in (
        ("show", "last"),
        ("replay", "last"),
        ("export", "last", "-o", str(tmp_path / "x")),
    ):
        done = tracer(*argv)
        assert (done.code, done.out) == (2, "")
        assert "nothing is recorded" in done.err
        assert "tracer run" in done.err
    assert not (tmp_path / "traces.db").exists()


def test_foreign_and_broken_database(tracer: Run, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 20)
    done = tracer("ls", "--db", str(path))
    assert done.code == 2
    assert str(path) in done.err
    assert len(done.err.splitlines()) == 1


def test_a_workspace_is_one_programs(tracer: Run) -> None:
    done = tracer("run", "--per-agent", "--workspace", ".", "x.py")
    assert done.code == 2
    assert "@tracer.agent(workspace=...)" in done.err
    assert tracer("run", "--workspace", "nowhere", "x.py").code == 2


def test_a_tool_named_wrongly(tracer: Run) -> None:
    for name in ("a b", "mod:", ":f", "mod:f()", "x/y.py:f"):
        done = tracer("run", "--tool", name, "x.py")
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "MODULE:NAME" in done.err


def test_run_without_a_program(tracer: Run) -> None:
    done = tracer("run")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "tracer run SCRIPT" in done.err


def test_otlp_json_is_refused_in_one_sentence(tracer: Run, tmp_path: Path) -> None:
    path = tmp_path / "traces.json"
    path.write_text('{"resourceSpans": []}')
    done = tracer("import", str(path))
    assert done.code == 2
    assert "OTLP" in done.err


def test_an_internal_error_is_one_line(
    tracer: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(**options: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(main.LazyGroup, "invoke", lambda self, ctx: broken())
    done = tracer("ls")
    assert (done.code, done.out) == (EXIT_INTERNAL, "")
    assert len(done.err.splitlines()) == 1
    assert "KeyError" in done.err
    saved = next(tmp_path.glob("tracer-error-*.txt"))
    assert str(saved) in done.err
    assert "surprise" in saved.read_text()
    monkeypatch.setenv("TRACER_DEBUG", "1")
    assert "Traceback" in tracer("ls").err


def test_a_reader_that_leaves_is_no_fault(
    script: Run, sample_store: tuple[Path, dict[str, str]]
) -> None:
    import subprocess
    import sys

    command = Path(sys.executable).with_name("tracer")
    shown = subprocess.Popen(
        [command, "show", sample_store[1]["hostile"], "--json", "--db", str(sample_store[0])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert shown.stdout is not None
    shown.stdout.read(10)
    shown.stdout.close()
    assert shown.wait(30) == 0
    assert shown.stderr is not None
    assert shown.stderr.read() == b""
    shown.stderr.close()
