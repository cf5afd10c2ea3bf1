"""`tracer run` next to plain Python: the same output, status, arguments and signals."""

import os
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.processes import Desk, Done, How
from tests.support.servers import Numbered
from tracer.demo.model_server import ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False, brain=Numbered()) as running:
        yield running


LOOKS = """
import __main__, atexit, sys, threading
print(sys.argv[1:], __name__, __file__, sys.argv[0], __spec__, __main__.__dict__ is globals())
print(sys.path[0], "tracer.cli" in sys.path)
print("to stderr", file=sys.stderr)
sys.stdout.write("no newline")
atexit.register(lambda: print("\\nat exit", len(__main__.LIST)))
LIST = [1, 2]
class C: pass
assert sys.modules[C.__module__].C is C
threading.Thread(target=lambda: (__import__("time").sleep(0.2), print("thread done"))).start()
"""
ENDINGS = [
    "",
    "sys.exit(7)",
    "sys.exit('said')",
    "sys.exit(300)",
    "import os; sys.stdout.flush(); os._exit(5)",
    "raise ValueError('boom')",
    "def f():\n    raise KeyError('a') from ValueError('b')\nf()",
    "1 +",
    "sys.excepthook = lambda *a: print('hook', a[1], file=sys.stderr)\nraise ValueError('x')",
    "raise KeyboardInterrupt",
]


def _both(desk: Desk, source: str, *args: str) -> tuple[Done, Done]:
    script = desk.write("agent.py", source, prelude=False)
    with ThreadPoolExecutor() as pool:
        plain = pool.submit(desk.record, script, *args, how="plain")
        run = pool.submit(desk.record, script, *args, how="run")
        return plain.result(), run.result()


@pytest.mark.parametrize("ending", ENDINGS, ids=range(len(ENDINGS)))
def test_output_status_and_traceback_are_those_of_python(desk: Desk, ending: str) -> None:
    plain, run = _both(desk, LOOKS + ending, "a", "--b", "-m", "c d")
    assert run == plain
    recorded = desk.run()
    status = {0: "ok"}.get(plain.code, "error")
    if "_exit" in ending:
        status = "interrupted"
    if "KeyboardInterrupt" in ending:
        status = "stopped"
    assert recorded.status == status
    assert recorded.name == "agent.py"


def test_modules_and_folders_run_as_with_python(desk: Desk) -> None:
    package = desk.folder / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("print('package', __name__)\n")
    (package / "helper.py").write_text("WORD = 'helped'\n")
    (package / "__main__.py").write_text(
        "import sys\nfrom .helper import WORD\nprint(WORD, sys.argv, __name__, __package__)\n"
    )
    (package / "tool.py").write_text(
        "import sys\nfrom . import helper\nprint(sys.argv[1:], __spec__.name)\nsys.exit(3)\n"
    )
    for name in ("pack", "pack.tool"):
        plain = subprocess.run(
            [sys.executable, "-m", name, "x", "-y"], env=desk.environment(), cwd=desk.folder,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        run = desk.record(name, "x", "-y", how="module")
        assert (run.code, run.out, run.err) == (plain.returncode, plain.stdout, plain.stderr)
        assert desk.run().name == name
    folder = desk.folder / "app"
    folder.mkdir()
    (folder / "__main__.py").write_text("import sys, beside\nprint(sys.argv[1:], beside.X)\n")
    (folder / "beside.py").write_text("X = 5\n")
    assert desk.record(folder, "1") == desk.record(folder, "1", how="plain")


def test_one_line_says_what_was_recorded(desk: Desk, server: ModelServer) -> None:
    script = desk.write("agent.py", "print(ask('hello'))\n")
    env = {"OPENAI_BASE_URL": f"{server.url}/v1", "TRACER_QUIET": ""}
    done = desk.record(script, env=env)
    run = desk.run()
    (line,) = done.err.splitlines()
    assert line.startswith(f"run {run.id[:8]} · ok · 1 step · $")
    assert done.out == "hello #1\n"
    assert desk.record(script, env={**env, "TRACER_QUIET": "1"}).err == ""
    failing = desk.write("bad.py", "ask('x')\nask('y', model=5)\n")
    last = desk.record(failing, env=env).err.splitlines()[-1]
    assert f"run {desk.run().id[:8]} · error at step 2 · 2 steps" in last


def test_per_agent_makes_each_outermost_call_a_run(desk: Desk) -> None:
    script = desk.write(
        "agent.py",
        """
@tracer.tool
def double(x):
    return 2 * x

@tracer.agent
def agent(x):
    return double(x)

print(agent(1), double(2), agent(3))
""",
    )
    assert desk.record(script, how="per-agent").out == "2 4 6\n"
    with desk.bench.store as store:
        runs = store.runs()
    assert [(run.name, run.steps) for run in runs] == [("agent", 2)] * 2
    assert desk.record(script).out == "2 4 6\n"
    whole = desk.run()
    assert (whole.name, whole.steps) == ("agent.py", 5)


SLOW = """
@tracer.tool
def wait(n):
    print("waiting", n, flush=True)
    {how}

@tracer.agent
def agent():
    ask("first")
    time.sleep(0.05)
    tracer.note("between")
    wait(3)

agent()
"""


def _start(desk: Desk, how: str, server: ModelServer, mode: How) -> subprocess.Popen[str]:
    script = desk.write("agent.py", SLOW.format(how=how))
    env = desk.environment({"OPENAI_BASE_URL": f"{server.url}/v1"})
    return subprocess.Popen(
        desk.command(script, how=mode), env=env, cwd=desk.folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["plain", "run"])
@pytest.mark.parametrize(
    "how",
    [
        "os.kill(os.getpid(), 9)",
        "os._exit(3)",
        "time.sleep(60)",
        "import ctypes; ctypes.string_at(0)",
    ],
)
def test_what_was_reached_survives_any_death(
    desk: Desk, server: ModelServer, how: str, mode: How
) -> None:
    with _start(desk, how, server, mode) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if "sleep" in how:
            assert desk.run().status == "running"
            process.kill()
        process.communicate(timeout=30)
    assert process.returncode in (-9, 3, -signal.SIGSEGV)
    run = desk.run()
    assert run.status == "interrupted"
    steps = [step for step in desk.steps() if step.kind != "agent"]
    assert [(step.kind, step.status) for step in steps] == [
        ("model", "ok"), ("note", "ok"), ("tool", "interrupted"),
    ]  # fmt: skip
    assert desk.bench.value(steps[2], "input") == {"n": 3}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_program_as_they_do_without_tracer(
    desk: Desk, server: ModelServer, sent: signal.Signals
) -> None:
    ends = []
    modes: tuple[How, ...] = ("plain", "run")
    for mode in modes:
        with _start(desk, "time.sleep(60)", server, mode) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(sent)
            _, err = process.communicate(timeout=30)
        last = [line for line in err.splitlines() if not line.startswith("  ")]
        ends.append((process.returncode, last))
    assert ends[0] == ends[1]
    assert ends[0][0] == -sent
    status = desk.run().status
    assert status == ("stopped" if sent == signal.SIGINT else "interrupted")
    tool = desk.steps()[-1]
    assert tool.status == ("error" if sent == signal.SIGINT else "interrupted")


def test_a_handler_of_the_programs_own_is_left_alone(desk: Desk) -> None:
    source = """
import signal, sys, os
signal.signal(signal.SIGTERM, lambda *a: (print("cleaning up"), sys.exit(12)))
signal.signal(signal.SIGINT, lambda *a: print("no"))
os.kill(os.getpid(), signal.SIGINT)
os.kill(os.getpid(), signal.SIGTERM)
"""
    plain, run = _both(desk, source)
    assert run == plain == Done(12, "no\ncleaning up\n", "")


def test_threads_that_outlive_the_main_program_are_in_the_run(
    desk: Desk, server: ModelServer
) -> None:
    script = desk.write(
        "agent.py",
        """
def late():
    time.sleep(0.3)
    print(ask("late"))

threading.Thread(target=late).start()
print("main ends")
""",
    )
    done = desk.record(script, env={"OPENAI_BASE_URL": f"{server.url}/v1"})
    assert done.out == "main ends\nlate #1\n"
    run = desk.run()
    assert (run.status, run.model_calls) == ("ok", 1)
    (step,) = desk.steps()
    assert run.ended_ns is not None and step.ended_ns is not None
    assert run.ended_ns >= step.ended_ns


def test_a_forked_child_of_the_program_harms_nothing(desk: Desk) -> None:
    script = desk.write(
        "agent.py",
        """
import multiprocessing
@tracer.tool
def double(x):
    return 2 * x

def work(x):
    return double(x)

if __name__ == "__main__":
    print(double(1))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(work, [1, 2, 3]))
    print(double(5))
    pid = os.fork()
    if pid == 0:
        print(double(6), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
""",
    )
    done = desk.record(script)
    assert (done.code, done.out, done.err) == (0, "2\n[2, 4, 6]\n10\n12\n", "")
    run = desk.run()
    assert run.status == "ok"
    own = [step for step in desk.steps() if step.slot.path == ""]
    assert [desk.bench.value(step) for step in own][:2] == [2, 10]


def test_a_pipe_that_closes_ends_it_as_it_ends_python(desk: Desk) -> None:
    script = desk.write("agent.py", "for n in range(100000): print(n)\n", prelude=False)
    ends = []
    modes: tuple[How, ...] = ("plain", "run")
    for how in modes:
        command = shlex.join(desk.command(script, how=how))
        done = subprocess.run(
            ["bash", "-c", f"{command} | head -1; echo ${{PIPESTATUS[0]}}"],
            env=desk.environment(), cwd=desk.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        ends.append((done.stdout, [line for line in done.stderr.splitlines() if "Error" in line]))
    assert ends[0] == ends[1]


def test_import_is_cheap_and_loads_neither_server_nor_sdk(tmp_path: Path) -> None:
    heavy = ("starlette", "jinja2", "sqlite_utils", "openai", "anthropic", "uvicorn", "httpx",
             "httpx2", "opentelemetry", "pydantic", "jsonschema", "click", "asyncio")  # fmt: skip
    look = f"import sys, tracer; print([n for n in {heavy} if n in sys.modules])"
    env = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", look], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    used = look.replace("; print", "; tracer.agent, tracer.tool; print")
    done = subprocess.run(
        [sys.executable, "-c", used], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"

    def best(code: str) -> float:
        times = []
        for _ in range(7):
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            subprocess.run([sys.executable, "-c", code], env=env, check=True)
            times.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
        return min(times)  # of processor time: a busy machine adds to any other

    assert best("import tracer") - best("pass") < 0.1


def test_the_working_directory_may_be_gone(desk: Desk) -> None:
    script = desk.write(
        "agent.py",
        """
import tempfile, shutil
here = tempfile.mkdtemp()
os.chdir(here)
shutil.rmtree(here)

@tracer.agent
def agent():
    return 5

print(agent())
""",
    )
    done = desk.record(script, how="plain", env={"TRACER_DB": ""})
    assert (done.code, done.out) == (0, "5\n")
    assert len(done.err.splitlines()) <= 1
    assert not os.path.exists(desk.folder / ".tracer")
