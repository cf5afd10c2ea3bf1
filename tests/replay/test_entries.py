"""Runs started again as they were recorded, scripts, modules, functions: each in its process."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

import tracer
from tests.support.agents import called, said
from tests.support.processes import PRELUDE, Desk, How
from tests.support.servers import Numbered
from tracer import Substitute
from tracer.demo.model_server import ModelServer
from tracer.errors import CannotReplayError


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False, brain=Numbered()) as running:
        yield running


@pytest.fixture
def shop(desk: Desk, server: ModelServer) -> Desk:
    desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
    desk.load()
    return desk


TOOLS = """
@tracer.tool
def send(text):
    ledger("send", text)
    return {"sent": text}
"""


def test_a_program_and_its_arguments(shop: Desk, server: ModelServer) -> None:
    script = shop.write(
        "agent.py",
        TOOLS
        + """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--order")
options = parser.parse_args()
send(ask(f"order {options.order}"))
print(ask("again"), __name__, os.path.basename(__file__), os.getcwd())
""",
    )
    done = shop.record(script, "--order", "A 5")
    assert done.code == 0 and shop.ledger() == ["send order A 5 #1"]
    came = shop.replay(env={"OPENAI_API_KEY": ""})
    assert (came.code, came.message, came.out) == (0, None, done.out)
    assert shop.ledger() == ["send order A 5 #1"]
    assert server.request_count == 2
    child = shop.run(came.run_id)
    assert (child.parent_run, child.status, child.name) == (shop.run().id, "ok", "agent.py")

    came = shop.fork(said("Something else."), model_call=1, tools={"send": "stub:{}"})
    assert (came.code, came.message) == (0, None)
    assert came.out == done.out, "the second question is the same, so is its answer"
    assert server.request_count == 2
    missing = shop.folder / "moved.py"
    script.rename(missing)
    with pytest.raises(CannotReplayError, match="is gone: put it back, or name it with --script"):
        shop.replay()
    came = shop.replay(script=(str(missing), "--order", "A 5"))
    assert came.code == 0 and "moved.py" in came.out


def test_a_changed_program_is_named_where_it_differs(shop: Desk, server: ModelServer) -> None:
    source = TOOLS + "for n in range(3): send(ask(f'question {n}'))\n"
    shop.record(shop.write("agent.py", source))
    ledger = shop.ledger()
    shop.write("agent.py", source.replace("question {n}", "question {n}?"))
    came = shop.replay()
    assert came.code == 3 and came.message is not None
    assert '"question 0", is "question 0?"' in came.message
    assert came.divergences[0]["n"] == 1
    shop.write("agent.py", source.replace("range(3)", "range(2)"))
    assert shop.replay().divergences[0]["kind"] == "missing_step"
    for broken, says in [
        ("import no_such_sdk\n", "No module named 'no_such_sdk'"),
        ("def f(:\n", "SyntaxError"),
    ]:
        shop.write("agent.py", broken + source)
        came = shop.replay()
        assert came.code == 125 and came.message is not None and says in came.message
    assert (server.request_count, shop.ledger()) == (3, ledger)


FUNCTION = (
    TOOLS
    + """
import dataclasses, enum
class Kind(enum.Enum):
    FULL = 1

@dataclasses.dataclass
class Order:
    number: int
    kind: Kind = Kind.FULL

class Refused(Exception):
    def __init__(self, code):
        super().__init__(f"refused {code}")
        self.code = code

@tracer.tool
def check(order: Order) -> Order:
    ledger("check", order.number)
    return order

@tracer.tool
def refuse(code):
    raise Refused(code)
"""
)


def test_a_decorated_function_is_called_with_its_arguments(shop: Desk, server: ModelServer) -> None:
    path = shop.write(
        "agent.py",
        "from __future__ import annotations\n"
        + PRELUDE
        + "if __name__ != '__main__': print('imported')\n"
        + FUNCTION
        + """
@tracer.agent
def agent(order: Order, *rest: int, deep: dict[str, list[Order]], limit: float = 1.5) -> str:
    assert check(order) == order and check(order).kind is Kind.FULL
    try:
        refuse(5)
    except Refused as error:
        assert error.code == 5
    return ask(f"{order.number} {rest} {deep['a'][0].number} {limit}")

if __name__ == "__main__":
    print(agent(Order(7), 1, 2, deep={"a": [Order(8)]}, limit=2.0))
""",
        prelude=False,
    )
    done = shop.record(path, how="plain")
    assert (done.code, done.out, done.err) == (0, "7 (1, 2) 8 2.0 #1\n", "")
    entry = shop.run().entry
    assert (entry["kind"], entry["qualname"]) == ("function", "agent")
    came = shop.replay()
    assert (came.code, came.message, came.out) == (0, None, "imported\n")
    assert (shop.ledger(), server.request_count) == (["check 7"] * 2, 1)


def test_a_failure_of_a_class_of_the_program_is_the_same_failure(shop: Desk) -> None:
    script = shop.write(
        "agent.py",
        FUNCTION
        + """
@tracer.agent
def agent():
    refuse(3)

if __name__ == "__main__":
    agent()
""",
    )
    modes: tuple[How, ...] = ("plain", "per-agent")
    for how in modes:
        assert shop.record(script, how=how).code == 1
        came = shop.replay()
        assert (came.code, came.message) == (
            0,
            "the agent failed as recorded: __main__.Refused: refused 3",
        )
        assert "Refused: refused 3" in came.err


FORMS = """
@tracer.agent
async def later(n: int) -> str:
    send(n)
    return await asyncio.to_thread(ask, f"later {n}")

@tracer.agent
def pieces(n: int):
    for k in range(n):
        yield ask(f"piece {k}")

@tracer.agent
async def later_pieces(n: int):
    for k in range(n):
        await asyncio.sleep(0)
        yield ask(f"later piece {k}")

async def read():
    return [item async for item in later_pieces(2)]

class Agent:
    def __init__(self, name):
        self.name = name

    @tracer.agent
    def work(self, n: int) -> str:
        return ask(f"{self.name} {n}")

def closure(name):
    @tracer.agent
    def inner(n):
        return ask(f"{name} {n}")
    return inner

if __name__ == "__main__":
    which = sys.argv[1]
    print(
        asyncio.run(later(1)) if which == "later"
        else list(pieces(2)) if which == "pieces"
        else asyncio.run(read()) if which == "later_pieces"
        else Agent("bob").work(5) if which == "method"
        else closure("carl")(6)
    )
"""


def test_functions_of_every_form(shop: Desk, server: ModelServer) -> None:
    script = shop.write("agent.py", TOOLS + FORMS)
    asked = 0
    for which, kind, calls in [
        ("later", "function", 1),
        ("pieces", "function", 2),
        ("later_pieces", "function", 2),
        ("method", "script", 1),
        ("closure", "script", 1),
    ]:
        done = shop.record(script, which, how="plain")
        asked += calls
        assert (done.code, done.err) == (0, ""), which
        assert shop.run().entry["kind"] == kind
        came = shop.replay()
        assert (came.code, came.message) == (0, None), (which, came)
        assert came.out == ("" if kind == "function" else done.out)
        assert server.request_count == asked
    assert shop.ledger() == ["send 1"]


def test_a_package_run_as_a_module(shop: Desk, server: ModelServer) -> None:
    package = shop.folder / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "words.py").write_text("WORD = 'lamp'\n")

    (package / "agent.py").write_text(
        PRELUDE
        + """
from .words import WORD

@tracer.agent
def agent(n: int) -> str:
    return ask(f"{WORD} {n}")

if __name__ == "__main__":
    print(agent(3))
"""
    )
    plain = [sys.executable, "-m", "pack.agent"]
    for count, command in enumerate((shop.command("pack.agent", how="module"), plain), 1):
        done = subprocess.run(
            command,
            env=shop.environment(),
            cwd=shop.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        came = shop.replay()
        assert (came.code, came.message) == (0, None), command
        assert server.request_count == count


def test_what_was_renamed_or_lost_its_parameter(shop: Desk, server: ModelServer) -> None:
    source = """
@tracer.agent
def agent(number: int) -> str:
    return ask(f"order {number}")

if __name__ == "__main__":
    print(agent(5))
"""
    script = shop.write("agent.py", source)
    shop.record(script, how="plain")
    for old, new, says in [
        ("def agent", "def helper", "has no function agent any more: name the one"),
        ("number: int", "order: int", "don't fit agent any more"),
        ("@tracer.agent\n", "", "attempted a connection"),
        ("import httpx", "import httpx, no_such_sdk", "No module named 'no_such_sdk'"),
        ("import httpx", "import httpx; raise KeyError('SETTING')", "fails when it is imported"),
    ]:
        text = script.read_text().replace(old, new).replace("print(agent(5))", "pass")
        script.write_text(text)
        came = shop.replay()
        assert came.code == 125 and came.message is not None, (new, came)
        assert says in came.message
        shop.write("agent.py", source)
    renamed = script.read_text().replace("agent(", "helper(")
    script.write_text(renamed)
    came = shop.replay(function=f"{script}:helper")
    assert (came.code, came.message) == (0, None)
    assert server.request_count == 1


def test_tools_outside_the_recorded_run_do_not_run(shop: Desk, server: ModelServer) -> None:
    """A script whose agent is a closure is started whole: what is around the run stays undone."""
    source = (
        TOOLS
        + """
def closure():
    @tracer.agent
    def inner(n):
        return ask(f"order {n}")
    return inner

{before}
print(closure()(1))
send("after")
print(closure()(2))
print("the end")
"""
    )
    script = shop.write("agent.py", source.replace("{before}", ""))
    done = shop.record(script, how="plain")
    assert done.out == "order 1 #1\norder 2 #2\nthe end\n"
    first = shop.bench.runs()[-1]
    assert (shop.ledger(), server.request_count) == (["send after"], 2)
    for came in (shop.replay(first.id), shop.fork(said("x"), run=first.id, model_call=1)):
        assert (came.code, came.message) == (0, None)
        assert "the end" not in came.out and "order 2" not in came.out
    assert (shop.ledger(), server.request_count) == (["send after"], 2)
    shop.write("agent.py", source.replace("{before}", "send('before')"))
    came = shop.replay(first.id)
    assert came.code == 125 and came.message is not None
    assert "the tool send before the recorded run" in came.message
    assert "`tracer run`" in came.message
    assert (shop.ledger(), server.request_count) == (["send after"], 2)
    assert len(shop.bench.runs()) == 4


def test_an_agent_that_loops_for_ever_over_a_divergence_is_ended(
    shop: Desk, server: ModelServer
) -> None:
    source = """
@tracer.agent
def agent():
    while True:
        try:
            return ask("hello")
        except BaseException:
            continue

if __name__ == "__main__":
    print(agent())
"""
    shop.record(shop.write("agent.py", source), how="plain")
    shop.write("agent.py", source.replace("hello", "good day"))
    started = time.monotonic()
    came = shop.replay(timeout=30)
    assert came.code == 3 and came.message is not None and "good day" in came.message
    assert time.monotonic() - started < 20
    assert shop.run(came.run_id).status == "stopped"
    assert server.request_count == 1


def test_a_killed_run_can_be_forked_but_not_replayed(shop: Desk, server: ModelServer) -> None:
    script = shop.write(
        "agent.py",
        TOOLS
        + """
@tracer.tool
def risky(path):
    if os.path.exists(path):
        os.kill(os.getpid(), 9)
    return "survived"

send(ask("first"))
print(risky(sys.argv[1]))
print(ask("last"))
""",
    )
    bomb = shop.folder / "bomb"
    bomb.write_text("")
    assert shop.record(script, str(bomb)).code == -9
    run = shop.run()
    assert run.status == "interrupted"
    assert [(s.name, s.status) for s in shop.steps()][-1] == ("risky", "interrupted")
    with pytest.raises(CannotReplayError, match="was still open when the recording ended"):
        shop.replay()
    came = shop.fork(said("Hello."), model_call=1, tools={"*": "stub:0"})
    assert came.code == 0 and came.out == "0\nlast #2\n"
    open_step = shop.steps()[-1]

    came = shop.fork(Substitute("result", result="given"), step=open_step.n)
    assert (came.code, came.message, came.out) == (0, None, "given\nlast #3\n")
    assert shop.ledger() == ["send first #1"]
    assert shop.run(run.id) == run


def test_the_recorded_rows_stay_as_they_are(shop: Desk, server: ModelServer) -> None:
    script = shop.write("agent.py", TOOLS + "for n in range(3): send(ask(f'q {n}'))\n")
    shop.record(script)
    run = shop.run()

    def rows() -> Any:
        with shop.bench.store as store:
            steps = store.steps(run.id)
            payloads = [
                (
                    store.request(s),
                    store.reply(s),
                    store.value(s, "input"),
                    store.value(s, "output"),
                )
                for s in steps
            ]
            return store.find_run(run.id), steps, payloads

    before = rows()
    shop.replay()
    shop.fork(called("x", a=1), model_call=2, tools={"*": "live"})
    shop.write("agent.py", "raise SystemExit(9)\n")
    assert shop.replay().code == 3
    assert rows() == before
    assert len(shop.bench.runs()) == 4


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_a_pool_of_processes_in_a_replay_runs_no_tool(
    shop: Desk, server: ModelServer, how: str
) -> None:
    script = shop.write(
        "agent.py",
        TOOLS
        + """
import multiprocessing

def work(n):
    return send(n)

if __name__ == "__main__":
    print(ask("start"))
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print(pool.map(work, [1]))
""",
    )
    done = shop.record(script, how)
    assert done.code == 0 and shop.ledger() == ["send 1"]
    assert shop.run().warnings == ()
    with pytest.raises(CannotReplayError, match="worker process"):
        shop.replay(timeout=30)
    assert shop.ledger() == ["send 1"]


def test_arguments_that_can_not_be_stored_start_the_whole_program(
    shop: Desk, server: ModelServer
) -> None:
    script = shop.write(
        "agent.py",
        """
@tracer.agent
def agent(handle) -> str:
    return ask("with a handle")

if __name__ == "__main__":
    print(agent(object()))
""",
    )
    done = shop.record(script, how="plain")
    entry = shop.run().entry
    assert (entry["kind"], entry["whole"]) == ("script", False)
    assert "could not be stored" in entry["because"]
    came = shop.replay()
    assert (came.code, came.out) == (0, done.out)


def test_an_imported_looking_entry_is_never_run(shop: Desk, server: ModelServer) -> None:
    """The database names a program; only local runs are started by what it says."""
    shop.record(shop.write("agent.py", "print(ask('x'))\n"))
    run = shop.run()
    with shop.bench.store as store:
        planned = tracer.plan(store, tracer.ReplaySpec(run.id))
        assert planned.entry == run.entry
        assert json.dumps(planned.instructions(None))
    assert server.request_count == 1
