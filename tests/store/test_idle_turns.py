"""When the idle hook has its turn: never in an agent's way, and never not at all."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from tracer.store.writer import WriteQueue
from tracer.store.writing import StoreWriter


def nothing(_: StoreWriter) -> None:
    """A job that writes nothing."""


class Hook:
    """An idle hook that always has one thing to do, and says when it did."""

    def __init__(self) -> None:
        self.turns = 0
        self.had_one = threading.Event()

    def __call__(self, _: StoreWriter) -> bool:
        self.turns += 1
        self.had_one.set()
        return False


def test_after_a_moment_of_quiet(make: Callable[..., WriteQueue], path: Path) -> None:
    hook = Hook()
    queue = make(path, idle=hook)
    assert queue.put_and_wait(nothing, 10)
    assert hook.had_one.wait(5)


def test_at_once_where_nobody_waited(make: Callable[..., WriteQueue], path: Path) -> None:
    hook = Hook()
    queue = make(path, idle=hook)
    queue.put(nothing)
    assert hook.had_one.wait(5)


def test_not_between_jobs_that_follow_each_other(
    make: Callable[..., WriteQueue], path: Path
) -> None:
    hook = Hook()
    queue = make(path, idle=hook)
    assert queue.put_and_wait(nothing, 10)
    assert hook.had_one.wait(5)
    before, hurried = hook.turns, 0
    for _ in range(40):
        began = time.monotonic()
        assert queue.put_and_wait(nothing, 10)
        hurried += time.monotonic() - began < 0.002
    # On a busy machine some jobs come late, and the hook had its turn then.
    assert hook.turns - before <= 40 - hurried + 2


def test_sometimes_all_the_same(make: Callable[..., WriteQueue], path: Path) -> None:
    hook = Hook()
    queue = make(path, idle=hook)
    for _ in range(400):
        assert queue.put_and_wait(nothing, 10)
    assert hook.turns >= 5
