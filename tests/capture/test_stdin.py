"""Programs that read their standard input: as without tracer, and in a re-execution what was read
is given again."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import CLI, Desk, How
from tests.support.servers import Numbered
from tracer.demo.model_server import ModelServer
from tracer.reexecution.substitute import Substitute

WAYS = {
    "input": """
while True:
    try:
        say(input("> "))
    except EOFError as error:
        print(error)
        break
""",
    "lines": "for line in sys.stdin: say(line)",
    "readline": "while line := sys.stdin.readline(): say(line)",
    "read": "say(sys.stdin.read()); print(repr(sys.stdin.read()))",
    "buffer": "say(sys.stdin.buffer.read(3).hex()); say(sys.stdin.buffer.readline().hex())",
    "input then lines": "say(input()); [say(line) for line in sys.stdin]",
    "a thread": "say(asyncio.run(asyncio.to_thread(input, '? ')))",
    "an iterator bound before": "from sys import stdin\nfor line in stdin: say(line)",
    "nothing": "say('no word')",
    "looks": "say(f'{sys.stdin.isatty()} {sys.stdin.fileno()} {sys.stdin.name} {sys.stdin.mode} "
             "{sys.stdin.encoding} {sys.stdin.newlines} {sys.stdin.buffer.name}')",
}  # fmt: skip
PROGRAM = """
def say(text):
    print(repr(text), repr(ask("you said " + str(text))), flush=True)

{way}
"""
TYPED = "Grüße\nno end\r\n\nlast, without an end".encode()


@pytest.fixture
def at(desk: Desk) -> Iterator[Desk]:
    with ModelServer(latency=False, brain=Numbered()) as server:
        desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
        desk.env["PYTHONIOENCODING"] = "utf-8"
        desk.load()
        yield desk


def run(at: Desk, script: Path, how: How, given: bytes = TYPED) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        at.command(script, how=how), env=at.environment(), cwd=at.folder, input=given,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def without_numbers(text: str) -> list[str]:
    return [line.rpartition("#")[0].removesuffix(" ") or line for line in text.splitlines()]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_what_was_read_is_read_again(at: Desk, way: str) -> None:
    """Fails without `put_in_place`."""
    script = at.write("chat.py", PROGRAM.format(way=way))
    plain = run(at, script, "plain")
    done = run(at, script, "run")
    assert without_numbers(done.stdout) == without_numbers(plain.stdout)
    assert (done.returncode, done.stderr) == (plain.returncode, plain.stderr) == (0, "")
    came = at.replay()
    assert (came.code, came.message, came.out) == (0, None, done.stdout)
    assert at.run().warnings == ()


def test_the_user_says_the_same_behind_a_fork_point(at: Desk) -> None:
    script = at.write("chat.py", PROGRAM.format(way=WAYS["lines"]))
    run(at, script, "run", b"one\ntwo\nthree\n")
    came = at.fork(Substitute("text", text="something else"), model_call=2)
    assert came.code == 0, came.message
    lines = without_numbers(came.out)
    assert lines[0].startswith("'one\\n'") and lines[1] == "'two\\n' 'something else'"
    assert lines[2].startswith("'three\\n'") and len(lines) == 3
    again = at.fork(Substitute("text", text="a third"), model_call=3, run=came.run_id)
    assert without_numbers(again.out)[1:] == [lines[1], "'three\\n' 'a third'"]


def test_more_than_was_recorded_is_the_end_and_is_said(at: Desk) -> None:
    script = at.write("chat.py", PROGRAM.format(way="say(sys.stdin.readline())"))
    run(at, script, "run", b"one\n")
    at.write("chat.py", PROGRAM.format(way="say(sys.stdin.readline()); print(sys.stdin.read(), 9)"))
    came = at.replay()
    assert (came.code, came.out.splitlines()[-1]) == (0, " 9")
    (warning,) = at.run(came.run_id).warnings
    assert warning.startswith("more was read of standard input than recorded")


def test_an_agent_that_python_started_asks_by_input(at: Desk) -> None:
    source = """
@tracer.agent
def agent():
    return [ask(input("? ")), ask(input("? "))]

if __name__ == "__main__":
    print(input("before: "))
    print(agent())
"""
    script = at.write("chat.py", source)
    done = run(at, script, "plain", b"outside\nfirst\nsecond\n")
    assert done.stdout.startswith("before: outside\n? ? [")
    came = at.replay()
    assert (came.code, came.message) == (0, None)
    assert came.out == "? ? "


def test_a_key_that_was_typed_is_not_stored(at: Desk) -> None:
    key = "sk-proj-" + "Ab1" * 16
    script = at.write("chat.py", PROGRAM.format(way="say(input('key: '))"))
    assert run(at, script, "run", f"{key}\n".encode()).stdout.startswith(f"key: '{key}'")
    assert key.encode() not in at.everything_stored()
    assert all(key.encode() not in str(one.values).encode() for one in _draws(at))
    came = at.replay()
    assert came.code == 0, came.message


def _draws(at: Desk) -> list[Any]:
    with at.bench.store as store:
        return list(store.draws(store.find_run("last").id))


@pytest.mark.parametrize("shown", [True, False], ids=["shown there", "shown elsewhere"])
def test_on_a_terminal(at: Desk, shown: bool) -> None:
    """Line editing stays, which passes by every stream; what is typed is kept."""
    way = "say(input('> ')); say(sys.stdin.isatty()); say(sys.stdin.readline()); say(input())"
    script = at.write("chat.py", PROGRAM.format(way=way))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", CLI, "run", str(script)], env=at.environment(), cwd=at.folder,
        stdin=theirs, stdout=theirs if shown else subprocess.PIPE,
    ) as process:  # fmt: skip
        os.close(theirs)
        os.write(ours, b"first\nsecond\nthird\n")
        if shown:
            said = b""
            while said.count(b"#") < 4:
                said += os.read(ours, 1 << 16)
        else:
            said, _ = process.communicate(timeout=60)
        assert process.wait(60) == 0
    os.close(ours)
    answers = [line.rpartition("'")[2] for line in said.decode().split("you said")[1:]]
    assert len(answers) == 4
    came = at.replay()
    assert (came.code, came.message) == (0, None)
    assert came.out.count("you said") == 4
    for word in ("> 'first'", "True", r"'second\n'", "'third'"):
        assert word in came.out
