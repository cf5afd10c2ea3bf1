"""Recordings and re-executions that need not load their SDK, or tracer: a process that has done so
makes copies of itself.

Importing an SDK takes seconds; a test that forks an agent twenty times spends its time on that. The
copy is a process of its own, in its own group, and does all that a fresh one does from there on.
"""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

ROOT = Path(__file__).parents[2]
SEED = "0"  # of the hashes, which a copy can't choose
# What HTTP clients load when they are first used.
HTTP = ("httpcore2", "httpcore", "trio", "httpx", "httpx2")
_SERVER = """
import atexit, importlib, json, os, runpy, sys, threading
for name in ("tracer.cli.main", "tracer.cli.run", "tracer.reexecution.session", *sys.argv[1:]):
    importlib.import_module(name)
print(json.dumps({}), flush=True)
while line := sys.stdin.readline():
    asked = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        for number, path, flags in (
            (0, os.devnull, os.O_RDONLY),
            (1, asked["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            (2, asked["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        ):
            os.dup2(os.open(path, flags), number)
        os.environ.clear()
        os.environ.update(asked["env"])
        os.chdir(asked["cwd"])
        sys.argv = [sys.executable, *asked["words"]]
        code = 0
        try:
            if asked["what"] == "command":
                sys.path.insert(0, "")
                code = importlib.import_module("tracer.cli.entry").main()
            elif asked["what"] == "script":
                sys.argv = asked["words"]
                sys.path.insert(0, os.path.dirname(sys.argv[0]))
                runpy.run_path(sys.argv[0], run_name="__main__")
            else:
                runpy.run_module("tracer.reexecution.child", run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
            code = 1
        # As an interpreter ends, but for taking the SDK's ten thousand classes apart: a second.
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(json.dumps({"pid": pid}), flush=True)
    _, status = os.waitpid(pid, 0)
    print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)
"""


class Warm:
    """The process that has loaded these modules."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _SERVER, *modules],
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": SEED, "PATH": "/usr/bin:/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.process.kill)
        self.reader = cast(IO[str], self.process.stdout)
        self.said()

    def said(self) -> dict[str, int]:
        """Its next line."""
        return cast(dict[str, int], json.loads(self.reader.readline()))

    def start(
        self,
        command: list[str],
        out: Path,
        err: Path,
        *,
        cwd: str | Path,
        env: dict[str, str],
        **_: Any,
    ) -> "Copy":
        """Take the place of `subprocess.Popen` for the command that re-executes, for `tracer`'s
        and for that of a script."""
        what, words = _meant(command)
        assert env.get("PYTHONHASHSEED") == SEED
        asked = {
            "what": what,
            "words": words,
            "out": str(out),
            "err": str(err),
            "cwd": str(cwd),
            "env": env,
        }
        writer = cast(IO[str], self.process.stdin)
        writer.write(json.dumps(asked) + "\n")
        writer.flush()
        return Copy(self, self.said()["pid"])


def _meant(command: list[str]) -> tuple[str, list[str]]:
    if command[1] == "-c":
        return "command", command[3:]
    if command[1].endswith(".py"):
        return "script", command[1:]
    assert command[1:4] == ["-P", "-m", "tracer.reexecution.child"]
    return "child", command[4:]


class Copy:
    """One copy that became a program; as much of `Popen` as a re-execution's owner uses."""

    def __init__(self, warm: Warm, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._warm = warm

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._warm.reader], [], [], 0)[0]:
            self.returncode = self._warm.said()["code"]
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        give_up = time.monotonic() + (60 if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() > give_up:
                raise subprocess.TimeoutExpired("a warm copy", timeout or 60)
            time.sleep(0.005)
        return code

    def stop(self) -> None:
        """End it and what it started."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()


@cache
def warm(modules: tuple[str, ...]) -> Warm:
    """The process of these modules, started when first asked for."""
    return Warm(modules)
