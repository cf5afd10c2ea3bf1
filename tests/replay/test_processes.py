"""Child processes of an agent: recorded as steps, and answered without starting anything."""

# ruff: noqa: PLW1510 - agents leave `check` out

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tracer
from tests.support.agents import Bench, said
from tests.support.processes import Desk
from tests.support.servers import Numbered
from tracer import Substitute
from tracer.demo.model_server import ModelServer
from tracer.errors import CannotReplayError

# Each process says so here, so a replay that starts one is found out.
LEDGER: list[str] = [""]


def sh(text: str) -> list[str]:
    """A command that notes its start."""
    return ["sh", "-c", f"echo ran >> {LEDGER[0]}; {text}"]


def started() -> int:
    """How many processes have really run."""
    path = Path(LEDGER[0])
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture(autouse=True)
def _ledger(tmp_path: Path) -> None:
    LEDGER[0] = str(tmp_path / "ledger")


def run_text() -> Any:
    done = subprocess.run(sh("echo out; echo err >&2; exit 3"), capture_output=True, text=True)
    return [done.returncode, done.stdout, done.stderr, done.args[0]]


def run_bytes() -> Any:
    done = subprocess.run(sh(r"printf '\377\0x'"), stdout=subprocess.PIPE)
    return [done.stdout.hex(), done.stderr]


def run_merged() -> Any:
    return subprocess.check_output(
        sh("echo a; echo b >&2; echo c"), stderr=subprocess.STDOUT, encoding="utf-8"
    )


def run_shell() -> Any:
    return [
        subprocess.getstatusoutput(f"echo ran >> {LEDGER[0]}; echo hi; exit 4"),
        subprocess.call(f"echo ran >> {LEDGER[0]}; exit 6", shell=True),
        subprocess.getoutput(f"X=1 cat {LEDGER[0]} | head -1"),
    ]


def run_fails() -> Any:
    found = []
    for call in (
        lambda: subprocess.run(sh("exit 9"), check=True),
        lambda: subprocess.check_call(sh("kill -9 $$")),
        lambda: subprocess.run(["no-such-command"]),
        lambda: subprocess.run(["true"], cwd="/nowhere"),
    ):
        try:
            call()
        except (subprocess.CalledProcessError, OSError) as error:
            found.append([type(error).__name__, str(error), getattr(error, "filename", None)])
    return found


def run_times_out() -> Any:
    try:
        subprocess.run(sh("echo early; exec sleep 60"), capture_output=True, timeout=0.4)
    except subprocess.TimeoutExpired as error:
        return [error.timeout, error.output]


def run_with_input() -> Any:
    many = "x" * 300_000
    return [
        subprocess.run(sh("cat"), input="abc\n", text=True, stdout=subprocess.PIPE).stdout,
        len(subprocess.run(sh("cat"), input=many.encode(), stdout=subprocess.PIPE).stdout),
    ]


def system() -> Any:
    with os.popen(f"echo ran >> {LEDGER[0]}; echo popen") as reader:
        text = reader.read()
    return [os.system(f"echo ran >> {LEDGER[0]}; exit 5"), text]


def read_as_it_comes() -> Any:
    with subprocess.Popen(
        sh("for i in 1 2 3; do echo $i; sleep 0.02; done"), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [line.strip() for line in process.stdout]
    return [lines, process.returncode]


def dialogue() -> Any:
    """Each line is an answer to the one before: a tool server on its standard streams."""
    with subprocess.Popen(
        sh("while read x; do echo got $x; done; echo bye"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        heard: list[str] = []
        for n in range(4):
            process.stdin.write(f"{n} {heard[-1:]}\n")
            heard.append(process.stdout.readline().strip())
        process.stdin.close()
        return [heard, process.stdout.read(), process.wait()]


def polled() -> Any:
    process = subprocess.Popen(sh("exec sleep 0.3"))
    looked = 0
    while process.poll() is None:
        looked += 1
        time.sleep(0.03)
    return [looked, process.returncode]


def waited_in_vain() -> Any:
    process = subprocess.Popen(sh("exec sleep 0.5"))
    try:
        process.wait(0.1)
    except subprocess.TimeoutExpired:
        return ["late", process.wait(10)]
    return "early"


def killed() -> Any:
    found: list[Any] = []
    for stop in (
        lambda p: p.kill(),
        lambda p: p.terminate(),
        lambda p: p.send_signal(signal.SIGINT),
        lambda p: os.killpg(os.getpgid(p.pid), signal.SIGKILL),
    ):
        process = subprocess.Popen(
            sh("echo up; exec sleep 60"), stdout=subprocess.PIPE, start_new_session=True
        )
        assert process.stdout is not None
        found.append(process.stdout.readline())
        stop(process)
        found.append(process.wait(10))
        process.stdout.close()
    return found


def ends_politely() -> Any:
    process = subprocess.Popen(
        sh("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.02; done"),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    rest = process.stdout.read()
    process.stdout.close()
    return [rest, process.wait(10)]


def piped() -> Any:
    first = subprocess.Popen(sh("seq 50000"), stdout=subprocess.PIPE)
    second = subprocess.Popen(sh("tail -1"), stdin=first.stdout, stdout=subprocess.PIPE)
    assert first.stdout is not None
    first.stdout.close()
    return [second.communicate()[0], first.wait()]


def reader_goes_away() -> Any:
    with subprocess.Popen(sh("exec yes"), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.stdout.close()
        return [line, process.wait(10)]


def into_a_file() -> Any:
    with tempfile.TemporaryFile("w+b") as file, tempfile.NamedTemporaryFile() as named:
        file.write(b"before ")
        file.flush()
        subprocess.run(sh("echo one; echo two >&2"), stdout=file, stderr=file, check=True)
        with open(named.name, "a") as log:
            subprocess.run(sh("echo log"), stdout=log, check=True)
        file.seek(0)
        return [file.read(), named.read()]


def from_a_file() -> Any:
    with tempfile.TemporaryFile() as file:
        file.write(b"first\nsecond\n")
        file.flush()
        file.seek(6)
        return subprocess.run(sh("cat"), stdin=file, stdout=subprocess.PIPE).stdout


def left_running() -> Any:
    process = subprocess.Popen(sh("echo up; exec sleep 60"), stdout=subprocess.PIPE)
    assert process.stdout is not None
    line = process.stdout.readline()
    threading.Timer(1.0, process.kill).start()
    return line


def by_descriptor() -> Any:
    """As terminals of coding agents read: whatever is there."""
    process = subprocess.Popen(sh("echo a; exec sleep 60"), stdout=subprocess.PIPE)
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    first = os.read(descriptor, 100)
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError):
        first += os.read(descriptor, 100)
    process.kill()
    process.wait()
    process.stdout.close()
    return first


def in_threads() -> Any:
    found: dict[int, str] = {}

    def one(n: int) -> None:
        found[n] = subprocess.run(
            sh("cat /proc/sys/kernel/random/uuid"), stdout=subprocess.PIPE, text=True
        ).stdout

    threads = [threading.Thread(target=one, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[n] for n in range(4)]


async def asyncio_exec() -> Any:
    process = await asyncio.create_subprocess_exec(
        *sh("read x; echo $x; echo err >&2; exit 4"), stdin=-1, stdout=-1, stderr=-1
    )
    said = await process.communicate(b"hello\n")
    shell = await asyncio.create_subprocess_shell(f"echo ran >> {LEDGER[0]}; echo shell", stdout=-1)
    assert shell.stdout is not None
    lines = [line async for line in shell.stdout]
    return [said, process.returncode, lines, await shell.wait()]


async def asyncio_killed() -> Any:
    process = await asyncio.create_subprocess_exec(*sh("echo up; exec sleep 60"), stdout=-1)
    try:
        await asyncio.wait_for(process.communicate(), 0.3)
    except TimeoutError:
        process.kill()
        return await process.wait()


async def asyncio_in_order() -> Any:
    """Who ends first is told first, again and again."""
    order: list[str] = []

    async def one(name: str, pause: float) -> None:
        process = await asyncio.create_subprocess_exec(
            *sh(f"sleep {pause}; cat /proc/sys/kernel/random/uuid"), stdout=-1
        )
        out, _ = await process.communicate()
        order.append(f"{name} {out.decode()}")

    await asyncio.gather(one("a", 0.3), one("b", 0.15), one("c", 0.0))
    return order


async def asyncio_dialogue() -> Any:
    process = await asyncio.create_subprocess_exec(
        *sh("while read x; do echo got $x; done"), stdin=-1, stdout=-1
    )
    assert process.stdin is not None and process.stdout is not None
    found = []
    for n in range(3):
        process.stdin.write(f"{n}\n".encode())
        await process.stdin.drain()
        found.append(await process.stdout.readline())
    process.stdin.close()
    return [found, await process.wait()]


PROGRAMS = [
    run_text, run_bytes, run_merged, run_shell, run_fails, run_times_out, run_with_input, system,
    read_as_it_comes, dialogue, polled, waited_in_vain, killed, ends_politely, piped,
    reader_goes_away, into_a_file, from_a_file, left_running, by_descriptor, in_threads,
    asyncio_exec, asyncio_killed, asyncio_in_order, asyncio_dialogue,
]  # fmt: skip


def make(program: Callable[..., Any]) -> Callable[[], Any]:
    """A program as an agent."""

    @tracer.agent
    def agent() -> Any:
        return asyncio.run(program()) if asyncio.iscoroutinefunction(program) else program()

    return agent


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_a_replay_gives_the_same_and_starts_nothing(
    bench: Bench, program: Callable[..., Any]
) -> None:
    agent = make(program)
    result = agent()
    assert result is not None
    ran = started()
    steps = bench.steps("tool")
    assert ran > 0 and {(s.effect, s.fidelity or s.status) for s in steps} <= {
        ("external", "exact"), ("external", "error")
    }  # fmt: skip
    for _ in range(2):
        replayed = bench.replay(agent)
        assert (replayed.verdict(), replayed.result) == ((0, None), result)
        assert replayed.run.warnings == ()
        assert set(replayed.sources("tool")) == {"recorded"}
        assert [s.fingerprint for s in replayed.steps] == [s.fingerprint for s in bench.steps()]
    assert started() == ran


def test_a_process_is_one_step_with_all_that_it_was_given_and_said(bench: Bench) -> None:
    @tracer.agent
    def agent(folder: str) -> int:
        command = ["cat", "-", "missing"]
        done = subprocess.run(
            command, input="in", capture_output=True, text=True, cwd=folder, check=False
        )
        return done.returncode

    assert agent("/") == 1
    step = bench.step("tool")
    assert (step.name, step.status) == ("subprocess cat", "ok")
    assert step.callsite is not None and step.callsite.startswith(f"{__file__}:")
    assert bench.value(step, "input") == {
        "argv": ["cat", "-", "missing"], "cwd": "/", "stdin": "in"
    }  # fmt: skip
    said = bench.value(step)
    assert (said["returncode"], said["stdout"]) == (1, "in")
    assert "missing" in said["stderr"]


def test_a_script_in_a_temporary_file_is_the_same_question(bench: Bench) -> None:
    @tracer.agent
    def agent() -> list[str]:
        found = []
        with tempfile.TemporaryDirectory(prefix="agent-") as folder:
            script = Path(folder) / "script.py"
            for n in range(2):
                script.write_text(f"print({n})")
                command = [sys.executable, str(script)]
                found.append(subprocess.check_output(command, text=True, cwd=folder))
                found.append(subprocess.check_output(f"cat {script}", shell=True, text=True))
        return found

    result = agent()
    given = bench.value(bench.steps("tool")[0], "input")
    assert given["argv"][0] == "python" and given["cwd"].endswith("/agent-{temporary}")
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), result)


def test_names_say_what_runs(bench: Bench) -> None:
    commands: list[Any] = [
        ["/bin/echo", "x"], [sys.executable, "-c", ""], "LANG=C ls -d / | cat", "$(echo true)",
        "(true)",
    ]  # fmt: skip

    @tracer.agent
    def agent() -> None:
        for command in commands:
            subprocess.run(command, shell=isinstance(command, str), capture_output=True)

    agent()
    names = [step.name.removeprefix("subprocess ") for step in bench.steps("tool")]
    assert names == ["echo", "python", "ls", "shell", "shell"]


def test_other_input_is_a_divergence(bench: Bench) -> None:
    texts = ["one", "one"]

    @tracer.agent
    def agent() -> str:
        with subprocess.Popen(sh("cat"), stdin=-1, stdout=-1, text=True) as process:
            return process.communicate(texts[1])[0]

    assert agent() == "one"
    texts[1] = "two"
    replayed = bench.replay(agent)
    code, message = replayed.verdict()
    assert code == 3 and message is not None and "sent something else" in message
    assert replayed.result != "one" and started() == 1

    @tracer.agent
    def at_once() -> str:
        return subprocess.run(sh("cat"), input=texts[0], stdout=-1, text=True).stdout

    at_once()
    texts[0] = "three"
    code, message = bench.replay(at_once).verdict()
    assert code == 3 and message is not None and "stdin" in str(message)


def test_another_command_is_a_divergence_and_does_not_run(bench: Bench) -> None:
    commands = ["echo one"]

    @tracer.agent
    def agent() -> list[bytes]:
        return [subprocess.check_output(sh(command)) for command in commands]

    agent()
    commands[:] = ["echo two"]
    assert bench.replay(agent).exit_code == 3
    commands[:] = ["echo one", "echo more"]
    assert bench.replay(agent, bench.run().id).exit_code == 3
    assert started() == 1


def test_inside_a_tool_it_is_answered_with_the_tool(bench: Bench) -> None:
    @tracer.tool
    def shell(command: str) -> str:
        return subprocess.check_output(sh(command), text=True)

    @tracer.tool(effect="local")
    def local(command: str) -> str:
        return subprocess.check_output(sh(command), text=True)

    @tracer.agent
    def agent() -> list[str]:
        return [shell("echo a"), local("echo b")]

    result = agent()
    assert result == ["a\n", "b\n"]
    outer, inner, own, within = bench.steps("tool")
    assert (inner.parent, within.parent) == (outer.id, own.id)
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), result)
    assert [step.name for step in replayed.steps if step.kind == "tool"] == [
        "shell", "local", "subprocess sh"
    ]  # fmt: skip
    assert started() == 2


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False, brain=Numbered()) as running:
        yield running


def _builder(bench: Bench, url: str) -> Callable[[], str]:
    import httpx

    def ask(text: str) -> str:
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        reply = httpx.post(f"{url}/v1/chat/completions", json=body, verify=False)
        return str(reply.json()["choices"][0]["message"]["content"])

    @tracer.agent
    def agent() -> str:
        ask("what next")
        done = subprocess.run(sh("echo built"), capture_output=True, text=True, check=False)
        after = subprocess.run(
            sh(f"echo after {done.stdout}"), capture_output=True, text=True, check=False
        )
        return f"{done.returncode} {done.stdout}{after.stdout}"

    return agent


def test_after_the_fork_the_policy_of_external_tools_holds(
    bench: Bench, server: ModelServer
) -> None:
    agent = _builder(bench, server.url)
    assert agent() == "0 built\nafter built\n"
    run = bench.run().id
    # Equal arguments: the recorded answer.
    assert bench.fork(agent, said("x"), model_call=1, run=run).result == "0 built\nafter built\n"
    failed = Substitute("result", result={"returncode": 2, "stdout": "broken\n"})
    code, message = bench.fork(agent, failed, step=3, run=run).verdict()
    assert code == 4 and message is not None and "--tool 'subprocess sh'=live" in message
    assert started() == 2
    for name in ("subprocess sh", "subprocess", "*"):
        forked = bench.fork(agent, failed, step=3, run=run, tools={name: "live"})
        assert (forked.verdict(), forked.result) == ((0, None), "2 broken\nafter broken\n")
        sources = forked.sources("tool")
        assert sources == ["substituted", "live"]
    assert started() == 5
    stub = {"subprocess sh": 'stub:{"returncode": 1, "stdout": "stub"}'}
    assert bench.fork(agent, failed, step=3, run=run, tools=stub).result == "2 broken\nstub"
    wrong = Substitute("result", result=[1])
    code, message = bench.fork(agent, wrong, step=3, run=run).verdict()
    assert code == 125 and message is not None and "returncode" in message
    assert started() == 5


def test_what_can_not_be_answered_is_said_before(bench: Bench) -> None:
    @tracer.agent
    def agent(which: str) -> None:
        if which == "terminal":
            mine, theirs = os.openpty()
            subprocess.run(["echo", "x"], stdout=theirs)
            for descriptor in (mine, theirs):
                os.close(descriptor)
        elif which == "descriptors":
            reading, writing = os.pipe()
            subprocess.run(["sh", "-c", f"echo x >&{writing}"], pass_fds=[writing])
            for descriptor in (reading, writing):
                os.close(descriptor)
        else:
            subprocess.run(["head", "-c", "20000000", "/dev/zero"], stdout=subprocess.PIPE)

    for which, why in (
        ("terminal", "terminal"), ("descriptors", "open files"), ("much", "wrote more"),
    ):  # fmt: skip
        agent(which)
        assert bench.step("tool").fidelity == "opaque"
        with pytest.raises(CannotReplayError, match=why):
            bench.replay(agent)


def test_inherited_output_is_missing_and_that_is_said(desk: Desk) -> None:
    script = desk.write(
        "agent.py",
        "import subprocess\nprint(subprocess.run(['echo', 'seen']).returncode, flush=True)\n"
        "print(os.system('echo too'))",
    )
    assert desk.record(script).out == "seen\n0\ntoo\n0\n"
    came = desk.replay()
    assert (came.code, came.out) == (0, "0\n0\n")
    with desk.bench.store as store:
        warnings = tracer.plan(store, tracer.ReplaySpec("last")).warnings
    assert len(warnings) == 2 and "subprocess echo" in warnings[0] and "output" in warnings[0]


def test_looking_at_the_system_is_no_step(bench: Bench) -> None:
    import ctypes.util
    import platform
    import uuid

    @tracer.agent
    def agent() -> None:
        ctypes.util.find_library("c")
        platform.libc_ver(), platform.processor(), uuid.getnode()
        platform._syscmd_file(sys.executable)  # type: ignore[attr-defined]

    agent()
    assert bench.steps("tool") == []


def test_outside_a_run_nothing_is_different(bench: Bench) -> None:
    make(run_text)()
    process = subprocess.Popen(["echo", "x"], stdout=-1)
    assert "_tracer_step" not in vars(process)
    assert process.communicate()[0] == b"x\n"
    assert process.returncode == 0
    assert len(bench.runs()) == 1


def test_the_last_output_is_there_when_the_end_is_seen(bench: Bench) -> None:
    """As with a pipe of its own: whoever has waited reads all of it without blocking."""

    @tracer.agent
    def agent() -> int:
        short = 0
        for _ in range(30):
            process = subprocess.Popen(["head", "-c", "30000", "/dev/zero"], stdout=-1)
            process.wait()
            assert process.stdout is not None
            os.set_blocking(process.stdout.fileno(), False)
            short += len(process.stdout.read() or b"") != 30000
            process.stdout.close()
        return short

    assert agent() == 0


def test_a_forked_copy_holds_no_pipe_open(desk: Desk) -> None:
    """Our end of a pipe must not live on in a forked child, or its reader waits for ever."""
    script = desk.write(
        "agent.py",
        """
import subprocess
process = subprocess.Popen(["sh", "-c", "echo x; sleep 0.3"], stdout=subprocess.PIPE)
if os.fork() == 0:
    time.sleep(5)
    os._exit(0)
started = time.monotonic()
print(process.stdout.read(), time.monotonic() - started < 3)
""",
    )
    assert desk.record(script, timeout=20).out == "b'x\\n' True\n"
