"""Files a program writes outside any step are held back while answers come from the recording."""

import os
from pathlib import Path

import pytest

from tests.support.processes import Desk
from tracer.demo.model_server import ModelServer
from tracer.reexecution.overlay import Overlay
from tracer.reexecution.substitute import Substitute

REPORTING = """
import glob, logging, pathlib, shutil, sqlite3, tempfile
logging.basicConfig(filename="agent.log", level=logging.INFO, format="%(message)s")

def seen():
    return sorted(p for p in os.listdir(".") if not p.startswith(("traces", "child", "agent.py")))

def main():
    print("before", seen())
    with open("journal.txt", "a") as file:
        file.write("begin\\n")
    logging.info("asking")
    os.makedirs("out/deep", exist_ok=True)
    for n in range(3):
        answer = ask(f"question {n}")
        ledger(n, answer)
        pathlib.Path(f"out/deep/{n}.txt").write_text(answer)
        with open("journal.txt", "a") as file:
            file.write(f"{n}\\n")
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "x").write_text("temporary")
        shutil.copy(os.path.join(folder, "x"), "out/copied")
    os.replace("out/copied", "out/moved")
    if os.path.exists("old"):
        os.remove("old")
    db = sqlite3.connect("memory.db")
    db.execute("create table if not exists said (text)")
    db.execute("insert into said values (?)", (answer,))
    db.commit()
    rows = db.execute("select count(*) from said").fetchone()[0]
    db.close()
    print("journal", open("journal.txt").read().split())
    print("found", sorted(glob.glob("out/**/*.txt", recursive=True)), os.path.isfile("out/moved"))
    print("listed", sorted(e.name for e in os.scandir("out")), seen(), os.path.exists("old"), rows)
    return answer

if __name__ == "__main__":
    main()
"""


def answers(desk: Desk) -> ModelServer:
    server = ModelServer(latency=False)
    desk.env |= {"OPENAI_BASE_URL": f"{server.__enter__().url}/v1", "TRACER_QUIET": "1"}
    desk.load()
    return server


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but the recording's own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(("traces.db", "child."))
    }


def test_a_replay_leaves_every_file_as_it_was(desk: Desk) -> None:
    server = answers(desk)
    (desk.folder / "old").write_text("remove me")
    recorded = desk.record(desk.write("agent.py", REPORTING))
    server.__exit__(None, None, None)
    assert recorded.code == 0, recorded.err
    assert "journal ['begin', '0', '1', '2']" in recorded.out and "False 1" in recorded.out
    # As if it had never run, but for what must be seen not to change.
    for name in ("journal.txt", "memory.db", "agent.log"):
        (desk.folder / name).unlink()
    for path in sorted((desk.folder / "out").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (desk.folder / "out").rmdir()
    (desk.folder / "ledger").write_text("kept\n")
    (desk.folder / "old").write_text("remove me")
    before = tree(desk.folder)
    came = desk.replay()
    assert (came.code, came.message) == (0, None), came.err
    assert came.out.splitlines()[1:] == recorded.out.splitlines()[1:]
    assert tree(desk.folder) == before
    held = [os.path.relpath(path, desk.folder) for path in came.held]
    assert {"journal.txt", "out/deep/2.txt", "out/moved", "ledger", "old", "memory.db"} <= set(held)


def test_what_was_held_back_can_be_kept_or_allowed(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = answers(desk)
    desk.record(desk.write("agent.py", REPORTING))
    server.__exit__(None, None, None)
    before = tree(desk.folder)
    kept = tmp_path_factory.mktemp("kept")
    came = desk.replay(keep_writes=str(kept), allow_writes=(str(desk.folder / "out"),))
    assert (came.code, came.message) == (0, None), came.err
    found = kept / desk.folder.relative_to("/")
    assert (found / "journal.txt").read_text().split() == ["begin", "0", "1", "2"] * 2
    assert not (found / "out").exists()
    assert tree(desk.folder) == before
    assert len((desk.folder / "ledger").read_text().splitlines()) == 3


def test_behind_the_fork_point_writes_are_real(desk: Desk) -> None:
    server = answers(desk)
    with server:
        log = "log = open('open.log', 'a')\n"
        told = "    print(n, file=log, flush=True)\n    ledger(n, answer)\n"
        source = f"{log}for n in range(4):\n    answer = ask(f'question {{n}}')\n{told}"
        desk.record(desk.write("agent.py", source))
        (desk.folder / "ledger").unlink()
        (desk.folder / "open.log").unlink()
        came = desk.fork(Substitute("text", text="changed"), model_call=3)
        assert (came.code, came.message) == (0, None), came.err
    assert [line.split()[0] for line in desk.ledger()] == ["2", "3"]
    assert (desk.folder / "open.log").read_text().split() == ["2", "3"]
    assert desk.ledger()[0] == "2 changed"


def test_what_cannot_be_held_back_is_refused_with_its_place(desk: Desk) -> None:
    server = answers(desk)
    with server:
        source = "ask('x')\nos.symlink('agent.py', sys.argv[1])\n"
        desk.record(desk.write("agent.py", source), "link")
    (desk.folder / "link").unlink()
    came = desk.replay()
    assert came.code == 4 and "to symlink agent.py, link" in str(came.message)
    assert "agent.py:" in str(came.message) and "@tracer.tool" in str(came.message)
    assert not (desk.folder / "link").is_symlink()


def test_mistakes_with_files_fail_as_before(desk: Desk) -> None:
    source = """
def tried(what):
    try:
        what()
    except OSError as error:
        print(type(error).__name__, error.errno, error.filename)
    else:
        print("done")

ask("x")
open("made", "w").close()
tried(lambda: open("made", "x"))
tried(lambda: open("nowhere/file", "w"))
tried(lambda: open("nothing"))
tried(lambda: open("."))
tried(lambda: open(".", "w"))
tried(lambda: os.mkdir("made"))
tried(lambda: os.rmdir("made"))
os.mkdir("full"); open("full/x", "w").close()
tried(lambda: os.rmdir("full"))
os.remove("full/x"); os.rmdir("full")
tried(lambda: os.listdir("full"))
tried(lambda: os.remove("full/x"))
tried(lambda: os.stat("full"))
os.remove("made")
tried(lambda: open("made"))
tried(lambda: os.rename("made", "other"))
file = open("name.txt", "w+")
print(file.name, file.mode, file.write("abc"), file.seek(0), file.read())
"""
    server = answers(desk)
    with server:
        recorded = desk.record(desk.write("agent.py", source))
    assert recorded.code == 0, recorded.err
    (desk.folder / "name.txt").unlink()
    came = desk.replay()
    assert (came.code, came.message, came.out) == (0, None, recorded.out), came.err
    assert not (desk.folder / "name.txt").exists()


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "a").write_text("real")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    return tmp_path


def test_an_overlay_changes_copies_and_remembers_removals(world: Path) -> None:
    overlay = Overlay()
    path = str(world / "a")
    there = overlay.opened(path, flags=os.O_WRONLY | os.O_APPEND)
    with open(there, "a") as file:
        file.write(" more")
    assert Path(overlay.seen(path)).read_text() == "real more"
    assert (world / "a").read_text() == "real"
    overlay.remove(path)
    assert not overlay.exists(path) and (world / "a").exists()
    assert list(overlay.names(str(world))) == ["full"]
    overlay.remove(str(world / "full" / "x"))
    overlay.remove(str(world / "full"), folder=True)
    assert list(overlay.names(str(world))) == []
    assert not overlay.exists(str(world / "full" / "x"))
    assert overlay.written == [path, str(world / "full" / "x"), str(world / "full")]
    overlay.discard()
    assert not os.path.exists(overlay.root)


def test_only_a_read_only_file_stays_so(world: Path) -> None:
    overlay = Overlay()
    (world / "a").chmod(0o400)
    if os.access(world / "a", os.W_OK):
        assert overlay.opened(str(world / "a"), flags=os.O_WRONLY)  # root may write anything
    else:
        with pytest.raises(PermissionError):
            overlay.opened(str(world / "a"), flags=os.O_WRONLY)
    overlay.discard()
