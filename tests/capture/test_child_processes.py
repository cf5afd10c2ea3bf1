"""Python processes that an agent starts are in its run: one run, one numbering, right parents."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Desk, How
from tests.support.servers import Numbered
from tracer.core.records import Step
from tracer.demo.model_server import ModelServer
from tracer.errors import CannotReplayError
from tracer.reexecution.session import ReplaySpec, plan

METHODS = ["fork", "spawn", "forkserver"]
MODES: list[How] = ["run", "plain"]

TOOLS = """
import multiprocessing, subprocess, sys, threading
from concurrent.futures import ProcessPoolExecutor

@tracer.tool
def double(x):
    return 2 * x

@tracer.agent
def sub(x):
    return ask(f"sub {x}")

@tracer.step
def phase(work, *given):
    return work(*given)

def boom(x):
    double(x)
    raise ValueError(x)
"""
MAIN = """
@tracer.agent
def agent(how):
    {body}

if __name__ == "__main__":
    print(agent(sys.argv[1]))
"""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False, brain=Numbered()) as running:
        yield running


@pytest.fixture
def desk(desk: Desk, server: ModelServer) -> Desk:
    desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
    return desk


def _write(desk: Desk, body: str) -> Path:
    indented = body.strip().replace("\n", "\n    ")
    return desk.write("agent.py", TOOLS + MAIN.format(body=indented))


def whole(desk: Desk) -> list[Step]:
    """The steps of the only run, which is whole: unique numbers in the order of their starts, one
    root, nothing left open."""
    (run,) = desk.bench.runs()
    steps = desk.steps(run.id)
    assert run.status == "ok" and run.steps == len(steps)
    assert [step.n for step in steps] == list(range(1, len(steps) + 1))
    sequence = [step.start_seq for step in steps]
    assert sequence == sorted(sequence)
    points = Counter([*sequence, *(step.end_seq for step in steps)])
    assert max(points.values()) == 1 and None not in points
    ids = {step.id for step in steps}
    assert all(step.parent in ids for step in steps if step.parent is not None)
    assert max(Counter(step.slot for step in steps).values()) == 1
    assert not list(desk.folder.glob("tracer-run-*")), "the file of numbers is removed"
    return steps


def _names(steps: list[Step]) -> list[str]:
    return sorted(step.name for step in steps)


@pytest.mark.parametrize("how", METHODS)
@pytest.mark.parametrize("mode", MODES)
def test_a_process_of_multiprocessing_is_in_the_run(desk: Desk, how: str, mode: How) -> None:
    desk.env["TMPDIR"] = str(desk.folder)
    script = _write(
        desk,
        """
context = multiprocessing.get_context(how)
workers = [context.Process(target=sub, args=(n,)) for n in range(3)]
for worker in workers:
    worker.start()
double(1)
for worker in workers:
    worker.join()
return [worker.exitcode for worker in workers]
""",
    )
    done = desk.record(script, how, how=mode)
    assert (done.code, done.out, done.err) == (0, "[0, 0, 0]\n", "")
    steps = whole(desk)
    assert Counter(step.name for step in steps) == {
        "agent": 1, "sub": 3, "chat gpt-4o-mini": 3, "double": 1
    }  # fmt: skip
    subs = [step for step in steps if step.name == "sub"]
    assert {step.parent for step in subs} == {steps[0].id}
    models = [step for step in steps if step.kind == "model"]
    assert {step.parent for step in models} == {step.id for step in subs}
    assert all(step.cost_usd for step in models), "prices are written before a worker leaves"


@pytest.mark.parametrize("how", METHODS)
def test_work_given_to_a_pool_stands_where_it_was_given(desk: Desk, how: str) -> None:
    script = _write(
        desk,
        """
context = multiprocessing.get_context(how)
with ProcessPoolExecutor(2, mp_context=context) as executor, context.Pool(2) as pool:
    return [
        phase(lambda: list(executor.map(sub, [1, 2]))),
        executor.submit(double, 3).result(),
        phase(lambda: pool.map(double, [4, 5, 6])),
        pool.apply(func=double, args=(7,)),
        list(pool.imap_unordered(double, [8, 8])),
        pool.starmap(double, [(9,)]),
        str(executor.submit(boom, 10).exception()),
    ]
""",
    )
    done = desk.record(script, how)
    assert done.err == ""
    answers = sorted(done.out.split("'")[1:4:2])
    assert [a.split(" #")[0] for a in answers] == ["sub 1", "sub 2"]
    assert done.out.endswith(" 6, [8, 10, 12], 14, [16, 16], [18], '10']\n")
    steps = whole(desk)
    root, phases = steps[0], [step for step in steps if step.name == "phase"]
    parents = {
        str(desk.bench.value(step, "input")["x"]): step.parent
        for step in steps if step.name in ("sub", "double")
    }  # fmt: skip
    assert parents == {
        **dict.fromkeys("12", phases[0].id), **dict.fromkeys("456", phases[1].id),
        **dict.fromkeys(["3", "7", "8", "9", "10"], root.id),
    }  # fmt: skip


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_workers_made_before_the_run_join_it(desk: Desk, how: str) -> None:
    script = desk.write(
        "agent.py",
        TOOLS
        + """
@tracer.agent
def agent(pool):
    return [pool.submit(double, n).result() for n in range(3)]

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        pool.submit(abs, 1).result()
        print(agent(pool), agent(pool))
""",
    )
    assert desk.record(script, how, how="plain").out == "[0, 2, 4] [0, 2, 4]\n"
    runs = desk.bench.runs()
    assert [(run.name, run.steps, run.status) for run in runs] == [("agent", 4, "ok")] * 2


def test_many_processes_write_at_once(desk: Desk) -> None:
    script = _write(
        desk,
        """
context = multiprocessing.get_context("fork")
with ProcessPoolExecutor(4, mp_context=context) as executor:
    jobs = [executor.submit(double, n) for n in range(120)]
    mine = [double(n) for n in range(60)]
    return sum(job.result() for job in jobs) + sum(mine)
""",
    )
    done = desk.record(script, "x")
    assert (done.out, done.err) == (f"{119 * 120 + 59 * 60}\n", "")
    assert len(whole(desk)) == 181


@pytest.mark.parametrize("mode", MODES)
def test_a_python_child_is_inside_the_step_of_its_process(desk: Desk, mode: How) -> None:
    desk.write("child.py", "@tracer.agent\ndef inner():\n    return ask('hi')\nprint(inner())")
    script = _write(
        desk,
        """
command = [sys.executable, "child.py"]
return subprocess.run(command, capture_output=True, text=True, check=True).stdout
""",
    )
    assert desk.record(script, "x", how=mode).out == "hi #1\n\n"
    agent, process, inner, model = whole(desk)
    assert (process.name, process.parent) == ("subprocess python", agent.id)
    assert (inner.name, inner.parent) == ("inner", process.id)
    assert (model.kind, model.parent) == ("model", inner.id)
    assert desk.bench.runs()[0].model_calls == 1
    came = desk.replay()
    assert (came.code, came.message) == (0, None)
    with desk.bench.store as store, pytest.raises(CannotReplayError, match="as a whole"):
        from tests.support.agents import said

        plan(store, ReplaySpec("last", model_call=1, substitute=said("x")))


PLAIN = """
import os, sys
print("sitecustomize" in sys.modules, os.environ.get("PYTHONPATH"), getattr(sys, "own", None))
sys.path.insert(0, os.getcwd())
import httpx
body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "plain"}]}
httpx.post(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=body, timeout=20)
"""


def test_a_child_that_knows_nothing_of_tracer_is_recorded_too(desk: Desk) -> None:
    """Also through a shell; its environment and its own sitecustomize are as without us."""
    desk.write("plain.py", PLAIN, prelude=False)
    own = desk.folder / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import sys\nsys.own = 'loaded'\n")
    path = f"{own}:{Path(__file__).parents[2]}"
    script = _write(
        desk,
        """
commands = [[sys.executable, "plain.py"], f"true && {sys.executable} plain.py"]
return [
    subprocess.run(c, capture_output=True, text=True, shell=isinstance(c, str)).stdout
    for c in commands
]
""",
    )
    done = desk.record(script, "x", env={"PYTHONPATH": path})
    expected = f"True {path} loaded\n"
    assert (done.out, done.err) == (f"{[expected, expected]}\n", "")
    steps = whole(desk)
    processes = [step for step in steps if step.kind == "tool"]
    models = [step for step in steps if step.kind == "model"]
    assert [step.parent for step in models] == [step.id for step in processes]
    # Without `tracer run` nothing is loaded that the child does not load itself.
    desk.record(script, "x", how="plain", env={"PYTHONPATH": path})
    assert desk.run().model_calls == 0


def test_children_are_not_harmed(desk: Desk) -> None:
    """Other interpreters, isolated ones, emptied environments, processes that are no Python."""
    script = _write(
        desk,
        """
import shutil
old = "import sys; sys.stdout.write(str(sys.path[0]) + '|')"
python2 = [p for p in (shutil.which("python3.9"), shutil.which("python2")) if p]
commands = [[sys.executable, "-I", "-c", old], [sys.executable, "-S", "-E", "-c", old]]
commands += [[p, "-c", old] for p in python2] + [["sh", "-c", "env"], ["env"]]
said = [subprocess.run(c, capture_output=True, text=True).stdout for c in commands]
said += [subprocess.run([sys.executable, "-c", old], env={}, capture_output=True).stdout]
return said
""",
    )
    plain = subprocess.run(
        [sys.executable, str(script), "x"], env=desk.environment({"TRACER_DISABLED": "1"}),
        cwd=desk.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    run = desk.record(script, "x")

    def told(text: str) -> list[str]:
        return sorted(
            line for line in text.replace("\\n", "\n").splitlines()
            if not line.startswith(("TRACER_DISABLED", "_="))
        )  # fmt: skip

    assert told(run.out) == told(plain.stdout) and run.err == plain.stderr


def test_a_forked_child_that_goes_on_in_the_program(desk: Desk) -> None:
    script = desk.write(
        "agent.py",
        TOOLS
        + """
@tracer.tool
def forks():
    pid = os.fork()
    if pid == 0:
        double(1)
        return "child"
    os.waitpid(pid, 0)
    return "parent"

print(forks(), flush=True)
double(2)
""",
    )
    done = desk.record(script, env={"TRACER_QUIET": ""})
    assert (done.code, done.out) == (0, "child\nparent\n")
    (line,) = done.err.splitlines()
    assert " · ok · 4 steps · " in line
    steps = whole(desk)
    assert [step.name for step in steps] == ["forks", "double", "double", "double"]
    assert desk.bench.value(steps[0]) == "parent"
    assert [step.parent for step in steps] == [None, steps[0].id, None, None]


def test_a_run_inside_a_run_is_one_of_its_own(desk: Desk) -> None:
    desk.write("inner.py", TOOLS + "double(1)\n")
    cli = "import sys; from tracer.cli.entry import main; sys.exit(main())"
    script = _write(
        desk, f"return subprocess.call([sys.executable, '-c', {cli!r}, 'run', 'inner.py'])"
    )
    assert desk.record(script, "x").out == "0\n"
    runs = {run.name: run.steps for run in desk.bench.runs()}
    assert runs == {"agent.py": 2, "inner.py": 1}


def test_a_child_that_outlives_its_run_records_nothing_into_it(desk: Desk) -> None:
    desk.write("late.py", "time.sleep(1.0)\n@tracer.tool\ndef late(): pass\nlate()\n")
    script = _write(desk, "subprocess.Popen([sys.executable, 'late.py']); return 1")
    desk.record(script, "x")
    process = [step for step in whole(desk) if step.kind == "tool"]
    assert _names(process) == ["subprocess python"]


@pytest.mark.parametrize("how", METHODS)
def test_a_replay_of_workers_steps_is_refused_before_anything_runs(desk: Desk, how: str) -> None:
    body = """
with multiprocessing.get_context(how).Pool(1) as pool:
    return pool.map(double, [1])
"""
    script = _write(desk, body)
    desk.record(script, how)
    with pytest.raises(CannotReplayError, match="worker process"):
        desk.replay()
    # Inside a tool they are answered with it.
    as_tool = script.read_text().replace("@tracer.agent\ndef agent", "@tracer.tool\ndef agent")
    script = desk.write("other.py", as_tool)
    done = desk.record(script, how)
    came = desk.replay()
    assert (came.code, came.message, came.out) == (0, None, done.out)
