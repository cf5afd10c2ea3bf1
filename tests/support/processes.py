"""Agents as programs: script files recorded and re-executed in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.support.agents import Bench
from tests.support.warm import HTTP, SEED, warm
from tracer.core.records import Run, Step
from tracer.reexecution.session import Child, ReplaySpec, plan, start
from tracer.reexecution.substitute import Substitute
from tracer.store.reading import Store

ROOT = Path(__file__).parents[2]
CLI = "import sys; from tracer.cli.entry import main; sys.exit(main())"
How = Literal["plain", "run", "per-agent", "module"]

# A chat agent without an SDK: imports a tenth of what an SDK does.
PRELUDE = '''
import asyncio, json, os, sys, threading, time
import httpx
import tracer

BASE = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
KEY = {"authorization": "Bearer " + os.environ.get("OPENAI_API_KEY", "none")}

def body(messages, **more):
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    return {"model": "gpt-4o-mini", "messages": messages, **more}

def ask(messages, **more):
    """The text a model answers."""
    reply = httpx.post(BASE + "/chat/completions", json=body(messages, **more), headers=KEY)
    reply.raise_for_status()
    return reply.json()["choices"][0]["message"]["content"]

def ledger(*words):
    with open(os.environ["LEDGER"], "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")
'''


@dataclass
class Done:
    """How a process ended."""

    code: int
    out: str
    err: str


def run_warm(
    modules: tuple[str, ...],
    command: list[str],
    *,
    cwd: Path,
    env: dict[str, str],
    out: Path,
    timeout: float = 60,
) -> Done:
    """Run a command in a copy of a process that has loaded these modules; what it prints passes
    through two files called as `out` says."""
    files = out.with_suffix(".out"), out.with_suffix(".err")
    copy = warm(modules).start(command, *files, cwd=cwd, env=env)
    try:
        code = copy.wait(timeout)
    finally:
        copy.stop()
    said, complained = (file.read_text("utf-8") for file in files)
    return Done(code, said, complained)


@dataclass
class Came:
    """How a re-execution ended: the outcome, the program's own output, the new run if any."""

    code: int
    message: str | None
    divergences: list[dict[str, Any]]
    out: str
    err: str
    run_id: str
    held: tuple[str, ...] = ()


@dataclass
class Desk:
    """A folder with script files, a database, a ledger; processes started here see those."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    loaded: tuple[str, ...] = ()  # what processes find loaded: see `load`

    @property
    def database(self) -> Path:
        return self.folder / "traces.db"

    @property
    def bench(self) -> Bench:
        return Bench(self.database)

    def load(self, *modules: str) -> None:
        """Let what is started from here on find HTTP clients and these modules loaded."""
        self.loaded = (*HTTP, *modules)
        self.env["PYTHONHASHSEED"] = SEED

    def write(self, name: str, source: str, *, prelude: bool = True) -> Path:
        """A script file; with the prelude unless told otherwise."""
        path = self.folder / name
        path.write_text((PRELUDE if prelude else "") + source, encoding="utf-8")
        return path

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        """What processes started here see."""
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TRACER_DB": str(self.database),
            "LEDGER": str(self.folder / "ledger"),
            **self.env,
            **(more or {}),
        }

    def command(self, script: Path | str, *args: str, how: How = "run") -> list[str]:
        """The command that records a script."""
        if how == "plain":
            return [sys.executable, str(script), *args]
        option = {"run": [], "per-agent": ["--per-agent"], "module": ["-m"]}[how]
        return [sys.executable, "-c", CLI, "run", *option, str(script), *args]

    def record(
        self,
        script: Path | str,
        *args: str,
        how: How = "run",
        env: dict[str, str] | None = None,
        timeout: float = 60,
        cold: bool = False,
    ) -> Done:
        """Run a script to its end; `cold`: in a process that has loaded nothing."""
        command = self.command(script, *args, how=how)
        if self.loaded and how != "plain" and not cold:
            return run_warm(
                self.loaded,
                command,
                cwd=self.folder,
                env=self.environment(env),
                out=self.folder / "recorded",
                timeout=timeout,
            )
        done = subprocess.run(
            command,
            env=self.environment(env),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def replay(self, run: str = "last", **spec: Any) -> Came:
        """Re-execute a run with everything answered from the recording."""
        return self.fork(None, run=run, **spec)

    def fork(
        self,
        substitute: Substitute | None,
        *,
        run: str = "last",
        env: dict[str, str] | None = None,
        timeout: float = 60,
        **spec: Any,
    ) -> Came:
        """Re-execute a run with a substitute. Raises what `plan` raises."""
        with Store.open(self.database) as store:
            made = plan(store, ReplaySpec(run, substitute=substitute, **spec))
        files = self.folder / "child.out", self.folder / "child.err"
        before = dict(os.environ)
        os.environ.update(self.environment(env))
        try:
            with self._warmed(*files), _redirected(1, files[0]), _redirected(2, files[1]):
                child: Child = start(made)
        finally:
            os.environ.clear()
            os.environ.update(before)
        try:
            outcome = child.wait(timeout)
        finally:
            child.stop()
        out, err = (file.read_text("utf-8") for file in files)
        return Came(
            outcome.exit_code,
            outcome.message,
            outcome.divergences,
            out,
            err,
            outcome.run_id,
            outcome.held_writes,
        )

    @contextmanager
    def _warmed(self, out: Path, err: Path) -> Iterator[None]:
        """The re-execution is started by a process that has loaded what it needs."""
        if not self.loaded:
            yield
            return
        start_copy = partial(warm(self.loaded).start, out=out, err=err)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tracer.reexecution.session.subprocess.Popen", start_copy)
            yield

    def run(self, ref: str = "last") -> Run:
        return self.bench.run(ref)

    def steps(self, ref: str = "last") -> list[Step]:
        return self.bench.steps(ref=ref)

    def ledger(self) -> list[str]:
        """What the scripts' `ledger` was told."""
        path = self.folder / "ledger"
        return path.read_text("utf-8").splitlines() if path.exists() else []

    def everything_stored(self) -> bytes:
        """The database's files as they are, and every value in it, unpacked."""
        files = sorted(self.folder.glob("traces.db*"))
        raw = b"".join(path.read_bytes() for path in files)
        return raw + unpacked(self.database)


def unpacked(database: Path) -> bytes:
    """Every text and every payload of a database, decompressed, in one string of bytes."""
    found = list[bytes]()
    with Store.open(database) as store:
        for run in store.runs():
            found.append(repr(run).encode())
            found += [store.run_value(run.id, which) or b"" for which in ("input", "output")]
            for step in store.steps(run.id):
                found.append(repr(step).encode())
                found += _payloads(store, step)
    return b"\n".join(found)


def _payloads(store: Store, step: Step) -> Iterator[bytes]:
    request, reply = store.request(step), store.reply(step)
    if request is not None:
        yield json.dumps([request.url, *request.headers]).encode() + request.body
    if reply is not None:
        yield json.dumps([*reply.headers, str(reply.failure)]).encode() + b"".join(reply.chunks)
    for which in ("input", "output"):
        yield store.value(step, which) or b""
    yield store.conversation(step) or b""
    yield store.output_messages(step) or b""


@contextmanager
def _redirected(descriptor: int, path: Path) -> Iterator[None]:
    """This process's output goes to a file, so that a child started here inherits that."""
    (sys.stdout if descriptor == 1 else sys.stderr).flush()
    kept = os.dup(descriptor)
    with open(path, "wb") as file:
        os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk of this test's own; no key of the developer's reaches the scripts."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return Desk(tmp_path, {"OPENAI_API_KEY": "sk-desk-0123456789", "TRACER_QUIET": "1"})
