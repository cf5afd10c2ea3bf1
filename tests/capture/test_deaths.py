"""However an agent ends: the steps it reached are kept, and the run says how it ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Desk, Done, How
from tests.support.servers import Numbered
from tracer.demo.model_server import ModelServer

MODES: list[How] = ["plain", "run"]


@pytest.fixture
def desk(desk: Desk) -> Iterator[Desk]:
    with ModelServer(latency=False, brain=Numbered()) as server:
        desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
        yield desk


AGENT = """
import signal, subprocess

@tracer.tool
def deadly():
    print("now", flush=True)
    {how}

@tracer.agent
def agent():
    ask("first")
    deadly()

agent()
"""

# What it does, the exit status Python gives it, and what then is said of the run and of the tool.
DEATHS = {
    "os.kill(os.getpid(), signal.SIGKILL)": (-9, "interrupted", "interrupted"),
    "os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)": (-15, "interrupted", "interrupted"),
    "os.kill(os.getpid(), signal.SIGHUP); time.sleep(9)": (-1, "interrupted", "interrupted"),
    "os.abort()": (-6, "interrupted", "interrupted"),
    "os._exit(4)": (4, "interrupted", "interrupted"),
    "os.kill(os.getpid(), signal.SIGINT); time.sleep(9)": (-2, "stopped", "error"),
    "sys.exit(5)": (5, "error", "error"),
    "sys.exit(0)": (0, None, "error"),
    "raise RuntimeError('x')": (1, "error", "error"),
    "os.execv('/bin/sh', ['sh', '-c', 'exit 6'])": (6, "interrupted", "interrupted"),
    "raise MemoryError()": (1, "error", "error"),
    "(lambda f: f(f))(lambda f: f(f))": (1, "error", "error"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", DEATHS, ids=range(len(DEATHS)))
def test_every_way_to_end(desk: Desk, how: str, mode: How) -> None:
    code, run_status, tool_status = DEATHS[how]
    script = desk.write("agent.py", AGENT.format(how=how))
    done = desk.record(script, how=mode)
    assert done.out == "now\n"
    assert done.code == code
    run = desk.run()
    if run_status is None:  # the program means to end well; its agent did not return
        run_status = "ok" if mode == "run" else "error"
    assert run.status == run_status
    steps = [(s.kind, s.status) for s in desk.steps() if s.kind != "agent"]
    assert steps == [("model", "ok"), ("tool", tool_status)]


THREAD = """
def in_a_thread():
    ask("thread")
    {how}

threading.Thread(target=in_a_thread).start()
time.sleep(0.3)
print(ask("main"))
"""


@pytest.mark.parametrize("how", ["sys.exit(3)", "raise ValueError('in the thread')", "pass"])
def test_the_end_of_a_thread_is_not_the_end_of_the_run(desk: Desk, how: str) -> None:
    script = desk.write("agent.py", THREAD.format(how=how))
    plain, run = desk.record(script, how="plain"), desk.record(script)
    assert (run.code, run.out.split()[0]) == (plain.code, "main") and run.code == 0
    assert ("in the thread" in run.err) == ("in the thread" in plain.err) == ("Value" in how)
    assert desk.run().status == "ok"
    assert [s.status for s in desk.steps("last")] == ["ok", "ok"]


def test_exec_leaves_a_run_that_ends_with_its_process(desk: Desk) -> None:
    """The process lives on as another program, which is not the one that was recorded."""
    command = [sys.executable, "-c", "import time; print('other', flush=True); time.sleep(1)"]
    script = desk.write("agent.py", f"ask('one')\nos.execv({sys.executable!r}, {command!r})\n")
    with subprocess.Popen(
        desk.command(script), env=desk.environment(), cwd=desk.folder, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"other\n"
        assert [step.status for step in desk.steps()] == ["ok"]
        assert desk.run().status == "interrupted"
    assert desk.run().status == "interrupted"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("mode", MODES)
def test_a_signal_while_tasks_wait_for_models(desk: Desk, mode: How, sent: signal.Signals) -> None:
    script = desk.write(
        "agent.py",
        """
import socket
silent = socket.create_server(("127.0.0.1", 0))

async def wait(n):
    async with httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/chat/completions"
        await client.post(url, json=body(f"never {n}"))

@tracer.agent
async def agent():
    ask("first")
    waiting = [asyncio.create_task(wait(n)) for n in range(3)]
    await asyncio.sleep(0.5)
    print("up", flush=True)
    await asyncio.gather(*waiting)

asyncio.run(agent())
""",
    )
    ends = []
    for env in ({"TRACER_DISABLED": "1"}, {}):
        with subprocess.Popen(
            desk.command(script, how=mode), env=desk.environment(env), cwd=desk.folder,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            assert process.stdout is not None and process.stdout.readline() == b"up\n"
            process.send_signal(sent)
            ends.append(process.wait(20))
    assert ends[0] == ends[1] == -sent
    stopped = sent == signal.SIGINT
    assert desk.run().status == ("stopped" if stopped else "interrupted")
    models = [step.status for step in desk.steps() if step.kind == "model"]
    assert models == ["ok", *["cancelled" if stopped else "interrupted"] * 3]


def test_a_worker_that_is_killed_costs_no_more_than_its_open_step(desk: Desk) -> None:
    script = desk.write(
        "agent.py",
        """
import multiprocessing, signal
from concurrent.futures import ProcessPoolExecutor

@tracer.tool
def work(n):
    if n == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return n

@tracer.agent
def agent():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(work, n) for n in range(3)]
        return [type(job.exception()).__name__ for job in jobs]

if __name__ == "__main__":
    print(agent())
""",
    )
    done = desk.record(script, how="plain")
    assert done.out == "['NoneType', 'NoneType', 'BrokenProcessPool']\n"
    assert desk.run().status == "ok"
    assert [s.status for s in desk.steps() if s.kind == "tool"] == ["ok", "ok", "interrupted"]


def test_a_process_under_way_is_kept_open_when_the_agent_is_killed(desk: Desk) -> None:
    script = desk.write(
        "agent.py",
        """
import subprocess
subprocess.run(["echo", "done"], capture_output=True)
with subprocess.Popen(["sh", "-c", "echo up; exec sleep 60"], stdout=-1, stderr=-3) as process:
    process.stdout.readline()
    print(process.pid, flush=True)
    os.kill(os.getpid(), 9)
""",
    )
    done = desk.record(script)
    child = int(done.out)
    assert done.code == -9 and _alive(child)
    os.kill(child, signal.SIGKILL)
    assert desk.run().status == "interrupted"
    assert [(s.name, s.status) for s in desk.steps()] == [
        ("subprocess echo", "ok"), ("subprocess sh", "interrupted")
    ]  # fmt: skip


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_daemon_outlives_its_agent(desk: Desk) -> None:
    """Nothing of ours stands between a process that writes to a file and its file."""
    log = desk.folder / "log"
    loop = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done"
    script = desk.write(
        "agent.py",
        f"import subprocess\nlog = open({str(log)!r}, 'w')\n"
        f"subprocess.Popen(['sh', '-c', {loop!r}], stdout=log, start_new_session=True)\n",
    )
    assert desk.record(script) == Done(0, "", "")
    (step,) = desk.steps()
    assert (desk.run().status, step.status) == ("ok", "ok")
    give_up = time.monotonic() + 10
    while log.read_text() != "1\n2\n3\n4\n5\n6\n":
        assert time.monotonic() < give_up
        time.sleep(0.05)
