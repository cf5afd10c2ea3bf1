import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tracer.store import liveness
from tracer.store.liveness import SILENCE_NS, is_alive, process_mark, still_running


@pytest.fixture
def child() -> Any:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_this_process_lives() -> None:
    mark = process_mark(os.getpid())
    assert mark["pid"] == os.getpid()
    assert is_alive(mark) is True


def test_a_killed_process_does_not(child: Any) -> None:
    mark = process_mark(child.pid)
    assert is_alive(mark) is True
    child.kill()
    time.sleep(0.1)
    assert is_alive(mark) is False  # a zombie, until someone asks for its status
    child.wait()
    assert is_alive(mark) is False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="start times are in /proc")
def test_another_process_of_the_same_number_is_another() -> None:
    mark = process_mark(os.getpid())
    assert is_alive({**mark, "start": mark["start"] - 1}) is False


@pytest.mark.parametrize(
    ("change", "alive"),
    [
        ({"boot": "another"}, False),
        ({"host": "another"}, None),
        ({"namespace": "pid:[1]"}, None),
        ({"host": "another", "boot": "another"}, None),
        ({"pid": "7"}, None),
        ({"pid": -1}, None),
        ({"pid": 1 << 40}, None),
    ],
    ids=str,
)
def test_what_can_be_seen_from_here(change: dict[str, Any], alive: bool | None) -> None:
    assert is_alive(process_mark(os.getpid()) | change) is alive


def test_an_empty_mark_says_nothing() -> None:
    assert is_alive({}) is None


def test_without_proc_the_number_is_asked_for(monkeypatch: pytest.MonkeyPatch, child: Any) -> None:
    monkeypatch.setattr(liveness, "_fields", lambda pid: None)
    mark = process_mark(child.pid)
    assert "start" not in mark
    assert is_alive(mark) is True
    child.kill()
    child.wait()
    assert is_alive(mark) is False


def test_a_name_with_parentheses_and_spaces() -> None:
    """The fields behind the name are found whatever the program calls itself."""
    if not Path("/proc/self/comm").exists():
        pytest.skip("names are in /proc")
    code = "open('/proc/self/comm', 'w').write(') Z 1 ('); print(1, flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    mark = process_mark(process.pid)
    assert isinstance(mark["start"], int)
    assert is_alive(mark) is True
    process.kill()
    process.communicate()


def test_silence_decides_where_nothing_can_be_seen() -> None:
    far = process_mark(os.getpid()) | {"host": "another"}
    now = time.time_ns()
    assert still_running("local", far, now)
    assert still_running("local", None, now)
    assert not still_running("local", far, now - SILENCE_NS - 1)
    assert not still_running("local", None, now - SILENCE_NS - 1)


def test_where_it_can_be_seen_silence_means_nothing() -> None:
    assert still_running("local", process_mark(os.getpid()), 0)
    assert not still_running("local", {**process_mark(os.getpid()), "boot": ""}, time.time_ns())
    assert not still_running("imported", process_mark(os.getpid()), time.time_ns())
