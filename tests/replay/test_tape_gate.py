"""Properties of matching and of order: random recordings, random re-executions of them."""

import asyncio
import random
import threading
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.capture import settling
from tracer.core.records import Slot, Step
from tracer.reexecution import gate as gates
from tracer.reexecution.gate import Gate
from tracer.reexecution.tape import SHIFT, Tape

KINDS = st.sampled_from(["model", "tool", "http", "step"])
PATHS = st.sampled_from(["", "t1", "t2", "t1/t1", "tool1"])
SLOTS = st.builds(Slot, PATHS, KINDS, st.integers(1, 12))
PRINTS = st.sampled_from(["b2:a", "b2:b", "b2:c"])


def step(n: int, slot: Slot, fingerprint: str, **more: Any) -> Step:
    values: dict[str, Any] = {
        "run_id": "r", "n": n, "id": f"s{n}", "parent": None, "kind": slot.kind, "name": "x",
        "status": "ok", "source": "live", "started_ns": n, "ended_ns": n + 1, "start_seq": 2 * n,
        "end_seq": 2 * n + 1, "slot": slot, "fingerprint": fingerprint, "summary": "",
    }  # fmt: skip
    return Step(**(values | more))


RECORDINGS = st.lists(st.tuples(SLOTS, PRINTS), unique_by=lambda pair: pair[0], max_size=14).map(
    lambda pairs: [step(n, slot, print_) for n, (slot, print_) in enumerate(pairs, 1)]
)
QUESTIONS = st.lists(st.tuples(SLOTS, PRINTS, st.booleans()), max_size=30)


@settings(max_examples=300, deadline=None)
@given(RECORDINGS, QUESTIONS)
def test_a_match_has_the_question_asked_and_is_given_once(
    steps: list[Step], questions: list[tuple[Slot, str, bool]]
) -> None:
    tape = Tape(steps)
    given_out = set[str]()
    for slot, fingerprint, write in questions:
        free = [s for s in steps if s.id not in given_out and s.fingerprint == fingerprint]
        free = [s for s in free if s.kind == slot.kind]
        match = tape.match(slot, fingerprint, write_tool=write)
        if match.how == "miss":
            # Nothing fits, or what fits is not certain enough for a tool that writes.
            assert not free or (write and len(free) > 1)
            assert match.step is None or match.step.slot == slot
            continue
        found = match.step
        assert found is not None and found in free
        here = next((s for s in free if s.slot == slot), None)
        assert (match.how == "exact") == (here is not None)
        if here is not None:
            assert found is here
        elif write:
            assert free == [found]
        if match.how == "shifted":
            assert found.slot.path == slot.path
            assert abs(found.slot.ordinal - slot.ordinal) <= SHIFT
        given_out.add(found.id)
    assert {s.id for s in tape.unused()} == {s.id for s in steps} - given_out
    assert tape.any_used == bool(given_out)


@settings(max_examples=100, deadline=None)
@given(RECORDINGS, st.randoms())
def test_the_same_questions_in_any_order_get_their_own_answers(
    steps: list[Step], order: random.Random
) -> None:
    tape = Tape(steps)
    asked = steps[:]
    order.shuffle(asked)
    for one in asked:
        assert one.fingerprint is not None
        match = tape.match(one.slot, one.fingerprint, write_tool=one.kind == "tool")
        assert (match.how, match.step) == ("exact", one)
    assert tape.unused() == []


def test_threads_share_a_tape_without_giving_anything_twice() -> None:
    steps = [step(n, Slot("t1", "model", n), "b2:a") for n in range(1, 200)]
    tape, taken, lock = Tape(steps), list[str](), threading.Lock()

    def take() -> None:
        for n in range(1, 200):
            match = tape.match(Slot("elsewhere", "model", n), "b2:a", write_tool=False)
            if match.step is not None:
                with lock:
                    taken.append(match.step.id)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == len(steps)


Branch = list[tuple[int, int, int]]  # (start, reply, end) of each step, in order


@st.composite
def branches(draw: st.DrawFn) -> list[Branch]:
    """Concurrent branches of sequential steps, their points interleaved at random."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    left = {branch: 3 * size for branch, size in enumerate(sizes)}
    points: dict[int, list[int]] = {branch: [] for branch in left}
    numbers = count(1)
    while left:
        branch = draw(st.sampled_from(sorted(left)))
        points[branch].append(next(numbers))
        left[branch] -= 1
        if not left[branch]:
            del left[branch]
    return [[(p[at], p[at + 1], p[at + 2]) for at in range(0, len(p), 3)] for p in points.values()]


def make_gate(recorded: list[Branch]) -> Gate:
    """A gate whose points are a microsecond apart."""
    return Gate((n, n * 1000) for branch in recorded for triple in branch for n in triple)


async def execute(gate: Gate, asked: list[Branch], seed: int) -> list[int]:
    """Go through the branches as tasks with work of random length; the order of what was seen."""
    seen: list[int] = []
    drawn = random.Random(seed)

    async def one(branch: Branch) -> None:
        for start, reply, end in branch:
            for _ in range(drawn.randrange(4)):
                await asyncio.sleep(0)
            gate.passed(start)
            await gate.wait_async(reply)
            seen.append(reply)
            if drawn.random() < 0.5:
                await asyncio.sleep(0)
            await gate.wait_async(end)
            seen.append(end)

    await asyncio.gather(*(one(branch) for branch in asked))
    return seen


@settings(max_examples=40, deadline=None)
@given(branches(), st.integers(0, 1000))
def test_answers_are_seen_in_the_recorded_order(recorded: list[Branch], seed: int) -> None:
    gate = make_gate(recorded)
    seen = asyncio.run(execute(gate, recorded, seed))
    assert seen == sorted(seen)
    assert gate.relaxed == 0


@settings(max_examples=25, deadline=None)
@given(branches(), st.integers(0, 1000), st.data())
def test_what_is_never_asked_for_blocks_nobody_for_ever(
    recorded: list[Branch], seed: int, data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.integers(0, len(recorded) - 1), max_size=2))
    cut = data.draw(st.integers(0, 3))
    asked = [branch for at, branch in enumerate(recorded) if at not in gone]
    asked = [branch[: max(1, len(branch) - cut)] for branch in asked]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates, "QUIET_SECONDS", 0.01)
        gate = make_gate(recorded)
        seen = asyncio.run(asyncio.wait_for(execute(gate, asked, seed), 20))
    expected = sorted(n for branch in asked for _, reply, end in branch for n in (reply, end))
    assert sorted(seen) == expected


@pytest.mark.parametrize("seed", range(6))
def test_threads_are_held_to_the_order_too(seed: int) -> None:
    drawn = random.Random(seed)
    order = list(range(8)) * 3
    drawn.shuffle(order)
    numbers, points = count(1), dict[int, list[int]]()
    for branch in order:
        points.setdefault(branch, []).append(next(numbers))
    recorded: list[Branch] = [[(p[0], p[1], p[2])] for p in points.values()]
    gate, seen, lock = make_gate(recorded), list[int](), threading.Lock()

    def one(steps: Branch) -> None:
        for start, reply, end in steps:
            gate.passed(start)
            for point in (reply, end):
                gate.wait(point)
                with lock:
                    seen.append(point)

    threads = [threading.Thread(target=one, args=(steps,)) for steps in recorded]
    drawn.shuffle(threads)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert seen == sorted(seen)
    assert gate.relaxed == 0


def order_of_busy_threads() -> list[int]:
    """Three threads that compute for a while with their answers before they use them."""
    gate, seen = make_gate([[(1, 4, 5)], [(2, 6, 7)], [(3, 8, 9)]]), list[int]()

    def one(start: int, reply: int, end: int) -> None:
        gate.passed(start)
        gate.wait(reply)
        gate.wait(end)
        sum(range(200_000 * (4 - start)))  # the first one longest
        seen.append(end)

    threads = [threading.Thread(target=one, args=(n, 2 * n + 2, 2 * n + 3)) for n in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert gate.relaxed == 0
    return seen


def test_a_thread_let_go_uses_its_answer_before_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(5):
        assert order_of_busy_threads() == [5, 7, 9]
    # The control: without a look at what the released thread does, they overtake each other.
    monkeypatch.setattr(settling.Runner, "has_settled", lambda *_: True)
    assert any(order_of_busy_threads() != [5, 7, 9] for _ in range(5))


def test_who_went_on_beside_a_busy_thread_does_so_again() -> None:
    done, seen = threading.Event(), list[str]()
    gate = Gate([(n, n) for n in range(1, 7)], beside=[5, 6])

    def busy() -> None:
        gate.passed(1)
        gate.wait(3)
        gate.wait(4)
        while not done.is_set():
            sum(range(1000))
        seen.append("busy")

    def beside() -> None:
        gate.passed(2)
        gate.wait(5)
        gate.wait(6)
        seen.append("beside")
        done.set()

    threads = [threading.Thread(target=target) for target in (busy, beside)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert seen == ["beside", "busy"]
    assert gate.relaxed == 0


def test_an_opened_gate_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "QUIET_SECONDS", 30.0)
    gate = make_gate([[(1, 2, 3)], [(4, 5, 6)]])
    waiting = threading.Thread(target=gate.wait, args=(6,))
    waiting.start()
    gate.open()
    waiting.join(5)
    assert not waiting.is_alive()
    gate.wait(3)
    gate.wait(None)
    gate.wait(99)
    assert gate.relaxed == 0


def test_a_step_served_whole_takes_its_inner_points_with_it() -> None:
    gate = make_gate([[(1, 8, 9)], [(2, 3, 4)], [(5, 6, 7)]])
    gate.passed(1)
    gate.skip([2, 3, 4, None])
    gate.skip([5, 6, 7])
    gate.wait(8)
    assert gate.relaxed == 0


def test_unused_steps_are_named_by_their_outermost() -> None:
    outer = step(1, Slot("", "tool", 1), "b2:a")
    inner = replace(step(2, Slot("tool1", "model", 1), "b2:b"), parent="s1")
    other = step(3, Slot("", "model", 1), "b2:c")
    tape = Tape([outer, inner, other])
    assert tape.unused() == [outer, other]
    assert tape.inside(outer) == [inner]
    tape.use(outer)
    assert tape.unused() == [inner, other]
