"""A coding agent's files are as they were, wherever its run is re-executed from; the real ones stay
as they are (`tracer run --workspace`)."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import tracer
from tests.support.agents import Bench
from tests.support.processes import Came, Desk, run_warm
from tracer.core.records import Step
from tracer.demo.conversation import Answer, Call, Conversation
from tracer.demo.model_server import ModelServer
from tracer.errors import CannotReplayError, UsageError
from tracer.interchange.bundle import export_bundle, import_bundle
from tracer.reexecution.scratch import WITHOUT_MOUNTS
from tracer.reexecution.substitute import Substitute
from tracer.store.reading import Store

AGENT = """
import shutil, subprocess
ROOT = os.environ.get("ROOT", "")
NAMES = {"read_file": ["path"], "write_file": ["path", "text"], "shell": ["command"],
         "make_folder": ["path"], "remove": ["path"], "note": ["text"]}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object",
    "properties": {key: {"type": "string"} for key in keys}}}} for name, keys in NAMES.items()]

def read_file(path):
    with open(os.path.join(ROOT, path)) as file:
        return file.read()

def write_file(path, text):
    with open(os.path.join(ROOT, path), "w") as file:
        file.write(text)
    return "written"

def shell(command):
    return subprocess.run(command, shell=True, capture_output=True, text=True).stdout

def make_folder(path):
    os.makedirs(path)
    return "made"

def remove(path):
    shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    return "removed"

@tracer.tool(effect="local")
def note(text):
    with open("notes", "a") as file:
        file.write(text + "\\n")
    with open("notes") as file:
        return file.read()

def main():
    where = os.getcwd() if os.environ.get("SAYS_WHERE") else "here"
    messages = [{"role": "user", "content": f"mend it in {where}"}]
    while True:
        reply = httpx.post(BASE + "/chat/completions", json=body(messages, tools=TOOLS),
                           headers=KEY).json()["choices"][0]["message"]
        messages.append(reply)
        if not reply.get("tool_calls"):
            break
        for call in reply["tool_calls"]:
            found = globals()[call["function"]["name"]](**json.loads(call["function"]["arguments"]))
            print(call["function"]["name"], repr(found), flush=True)
            messages.append({"role": "tool", "tool_call_id": call["id"],
                             "content": json.dumps(found)})
        with open("steps.log", "a") as file:  # the program's own doing, outside any step
            file.write(f"{len(messages)}\\n")

main()
"""
LIVE = {name: "live" for name in ("write_file", "shell", "make_folder", "remove", "subprocess")}
LOOK = "cat a.py; ls -p; cat steps.log | wc -l"
WROTE = [
    Call("read_file", {"path": "a.py"}),
    Call("write_file", {"path": "a.py", "text": "x = 2\n"}),
    Call("make_folder", {"path": "out"}),
    Call(
        "shell", {"command": "cp a.py out/copy.py; printf '\\r\\n' > odd; chmod +x odd; echo done"}
    ),
    Call("remove", {"path": "old.py"}),
    Call("note", {"text": "first"}),
    Call("write_file", {"path": "a.py", "text": "x = 3\n"}),
    Call("shell", {"command": LOOK}),
]


class Planned:
    """A model that asks for one call after the other, whatever came of those before."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls

    def __call__(self, conversation: Conversation) -> Answer:
        done = len(conversation.executed)
        return Answer("all done") if done >= len(self.calls) else Answer("", (self.calls[done],))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False, brain=Planned(WROTE)) as running:
        yield running


@pytest.fixture
def at(desk: Desk, server: ModelServer) -> Desk:
    """The agent stands beside its workspace `work`, in which it starts."""
    desk.env |= {"OPENAI_BASE_URL": f"{server.url}/v1", "TRACER_DB": str(desk.folder / "traces.db")}
    desk.load()
    desk.write("agent.py", AGENT)
    work = desk.folder / "work"
    work.mkdir()
    (work / "a.py").write_text("x = 1\n")
    (work / "old.py").write_text("old\n")
    (work / ".gitignore").write_text("secret\n")
    (work / "secret").write_text("ignored, and as it is now\n")
    return desk


def record(at: Desk, *more: str) -> str:
    command = [*at.command("--workspace", ".", "../agent.py"), *more]
    folder, out = at.folder / "work", at.folder / "recorded"
    done = run_warm(at.loaded, command, cwd=folder, env=at.environment(), out=out)
    assert done.code == 0, done.err
    return done.out


def _in_work(at: Desk, command: list[str], *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *more], env=at.environment(), cwd=at.folder / "work", capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip


def files(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


def changed_by(step: Step) -> Any:
    told: Any = step.detail.get("workspace") or {}
    return told.get("changed")


def disturb(at: Desk) -> dict[str, str]:
    """What became of the folder since; how it looks now."""
    work = at.folder / "work"
    shutil.rmtree(work / "out")
    (work / "a.py").write_text("x = 99\n")
    (work / "steps.log").write_text("")
    (work / "later.py").write_text("made later\n")
    return files(work)


def shell_at(at: Desk, model_call: int, command: str = LOOK, **spec: Any) -> Came:
    call = Substitute("tool_call", tool_name="shell", arguments={"command": command})
    return at.fork(call, model_call=model_call, tools=LIVE, **spec)


def test_each_step_says_what_it_changed(at: Desk) -> None:
    out = record(at)
    told = [(step.name, changed_by(step)) for step in at.steps() if changed_by(step)]
    assert ("write_file", [["M", "a.py"]]) in told
    assert ("remove", [["D", "old.py"]]) in told
    assert ("note", [["A", "notes"]]) in told
    (copied,) = [entry[1] for entry in told if entry[0].startswith("subprocess cp")]
    assert copied == [["A", "odd"], ["A", "out/copy.py"]]
    assert "secret" not in str(told)
    assert not (at.folder / "work" / ".git").exists()
    assert out.splitlines()[-1].startswith("shell 'x = 3")


@pytest.mark.parametrize("mounts", [True, False], ids=["in its place", "elsewhere"])
def test_a_fork_sees_the_files_as_they_were_at_its_step(at: Desk, mounts: bool) -> None:
    """Fails when `Followed` restores nothing."""
    if not mounts:
        at.env[WITHOUT_MOUNTS] = "1"
    record(at)
    now = disturb(at)
    came = shell_at(at, 1)
    assert came.code == 0, came.message
    assert "shell 'x = 1\\na.py\\nold.py\\nsecret\\n0\\n'" in came.out
    came = shell_at(at, 4, "cat a.py; ls -p out; ls -p; cat secret")
    assert "shell 'x = 2\\na.py\\nold.py\\nout/\\nsecret\\nsteps.log\\nignored" in came.out
    # What the agent goes on to do, it does to the copy: the last look finds it there.
    assert "note 'first\\n'" in came.out
    assert came.out.splitlines()[-1].startswith("shell 'x = 3\\na.py\\nnotes\\n")
    came = shell_at(at, 6, "cat -A odd; test -x odd && ls -p out; ls old.py")
    assert "shell '^M$\\ncopy.py\\n'" in came.out
    assert files(at.folder / "work") == now


def test_a_replay_reads_what_it_read(at: Desk) -> None:
    out = record(at)
    now = disturb(at)
    came = at.replay()
    assert (came.code, came.message, came.out) == (0, None, out)
    assert files(at.folder / "work") == now


def test_a_step_answered_behind_the_fork_point_changes_its_files_or_says_that_it_can_not(
    at: Desk,
) -> None:
    record(at)
    # Both writes of a.py are asked for as recorded; they are answered, and are done to the copy.
    came = at.fork(
        Substitute("tool_call", tool_name="shell", arguments={"command": "ls"}), model_call=1,
        tools={"shell": "live", "subprocess": "live", "make_folder": "live"},
    )  # fmt: skip
    assert came.code == 0, came.message
    assert came.out.splitlines()[-1].startswith("shell 'x = 3\\na.py\\nnotes\\nodd\\nout/\\n")
    changing = "echo mine > a.py"
    came = at.fork(
        Substitute("tool_call", tool_name="shell", arguments={"command": changing}), model_call=1,
        tools={"shell": "live", "subprocess": "live", "make_folder": "live"},
    )  # fmt: skip
    assert came.code == 4
    assert "(write_file) is answered from the recording but had changed a.py" in str(came.message)
    assert "--tool write_file=live" in str(came.message)


def test_what_is_kept_are_the_files_as_the_fork_left_them(at: Desk, tmp_path: Path) -> None:
    record(at)
    kept = tmp_path / "kept"
    came = shell_at(at, 2, "echo new > made.py", keep_writes=str(kept))
    assert came.code == 0, came.message
    there = files(kept / str(at.folder / "work").lstrip("/"))
    assert there["made.py"] == "new\n"
    assert there["a.py"] == "x = 3\n"
    assert not (at.folder / "work" / "made.py").exists()


def test_a_fork_of_a_fork(at: Desk) -> None:
    record(at)
    first = shell_at(at, 2, "echo new > made.py")
    disturb(at)
    came = shell_at(at, 3, "cat made.py a.py", run=first.run_id)
    assert came.code == 0, came.message
    assert "shell 'new\\nx = 1\\n'" in came.out


def test_the_database_may_stand_in_the_workspace(at: Desk) -> None:
    at.env["TRACER_DB"] = str(at.folder / "work" / ".tracer" / "traces.db")
    (at.folder / "work" / ".tracer").mkdir()
    record(at)
    store = Path(at.env["TRACER_DB"])
    inner = Desk(at.folder, at.env)
    with Store.open(store) as opened:
        (run,) = opened.runs()
        told = [step.detail.get("workspace") for step in opened.steps(run.id)]
    assert ".tracer" not in str(told) and "branches" not in str(told)
    call = ["--tool-call", "shell", json.dumps({"command": LOOK})]
    command = [*inner.command("x")[:-2], "fork", run.id, "--model-call", "2", *call, "--json",
               *(f"--tool={name}=live" for name in LIVE)]  # fmt: skip
    done = _in_work(at, command)
    assert done.returncode == 0, done.stderr
    with Store.open(store) as opened:
        assert len(opened.runs()) == 2


def test_paths_that_lead_to_the_real_files_are_refused_where_nothing_can_stand_in_their_place(
    at: Desk,
) -> None:
    at.env["SAYS_WHERE"] = "1"
    record(at)
    assert shell_at(at, 1).code == 0
    came = shell_at(at, 1, env={WITHOUT_MOUNTS: "1"})
    assert came.code == 125
    assert "names the workspace by its path" in str(came.message)


def test_an_imported_run_has_no_files(at: Desk, tmp_path: Path) -> None:
    record(at)
    with Store.open(at.database) as store:
        export_bundle(store, store.find_run("last").id, tmp_path / "run.json.gz")
    elsewhere = Desk(tmp_path / "elsewhere", at.env)
    elsewhere.folder.mkdir()
    elsewhere.env = at.env | {"TRACER_DB": str(elsewhere.database)}
    import_bundle(tmp_path / "run.json.gz", elsewhere.database)
    with pytest.raises(CannotReplayError, match="an exported run has none of them"):
        elsewhere.replay(script=str(at.folder / "agent.py"))


def test_states_that_are_gone(at: Desk) -> None:
    record(at)
    shutil.rmtree(at.folder / "traces.db-workspaces.git")
    with pytest.raises(CannotReplayError, match="can't be brought back"):
        at.replay()


def test_in_this_process_there_is_no_other_workspace(bench: Bench, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()

    @tracer.tool(effect="external")
    def write(name: str) -> str:
        (work / name).write_text("x")
        return name

    @tracer.agent(workspace=work)
    def agent() -> str:
        return write("made")

    agent()
    (step,) = bench.steps("tool")
    assert changed_by(step) == [["A", "made"]]
    with pytest.raises(CannotReplayError, match="only a process of its own can see"):
        bench.replay(agent)


def test_a_workspace_that_can_not_be_followed_is_named_and_changes_nothing(
    at: Desk, tmp_path: Path
) -> None:
    bin_without_git = tmp_path / "bin"
    bin_without_git.mkdir()
    for name in ("sh", "cat", "ls", "wc", "cp", "chmod", "printf"):
        os.symlink(str(shutil.which(name)), bin_without_git / name)
    at.env["PATH"] = str(bin_without_git)
    out = record(at)
    assert out.splitlines()[-1].startswith("shell 'x = 3")
    (warning,) = at.run().warnings
    assert warning == (
        "the workspace is not followed (there is no git): a fork does not restore its files"
    )


def test_a_folder_that_is_none(at: Desk) -> None:
    done = _in_work(at, at.command("--workspace", "nowhere", "../agent.py"))
    assert done.returncode == UsageError.exit_code
    assert "there is no such folder" in done.stderr
