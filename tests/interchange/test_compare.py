"""Comparing runs: which steps belong together, what is a difference, and how long it takes."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.run_builder import RunBuilder, call, result, text
from tracer.core.messages import Message
from tracer.core.records import Slot, Step
from tracer.interchange.compare import Comparison, compare
from tracer.interchange.matching import match_steps
from tracer.store.reading import Store
from tracer.store.writing import StoreWriter


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[StoreWriter]:
    opened = StoreWriter(tmp_path / "traces.db")
    yield opened
    opened.close()


def _compare(writer: StoreWriter, a: str, b: str) -> Comparison:
    with Store.open(writer.path) as store:
        return compare(store, store.find_run(a), store.find_run(b))


def _states(found: Comparison) -> list[tuple[int | None, int | None, str]]:
    return [
        (row.a.n if row.a else None, row.b.n if row.b else None, row.state) for row in found.rows
    ]


def test_fork(store: Store, ids: dict[str, str]) -> None:
    found = compare(store, store.find_run(ids["failed"]), store.find_run(ids["fork"]))
    assert found.first_divergence == 4
    assert [row.state for row in found.rows] == [
        *["equal"] * 3, "edited", *["args"] * 5, "only_b",
    ]  # fmt: skip
    assert found.output[0].as_json()["new"].startswith("Order A-1042: refunded 24.00")
    assert ("tool", "issue_refund", 1, 1) in found.shape


def test_the_other_way_round(store: Store, ids: dict[str, str]) -> None:
    found = compare(store, store.find_run(ids["fork"]), store.find_run(ids["failed"]))
    assert found.first_divergence == 4
    assert found.rows[-1].state == "only_a"


def test_replay_and_itself_are_no_different(store: Store, ids: dict[str, str]) -> None:
    for other in ("replay", "failed"):
        found = compare(store, store.find_run(ids["failed"]), store.find_run(ids[other]))
        assert found.first_divergence is None
        assert {row.state for row in found.rows} == {"equal"}


def test_every_pair_of_runs_compares(store: Store, ids: dict[str, str]) -> None:
    runs = store.runs()
    for a in runs:
        for b in runs:
            found = compare(store, a, b)
            assert (found.first_divergence is None) == all(row.same for row in found.rows)
            assert [row.a.n for row in found.rows if row.a] == list(range(1, a.steps + 1))
            numbers = sorted(row.b.n for row in found.rows if row.b)
            assert numbers == list(range(1, b.steps + 1))


def _ask(run: RunBuilder, said: Message, history: list[Message] | None = None, **more: Any) -> None:
    run.model(history or [text("user", "go")], said, **more)


def test_time_cost_and_drawn_ids_are_no_difference(writer: StoreWriter) -> None:
    for key, call_id, cost, minute in (("a", "call_1", 0.1, 0), ("b", "call_xyz", 0.9, 5)):
        run = RunBuilder(writer, key, "agent", minute=minute)
        asked = call("pay", call_id, {"amount": 1})
        _ask(run, asked, cost=cost)
        run.tool("pay", {"amount": 1}, "ok")
        history = [text("user", "go"), asked, result(call_id, "ok")]
        _ask(run, text("assistant", "done"), history, cost=cost)
        run.end("ok")
    found = _compare(writer, *_ids("a", "b"))
    assert found.first_divergence is None


def _ids(*keys: str) -> list[str]:
    from tests.support.run_builder import run_id

    return [run_id(key) for key in keys]


def test_the_agent_around_a_difference_is_not_the_difference(writer: StoreWriter) -> None:
    for key, answer in (("a", "yes"), ("b", "no")):
        run = RunBuilder(writer, key, "agent")
        with run.agent("agent", {"q": 1}, output=answer):
            _ask(run, text("assistant", answer))
        run.end("ok", answer)
    found = _compare(writer, *_ids("a", "b"))
    assert _states(found) == [(1, 1, "equal"), (2, 2, "answer")]
    assert found.first_divergence == 2


def test_an_agent_that_makes_something_else_of_equal_answers(writer: StoreWriter) -> None:
    for key, answer in (("a", "yes"), ("b", "no")):
        run = RunBuilder(writer, key, "agent")
        with run.agent("agent", {"q": 1}, output=answer):
            _ask(run, text("assistant", "same"))
        run.end("ok", answer)
    assert _states(_compare(writer, *_ids("a", "b"))) == [(1, 1, "result"), (2, 2, "equal")]


def test_a_step_more_and_a_step_less(writer: StoreWriter) -> None:
    for key, tools in (("a", ["one", "two", "three"]), ("b", ["one", "new", "three"])):
        run = RunBuilder(writer, key, "agent")
        for tool in tools:
            run.tool(tool, {"x": 1}, "ok")
        run.end("ok")
    found = _compare(writer, *_ids("a", "b"))
    assert _states(found) == [
        (1, 1, "equal"), (2, None, "only_a"), (None, 2, "only_b"), (3, 3, "equal"),
    ]  # fmt: skip
    assert found.first_divergence == 2
    back = _compare(writer, *_ids("b", "a"))
    assert back.first_divergence == 2


def test_only_b_is_named_by_its_number_there(writer: StoreWriter) -> None:
    for key, count in (("a", 1), ("b", 3)):
        run = RunBuilder(writer, key, "agent")
        for number in range(count):
            run.tool("look", {"n": number}, "ok")
        run.end("ok")
    found = _compare(writer, *_ids("a", "b"))
    assert found.first_divergence == 2
    assert found.rows[1].a is None


def test_another_model_and_another_note_still_belong_together(writer: StoreWriter) -> None:
    for key, model in (("a", "gpt-4.1"), ("b", "gpt-5")):
        run = RunBuilder(writer, key, "agent")
        _ask(run, text("assistant", "hi"), model=model)
        run.note(f"asked {model}")
        run.end("ok")
    found = _compare(writer, *_ids("a", "b"))
    assert _states(found) == [(1, 1, "args"), (2, 2, "args")]
    assert found.rows[0].changes[0].as_json() == {"path": "model", "old": "gpt-4.1", "new": "gpt-5"}


def test_an_identical_substitute_is_no_difference(writer: StoreWriter) -> None:
    for key, source in (("a", "live"), ("b", "substituted")):
        run = RunBuilder(writer, key, "agent")
        _ask(run, text("assistant", "hi"), source=source)
        run.end("ok")
    assert _compare(writer, *_ids("a", "b")).first_divergence is None


def _step(run: str, n: int, name: str, print_: str, slot: Slot | None = None) -> Step:
    return Step(
        run, n, f"{run}{n}", None, "tool", name, "ok", "live", 0, 1, n, n,
        slot or Slot("", "tool", n), print_, name,
    )  # fmt: skip


def test_a_race_of_parallel_branches() -> None:
    slots = [Slot("t1", "tool", 1), Slot("t2", "tool", 1), Slot("", "tool", 1)]
    a = [_step("a", 1, "x", "x", slots[0]), _step("a", 2, "y", "y", slots[1])]
    b = [_step("b", 1, "y", "y", slots[1]), _step("b", 2, "x", "x", slots[0])]
    rows = match_steps(a, b)
    assert sorted((row.a.n, row.b.n) for row in rows if row.a and row.b) == [(1, 2), (2, 1)]
    assert sum(row.moved for row in rows) == 1


@pytest.mark.parametrize("changed", [range(0), range(3000, 10_000), range(0, 10_000, 2)])
def test_ten_thousand_steps_each(changed: range) -> None:
    other = set(changed)
    a = [_step("a", n, f"tool{n % 7}", f"{n}") for n in range(1, 10_001)]
    b = [
        _step("b", n, f"tool{n % 7}", f"{'new' if n in other else ''}{n}") for n in range(1, 10_001)
    ]
    began = time.process_time()
    rows = match_steps(a, b)
    # 0.3 s of the processor here; a matching that compares all with all takes minutes.
    assert time.process_time() - began < 3
    assert sum(row.a is not None and row.b is not None for row in rows) > 9_900
