"""Whole programs: their output stays theirs to the byte, and what they did before they died is
there."""

import subprocess
import sys
from pathlib import Path

from tests.support.processes import CLI, Desk
from tracer.capture.processes.asked import command_of
from tracer.interchange.around import OUTSIDE, Around, around

HOSTILE = r"""
import io, logging, os, sys
import tracer

class Broken:
    def __repr__(self): raise RuntimeError("repr")
    __str__ = __repr__

log = logging.getLogger("shop")
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("%(filename)s:%(lineno)d %(funcName)s %(message)s"))
log.addHandler(handler)

@tracer.tool
def work():
    print("\x1b[31mred\x1b[0m \x1b]0;title\x07 \u202e<script>alert(1)</script>")
    sys.stdout.flush()
    sys.stdout.buffer.write(bytes(range(256)) + b"\n")
    sys.stdout.buffer.flush()
    print("\ud800".encode("utf-8", "surrogatepass"))
    log.warning("broken %d", "x")       # logging prints its own complaint, with a stack
    log.warning("%s", Broken())
    log.error("plain %s", "words")
    for _ in range(200):
        print("z" * 49_999)
    try:
        print("\ud800")
    except UnicodeEncodeError as error:
        import traceback
        traceback.print_exc()
    try:
        os.environ["NO_SUCH_VARIABLE"]
    except KeyError:
        import traceback
        traceback.print_exc()
    closed = io.TextIOWrapper(io.BytesIO())
    closed.close()
    sys.stdout.writelines(iter(["a\n", "b\n"]))
    print(1, 2, sep="-", end="!\n", file=sys.stderr, flush=True)
    assert type(sys.stdout) is io.TextIOWrapper and sys.stdout is sys.__stdout__
    assert sys.stdout.fileno() == 1 and not sys.stdout.isatty()
    try:
        sys.stdout.write(3)
    except TypeError:
        import traceback
        traceback.print_exc()

@tracer.agent
def agent():
    print("agent says")
    work()
    print("no newline at the end", end="")

agent()
"""
DIES = """
import os, tracer

@tracer.tool
def dies():
    print("last words", flush=True)
    note()
    os._exit(3)

@tracer.step
def note(): ...

@tracer.agent
def agent():
    print("begun", flush=True)
    dies()

agent()
"""
FORKS = """
import multiprocessing, os, sys, tracer

def child():
    print("from the child", flush=True)
    open("made-by-child", "w").close()

@tracer.tool
def work():
    print("before", flush=True)
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    print("after", flush=True)

@tracer.agent
def agent():
    work()

agent()
"""


def noted(desk: Desk, n: int) -> Around:
    with desk.bench.store as store:
        return around(store, store.find_run("last").id, n)


def text_of(found: Around) -> str:
    return "".join(item.get("text", "…") for item in found.printed)


def _bytes(desk: Desk, command: list[str]) -> tuple[int, bytes, bytes]:
    env = desk.environment({"PYTHONIOENCODING": "utf-8"})
    env.pop("PYTHONUNBUFFERED", None)
    done = subprocess.run(
        command, env=env, cwd=desk.folder, capture_output=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_hostile_output_is_the_programs_own(desk: Desk) -> None:
    script = desk.write("agent.py", HOSTILE, prelude=False)
    env = desk.environment({"PYTHONIOENCODING": "utf-8", "TRACER_DISABLED": "1"})
    env.pop("PYTHONUNBUFFERED", None)
    plain = subprocess.run(
        [sys.executable, str(script)], env=env, cwd=desk.folder, capture_output=True, check=False
    )
    decorated = _bytes(desk, [sys.executable, str(script)])
    whole = _bytes(desk, [sys.executable, "-c", CLI, "run", str(script)])
    assert plain.returncode == 0, plain.stderr
    for came in (decorated, whole):
        assert came[:2] == (0, plain.stdout)
        # The wrappers of decorators stand in the stack that logging prints; nothing else does.
        ours = [
            line for line in came[2].decode().splitlines()
            if "/tracer/capture/" in line and "wrapping.py" not in line
        ]  # fmt: skip
        assert ours == []
        assert came[2].count(b"Traceback") == plain.stderr.count(b"Traceback")
    with desk.bench.store as store:
        assert len(store.runs()) == 2
    found = noted(desk, 2)
    assert text_of(found).startswith("\x1b[31mred")
    assert text_of(found).endswith("be str, not int\n")
    assert [entry["text"] for entry in found.logs] == [
        "broken %d ('x',)", "<Broken>", "plain words",
    ]  # fmt: skip
    assert text_of(noted(desk, 1)) == "agent says\nno newline at the end"


def test_a_program_that_kills_itself_leaves_its_words(desk: Desk) -> None:
    done = desk.record(desk.write("agent.py", DIES, prelude=False))
    assert (done.code, done.out) == (3, "begun\nlast words\n")
    assert desk.run().status == "interrupted"
    assert text_of(noted(desk, 1)) == "begun\n"
    assert text_of(noted(desk, 2)) == "last words\n"


def test_what_a_forked_child_does_is_its_steps(desk: Desk) -> None:
    done = desk.record(desk.write("agent.py", FORKS, prelude=False))
    assert done.out == "before\nfrom the child\nafter\n", done.err
    found = noted(desk, 2)
    assert sorted(text_of(found).splitlines()) == ["after", "before", "from the child"]
    made = desk.folder / "made-by-child"
    assert ("written", str(made)) in [(t.get("what"), t.get("name")) for t in found.touched]


def test_what_is_outside_any_step_is_the_runs(desk: Desk) -> None:
    source = "import os\nprint('hello')\nopen('report.txt', 'w').close()\nlimit = 3\n1 / 0\n"
    desk.record(desk.write("agent.py", source, prelude=False))
    found = noted(desk, OUTSIDE)
    text = text_of(found)
    assert text.startswith("hello\nTraceback") and text.endswith("division by zero\n")
    assert [item["name"] for item in found.touched] == [str(desk.folder / "report.txt")]
    assert found.frames[0]["values"] == [["limit", "3"]]
    assert found.environment["packages"]["click"]


def test_the_command_is_named_whichever_way_a_process_is_started() -> None:
    for args, command in (
        (("/bin/ls", ["ls", "-l"], None, None), "ls -l"),
        ((b"echo hi",), "echo hi"),
        ((0, "/bin/ls", ("ls", "x"), {}), "ls x"),
        (("/bin/ls", Path("/bin/ls"), None), "/bin/ls"),
        ((3,), ""),
    ):
        assert command_of(args) == command
