"""Running commands, in this process where that is enough, else through the installed script."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tracer.capture import config
from tracer.cli.main import run_command


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def tracer(capfd: pytest.CaptureFixture[str], utc: None) -> Run:
    """Runs a command in this process: `tracer("ls", "--json")`."""

    def run(*argv: str) -> Done:
        capfd.readouterr()
        # As in a process of its own: a --db given to one command says nothing to the next.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(config, "_config", None)
            patch.setenv("TRACER_DB", os.environ["TRACER_DB"])
            code = run_command([str(word) for word in argv])
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return run


@pytest.fixture
def samples(sample_store: tuple[Path, dict[str, str]], tracer: Run) -> Run:
    """The same on the sample runs."""
    path, _ = sample_store
    return lambda *argv: tracer(*argv, "--db", str(path))


@pytest.fixture
def script() -> Run:
    """Runs the installed `tracer` in a process of its own: `script("ls", cwd=..., env={...})`."""
    command = Path(sys.executable).with_name("tracer")
    assert command.exists(), "the package is not installed here: make test installs it"

    def run(*argv: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> Done:
        done = subprocess.run(
            [str(command), *argv],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run
