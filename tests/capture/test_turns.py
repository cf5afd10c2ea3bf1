"""Ends of steps in several threads, and what the threads do with their answers after them."""

import threading
import time
from collections.abc import Callable
from itertools import count

import pytest

from tracer.capture import settling, turns
from tracer.capture.turns import Turns

Ended = tuple[int, bool]


def together(one_run: Turns, after: list[Callable[[Ended], None]]) -> list[Ended]:
    """Steps that end at once in a thread each, which then do this; their ends, in order."""
    at_once = threading.Barrier(len(after))
    ends: list[Ended] = []

    def one(then: Callable[[Ended], None]) -> None:
        at_once.wait(10)
        end = one_run.begin()
        ends.append(end)
        one_run.finish(end[0])
        then(end)
        one_run.went_on()

    threads = [threading.Thread(target=one, args=(then,)) for then in after]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return sorted(ends)


def order_of_use(threads: int = 6) -> list[int]:
    """Threads that compute for a while, the first longest, before they note their end's number."""
    seen: list[int] = []

    def work(end: Ended) -> None:
        sum(range(200_000 * (threads - end[0])))
        seen.append(end[0])

    ends = together(Turns(count(1).__next__), [work] * threads)
    assert [number for number, _ in ends] == list(range(1, threads + 1))
    return seen


def test_answers_are_used_in_the_order_of_the_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [1, 2, 3, 4, 5, 6]
    # On a starved machine a thread needs longer than a real program is held back for.
    monkeypatch.setattr(turns, "BUSY_SECONDS", 5.0)
    monkeypatch.setattr(turns, "LONGEST_SECONDS", 20.0)
    for _ in range(3):
        assert order_of_use() == wanted
    # The control: nobody is waited for.
    monkeypatch.setattr(settling.Runner, "has_settled", lambda *_: True)
    assert any(order_of_use() != wanted for _ in range(3))


def test_who_blocks_holds_up_nobody() -> None:
    woken = threading.Event()
    seen: list[str] = []

    def block(_: Ended) -> None:
        seen.append("blocks")
        woken.wait(10)
        seen.append("woken")

    def go_on(_: Ended) -> None:
        seen.append("goes on")
        if seen.count("goes on") == 3:
            woken.set()

    ends = together(Turns(count(1).__next__), [block, go_on, go_on, go_on])
    assert seen[-1] == "woken"
    assert [beside for _, beside in ends] == [False] * 4


def test_who_computes_for_long_is_not_waited_for_and_the_end_says_so() -> None:
    one_run = Turns(count(1).__next__)
    done, started = threading.Event(), threading.Event()

    def compute() -> None:
        number, _ = one_run.begin()
        one_run.finish(number)
        started.set()
        while not done.is_set():
            sum(range(1000))

    busy = threading.Thread(target=compute)
    busy.start()
    assert started.wait(10)
    time.sleep(0.01)  # longer than anybody is waited for
    try:
        number, beside = one_run.begin()
        one_run.finish(number)
        assert (number, beside) == (2, True)
    finally:
        done.set()
        busy.join(10)


def test_one_thread_never_waits_for_itself() -> None:
    one_run = Turns(count(1).__next__)
    for number in range(1, 50):
        assert one_run.begin() == (number, False)
        # As a generator that is collected in the middle of another end.
        if number % 7 == 0:
            continue
        one_run.finish(number)
