"""A store that fails while an agent runs, starts processes and forks: the agent does not notice."""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import Desk, How
from tests.support.servers import Numbered
from tracer.demo.model_server import ModelServer

MODES: list[How] = ["plain", "run"]

AGENT = """
import multiprocessing, subprocess
from concurrent.futures import ProcessPoolExecutor

@tracer.tool
def double(x):
    return 2 * x

@tracer.agent
def agent():
    found = [ask("one"), double(1)]
    found.append(subprocess.run(["echo", "hi"], capture_output=True, text=True).stdout)
    code = "import tracer; print(tracer.tool(lambda: 7)())"
    found.append(subprocess.check_output([sys.executable, "-c", code], text=True))
    for how in ("fork", "spawn"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(how)) as pool:
            found.append(pool.submit(double, 3).result())
    pid = os.fork()
    if pid == 0:
        os._exit(double(2))
    found.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    {more}
    return found

if __name__ == "__main__":
    print(agent())
"""
EXPECTED = "['one #1', 2, 'hi\\n', '7\\n', 6, 6, 4]\n"


def _record(desk: Desk, how: How, env: dict[str, str], more: str = "") -> tuple[str, str, float]:
    script = desk.write("agent.py", AGENT.format(more=more))
    with ModelServer(latency=False, brain=Numbered()) as server:
        started = time.monotonic()
        done = desk.record(
            script, how=how, env={"OPENAI_BASE_URL": f"{server.url}/v1", **env}, timeout=90
        )
    assert done.code == 0
    return done.out, done.err, time.monotonic() - started


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", ["/dev/full/traces.db", "/proc/nothing/traces.db", "garbage"])
def test_a_store_that_was_never_there(desk: Desk, mode: How, place: str) -> None:
    if place == "garbage":
        path = desk.folder / "garbage.db"
        path.write_bytes(b"no database at all " * 400)
        place = str(path)
    out, err, _ = _record(desk, mode, {"TRACER_DB": place, "TRACER_QUIET": ""})
    assert out == EXPECTED
    (line,) = err.splitlines()
    assert line.startswith("tracer: not recording: ")


@pytest.mark.parametrize("mode", MODES)
def test_a_store_that_breaks_under_way(desk: Desk, mode: How) -> None:
    """Its pages are overwritten while the agent runs."""
    more = """
    with open(os.environ["TRACER_DB"], "r+b") as file:
        file.write(os.urandom(200_000))
    for name in ("-wal", "-shm"):
        with open(os.environ["TRACER_DB"] + name, "r+b") as file:
            file.write(os.urandom(30_000))
    found += [double(n) for n in range(30)]
    found += [subprocess.run(["true"]).returncode]
    """.strip().replace("\n    ", "\n    ")
    out, err, took = _record(desk, mode, {"TRACER_QUIET": "1"}, more)
    assert out == f"{EXPECTED[:-2]}, {str([2 * n for n in range(30)])[1:-1]}, 0]\n"
    assert len(err.splitlines()) <= 2 and all(s.startswith("tracer: ") for s in err.splitlines())
    assert took < 30


@pytest.mark.parametrize("mode", MODES)
def test_a_store_whose_folder_is_removed(desk: Desk, mode: How) -> None:
    folder = desk.folder / "own"
    folder.mkdir()
    more = (
        "import shutil; shutil.rmtree(os.path.dirname(os.environ['TRACER_DB'])); "
        "found += [double(n) for n in range(3)]"
    )
    out, err, _ = _record(desk, mode, {"TRACER_DB": str(folder / "t.db")}, more)
    assert out == f"{EXPECTED[:-2]}, 0, 2, 4]\n"
    assert all(line.startswith("tracer: ") for line in err.splitlines())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts; a limit stands for it elsewhere")
def test_a_disk_that_fills_up(desk: Desk, tmp_path: Path) -> None:
    """A file system of two megabytes; without one, `test_database_trouble` limits files."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        return  # a container that may not: the limit on files is tested all the same
    try:
        more = "big = tracer.tool(lambda n: os.urandom(200_000).hex()); "
        more += "found += [len(big(n)) for n in range(8)]"
        out, err, _ = _record(desk, "run", {"TRACER_DB": str(small / "t.db")}, more)
        assert out == f"{EXPECTED[:-2]}, {', '.join(['400000'] * 8)}]\n"
        assert err.startswith("tracer: ") and len(err.splitlines()) == 1
    finally:
        subprocess.run(["umount", str(small)], check=True)


HOLDER = """
import sqlite3, sys, time
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("begin immediate")
print("held", flush=True)
time.sleep(10)
other.execute("rollback")
"""


def test_another_writer_for_ten_seconds(desk: Desk) -> None:
    """It costs an agent a bounded wait, and no step."""
    _record(desk, "plain", {})  # makes the database
    before = len(desk.bench.runs())
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(desk.database)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        out, err, took = _record(desk, "run", {"TRACER_QUIET": "1"})
        assert out == EXPECTED and err == ""
        assert took < 25, "a worker waits for its last steps as long as the lock, not longer"
    runs = desk.bench.runs()
    assert len(runs) == before + 1
    assert (runs[0].status, {step.status for step in desk.steps(runs[0].id)}) == ("ok", {"ok"})
    # Only a child that leaves by os._exit does not wait for its step to be written.
    assert runs[0].tool_calls in (6, 7)


def test_nowhere_to_count(desk: Desk) -> None:
    """No folder for temporary files: what child processes do is left out, and that is said."""
    script = desk.write(
        "agent.py",
        """
import tempfile
tempfile.tempdir = "/nowhere/at/all"

@tracer.tool
def double(x):
    return 2 * x

pid = os.fork()
if pid == 0:
    double(1)
    os._exit(0)
os.waitpid(pid, 0)
print(double(2))
""",
    )
    done = desk.record(script)
    assert (done.code, done.out, done.err) == (0, "4\n", "")
    run = desk.run()
    assert run.status == "ok" and "could not be recorded" in run.warnings[0]
    assert [desk.bench.value(step) for step in desk.steps()] == [4]


def test_the_database_is_whole_afterwards(desk: Desk) -> None:
    _record(desk, "run", {})
    with sqlite3.connect(desk.database) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        assert connection.execute("pragma foreign_key_check").fetchall() == []
