"""What is noted around steps: output, log records, what is touched, variables, environment."""

import contextlib
import io
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tracer
from tests.support.agents import Bench
from tracer.capture.around import git
from tracer.interchange.around import OUTSIDE, Around, around, is_untouched

SECRET = "sk-around-0123456789abcdef"


def noted(bench: Bench, n: int) -> Around:
    with bench.store as store:
        return around(store, store.find_run("last").id, n)


def text_of(found: Around, stream: str | None = None) -> str:
    return "".join(
        item.get("text", "…") for item in found.printed if stream in (None, item.get("stream"))
    )


def run_tool(body: Callable[[], Any]) -> None:
    """An agent (step 1) that runs `body` as a tool (step 2)."""

    @tracer.tool
    def work() -> Any:
        return body()

    @tracer.agent
    def agent() -> Any:
        return work()

    with contextlib.suppress(ZeroDivisionError, ValueError):
        agent()


def test_output_stands_with_the_step_that_wrote_it(bench: Bench) -> None:
    @tracer.tool
    def inner() -> None:
        print("inside", 1)
        sys.stderr.write("careful\n")
        sys.stdout.writelines(["a", "b\n"])

    @tracer.agent
    def agent() -> None:
        print("before")
        inner()
        print("after")

    agent()
    print("outside the run")
    assert text_of(noted(bench, 1)) == "before\nafter\n"
    assert [item["stream"] for item in noted(bench, 2).printed] == ["out", "err", "out"]
    assert text_of(noted(bench, 2), "out") == "inside 1\nab\n"
    assert noted(bench, OUTSIDE).printed == []


def test_the_streams_are_left_as_they_were(bench: Bench) -> None:
    stream, kind = sys.stdout, type(sys.stdout)
    seen: list[Any] = []

    def body() -> None:
        seen.append((sys.stdout is stream, type(sys.stdout) is kind, "write" in vars(sys.stdout)))
        print(sys.stdout.isatty(), sys.stdout.encoding)

    run_tool(body)
    assert seen == [(True, True, True)]
    assert "write" not in vars(sys.stdout)
    assert "filter" not in vars(logging.Logger)
    assert type(os.environ).__getitem__.__module__ == "os"


def test_streams_that_the_program_puts_on_top(bench: Bench) -> None:
    before = sys.stdout

    def body() -> None:
        kept = io.StringIO()
        with contextlib.redirect_stdout(kept):
            print("not on standard output")
        sys.stdout.buffer.write(b"bytes \xff\n")
        sys.stdout = io.TextIOWrapper(before.buffer, encoding="utf-8", write_through=True)
        try:
            print("through another layer")
        finally:
            sys.stdout.detach()
            sys.stdout = before

    run_tool(body)
    assert text_of(noted(bench, 2)) == "bytes \N{REPLACEMENT CHARACTER}\nthrough another layer\n"


def test_long_output_keeps_beginning_and_end(bench: Bench) -> None:
    def body() -> None:
        print("first")
        print("x" * 3_000_000)
        for n in range(20_000):
            print("line", n)
        print("last")

    run_tool(body)
    found = noted(bench, 2)
    text = text_of(found)
    assert text.startswith("first\nxxx") and text.endswith("line 19999\nlast\n")
    assert len(text) < 50_000
    (gap,) = [item["left_out"] for item in found.printed if "left_out" in item]
    whole = 6 + 3_000_001 + sum(len(f"line {n}\n") for n in range(20_000)) + 5
    assert gap + len(text) - 1 == whole


def test_what_is_cut_keeps_no_half_of_a_secret(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_API_KEY", SECRET)

    def body() -> None:
        print("y" * (32_000 - 10) + SECRET + "z" * 100_000)
        print("y" * 5_000 + SECRET + "z" * (16_000 - 10))
        logging.getLogger("shop").error("key %s", SECRET)

    run_tool(body)
    found = noted(bench, 2)
    said = str(found)
    assert SECRET[:8] not in said and SECRET[-8:] not in said
    assert "[redacted]" in found.logs[0]["text"]


def test_log_records_whatever_the_handlers(bench: Bench) -> None:
    log = logging.getLogger("shop.refunds")
    log.setLevel(logging.INFO)
    log.addHandler(logging.NullHandler())

    class Shown:
        def __str__(self) -> str:
            raise RuntimeError("not by us")

    def body() -> None:
        log.debug("below the level")
        log.info("refund %s of %.2f", "A-1", 3)
        log.propagate = False
        log.warning("broken %d", "x")
        log.warning("%s", Shown())
        logging.getLogger("tracer").error("our own")
        try:
            raise KeyError("order")
        except KeyError:
            log.exception("failed")

    run_tool(body)
    log.propagate = True
    logs = noted(bench, 2).logs
    assert [entry["text"] for entry in logs] == [
        "refund A-1 of 3.00",
        "broken %d ('x',)",
        "<test_log_records_whatever_the_handlers.<locals>.Shown>",
        "failed",
    ]
    assert [entry["level"] for entry in logs] == ["INFO", "WARNING", "WARNING", "ERROR"]
    assert logs[0]["where"].startswith("test_around.py:")
    assert logs[3]["error"] == "KeyError: order" and "body" in logs[3]["trace"][-1]


def test_what_a_filter_changes_or_stops(bench: Bench) -> None:
    log = logging.getLogger("shop.filtered")

    class Mask(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            record.msg = str(record.msg).replace("hunter2", "***")
            return "drop" not in record.msg

    mask = Mask()
    log.addFilter(mask)

    def body() -> None:
        log.error("password hunter2")
        log.error("drop this")

    run_tool(body)
    log.removeFilter(mask)
    assert [entry["text"] for entry in noted(bench, 2).logs] == ["password ***"]


def test_the_effects_ledger(bench: Bench, tmp_path: Path) -> None:
    odd = tmp_path / "two\nlines.txt"
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]

        def body() -> None:
            odd.write_text("x")
            odd.read_text()
            (tmp_path / "made").mkdir()
            os.rename(odd, tmp_path / "renamed.txt")
            os.remove(tmp_path / "renamed.txt")
            sqlite3.connect(tmp_path / "shop.db").close()
            sqlite3.connect(":memory:").close()
            socket.create_connection(("localhost", port)).close()
            with tempfile.TemporaryDirectory() as folder:
                Path(folder, "scratch").write_text("x")
            open(os.devnull, "w").close()
            subprocess.run(["true"], check=True)

        run_tool(body)
    touched = [(item["what"], item["name"]) for item in noted(bench, 2).touched]
    assert touched == [
        ("written", str(odd)),
        ("made", str(tmp_path / "made")),
        ("renamed", str(odd)),
        ("removed", str(tmp_path / "renamed.txt")),
        ("database", str(tmp_path / "shop.db")),
        ("connected", f"localhost:{port}"),
        ("started", "true"),
    ]
    assert noted(bench, 2).touched[2]["to"] == str(tmp_path / "renamed.txt")


def test_many_touches_are_counted(bench: Bench, tmp_path: Path) -> None:
    def body() -> None:
        for n in range(250):
            (tmp_path / f"{n}").touch()
            (tmp_path / "0").write_text("x")

    run_tool(body)
    touched = noted(bench, 2).touched
    assert len(touched) == 101 and touched[-1] == {"left_out": 150}
    assert touched[0]["times"] == 251


def test_a_tool_that_touches_nothing_is_told_from_others(bench: Bench, tmp_path: Path) -> None:
    @tracer.tool
    def looks() -> int:
        return Path(__file__).stat().st_size

    @tracer.tool
    def writes() -> None:
        (tmp_path / "x").write_text("x")

    @tracer.tool(effect="read")
    def declared() -> None: ...

    @tracer.tool
    def calls_writes() -> None:
        writes()

    @tracer.agent
    def agent() -> None:
        looks()
        writes()
        declared()
        calls_writes()

    agent()
    with bench.store as store:
        run = store.find_run("last")
        told = {
            step.n: is_untouched(store, run, step)
            for step in store.steps(run.id)
            if step.kind == "tool"
        }
    assert told == {2: True, 3: False, 4: False, 5: False, 6: False}


def test_threads_write_to_their_step_and_late_ones_to_what_encloses_it(bench: Bench) -> None:
    go = threading.Event()

    @tracer.agent
    def agent() -> None:
        def late() -> None:
            go.wait(10)
            print("late")

        threads: list[threading.Thread] = []

        @tracer.tool
        def work() -> None:
            early = threading.Thread(target=lambda: print("early"))
            early.start()
            early.join()
            threads.append(threading.Thread(target=late))
            threads[0].start()

        work()
        go.set()
        threads[0].join()

    agent()
    assert text_of(noted(bench, 2)) == "early\n"
    assert text_of(noted(bench, 1)) == "late\n"


def test_local_variables_of_the_users_frames(bench: Bench) -> None:
    def body() -> None:
        order, api_key, tokens = "A-1", SECRET, 4096
        rows = list(range(1_000_000))
        settings = {"password": "hunter2", "host": "db"}
        divide(order, len(rows) - len(rows), api_key, tokens, settings)

    def divide(order: str, by: int, *rest: Any) -> float:
        return len(order) / by

    run_tool(body)
    frames = noted(bench, 2).frames
    assert [frame["function"].rpartition(".")[2] for frame in frames][-2:] == ["body", "divide"]
    values = dict(frames[-2]["values"])
    assert values["order"] == "'A-1'" and values["tokens"] == "4096"
    assert values["api_key"] == "[redacted]"
    assert values["settings"] == "{'password': [redacted], 'host': 'db'}"
    assert values["rows"].startswith("[0, 1, 2") and values["rows"].endswith("more]")
    assert not any("/tracer/capture/" in frame["file"] for frame in frames)


def test_names_of_variables_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_MODE", "test")

    def body() -> None:
        assert os.environ["SHOP_MODE"] == "test"
        os.getenv("SHOP_REGION")
        os.environ.get("SHOP_PLAN")
        assert "SHOP_FLAG" not in os.environ
        with contextlib.suppress(KeyError):
            os.environ["SHOP_NONE"]
        dict(os.environ)
        os.environ.copy()
        assert {**os.environ}

    run_tool(body)
    found = noted(bench, OUTSIDE).environment
    assert found["variables"] == [
        "SHOP_FLAG", "SHOP_MODE", "SHOP_NONE", "SHOP_PLAN", "SHOP_REGION",
    ]  # fmt: skip
    assert found["packages"]["pytest"]
    assert "test" not in found["variables"]


def test_the_commit_and_whether_it_is_dirty(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        author = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        done = subprocess.run(
            ["git", *author, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    assert git.commit_of(str(tmp_path)) is None
    run("init", "-q", "-b", "trunk")
    (tmp_path / "agent.py").write_text("1")
    assert git.commit_of(str(tmp_path)) is None
    run("add", ".")
    run("commit", "-q", "-m", "x")
    head = run("rev-parse", "HEAD")
    expected = {"root": str(tmp_path), "commit": head, "branch": "trunk"}
    folder = tmp_path / "deep"
    folder.mkdir()
    assert git.commit_of(str(folder)) == expected
    run("pack-refs", "--all")
    assert git.commit_of(str(tmp_path)) == expected
    git.ask(str(tmp_path))
    assert git.dirty(str(tmp_path), 10) is False
    (tmp_path / "agent.py").write_text("2")
    git._asked.clear()
    git.ask(str(tmp_path))
    assert git.dirty(str(tmp_path), 10) is True
    run("worktree", "add", "-q", str(tmp_path / "other"), "-b", "side")
    found = git.commit_of(str(tmp_path / "other"))
    assert found is not None and (found["commit"], found["branch"]) == (head, "side")
    run("checkout", "-q", "--detach")
    assert git.commit_of(str(tmp_path)) == {"root": str(tmp_path), "commit": head}
    (tmp_path / ".git" / "HEAD").write_text("ref: ../../secret")
    assert git.commit_of(str(tmp_path)) is None


def test_switched_off(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tracer.init(capture=["http"])
    try:
        run_tool(lambda: print("unheard"))
    finally:
        tracer.init(capture=["http", "frameworks", "around"])
    assert noted(bench, 2) == Around() and noted(bench, OUTSIDE) == Around()
    assert "around" not in bench.run().environment
