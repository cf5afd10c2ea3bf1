"""Sums over many runs, against a database in which one can count."""

import os
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.build import patient, run_end, run_start
from tests.support.run_builder import EPOCH_NS, RunBuilder, run_id, text
from tracer.core.overview import Overview, OverviewGroup
from tracer.core.records import ErrorInfo, Source, Usage
from tracer.core.runquery import RunQuery, parse
from tracer.store import connection, spans
from tracer.store.labels import Labels
from tracer.store.overview import overview
from tracer.store.reading import Store
from tracer.store.sums import middle
from tracer.store.writing import StoreWriter

REFUSED = ErrorInfo("shop.RefundRefused", "not today")
DAY = 24 * 60  # minutes


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Four runs on three days; the second loops and fails, the third costs nobody knows what."""
    writer = StoreWriter(tmp_path_factory.mktemp("overview") / "traces.db")
    for n in range(4):
        minute = [0, 0, DAY, 3 * DAY][n]
        parent = run_id("r1") if n == 3 else None
        run = RunBuilder(writer, f"r{n}", f"run {n}", minute=minute, parent_run=parent)
        failed = n == 1
        with run.agent("planner", {"n": n}, error=REFUSED if failed else None):
            cost = None if n == 2 else 0.25
            run.model([text("user", "?")], text("assistant", "!"), usage=Usage(100, 10), cost=cost)
            with run.agent("payer", {}):
                run.model([text("user", "pay")], text("assistant", "ok"), usage=Usage(7, 1), cost=1)
            source: Source = "recorded" if n == 3 else "live"
            for at in range(4 if failed else 2):
                run.tool("look", {"at": 1}, at, source=source)
            run.tool("refund", {"n": n}, error=REFUSED if n in (0, 1) else None, source=source)
        run.end("error" if failed else "ok", error=REFUSED if failed else None)
    writer.close()
    with Store.open(writer.path) as store:
        yield store


def named(groups: tuple[OverviewGroup, ...]) -> dict[str | None, OverviewGroup]:
    return {group.name: group for group in groups}


def bounded(store: Store, *, runs: int = 100, steps: int = 100) -> Overview:
    with closing(connection.connect(store.path, readonly=True)) as conn:
        return overview(conn, RunQuery(), most_runs=runs, most_steps=steps)


def test_everything_is_added_up(filled: Store) -> None:
    whole = filled.overview().whole
    assert (whole.runs, whole.failed) == (4, 1)
    assert whole.cost_usd == pytest.approx(3 * 0.25 + 4)
    assert whole.unpriced == 1
    assert (whole.input_tokens, whole.output_tokens) == (428, 44)
    times = sorted(run.duration_ms or 0 for run in filled.runs())
    assert (whole.median_ms, whole.p95_ms) == (times[1], times[3])


def test_each_day_has_its_own(filled: Store) -> None:
    found = filled.overview()
    assert [span.runs for span in found.spans if span.runs] == [2, 1, 1]
    assert [span.failed for span in found.spans if span.runs] == [1, 0, 0]
    priced = [span.cost_usd for span in found.spans if span.runs]
    assert priced == pytest.approx([2.5, 1, 1.25])
    empty = next(span for span in found.spans if not span.runs)
    assert (empty.cost_usd, empty.input_tokens, empty.median_ms) == (None, None, None)
    assert sum(span.unpriced for span in found.spans) == 1
    assert all(a.end_ns == b.start_ns for a, b in pairwise(found.spans))


def test_the_filter_chooses_the_runs(filled: Store) -> None:
    assert filled.overview(parse("status:failed")).whole.runs == 1
    assert filled.overview(parse('name:"run 2"')).whole.cost_usd == 1
    none = filled.overview(parse("tool:nobody"))
    assert (none.whole.runs, none.whole.cost_usd, none.spans, none.tools) == (0, None, (), ())


def test_an_agent_has_its_own_calls(filled: Store) -> None:
    agents = named(filled.overview().agents)
    planner, payer = agents["planner"], agents["payer"]
    assert (planner.runs, planner.calls, planner.failed) == (4, 4, 1)
    assert (planner.cost_usd, planner.unpriced, planner.input_tokens) == (0.75, 1, 400)
    assert (payer.cost_usd, payer.unpriced, payer.input_tokens) == (4, 0, 28)
    assert payer.median_ms == 750


def test_models_and_tools(filled: Store) -> None:
    found = filled.overview()
    (model,) = found.models
    assert (model.calls, model.runs, model.cost_usd, model.unpriced) == (8, 4, 4.75, 1)
    tools = named(found.tools)
    assert (tools["look"].calls, tools["look"].failed) == (8, 0)  # without the recorded ones
    assert (tools["refund"].calls, tools["refund"].failed) == (3, 2)
    assert tools["look"].cost_usd is None


def test_failing_tools_show_the_newest_failure(filled: Store) -> None:
    (refund,) = filled.overview().failing
    assert refund.latest_failure is not None
    assert refund.latest_failure.error == "RefundRefused: not today"
    newest = filled.runs(query="has:error")[0]
    assert refund.latest_failure.run_id == newest.id
    assert filled.step(newest.id, refund.latest_failure.n).status == "error"


def test_a_loop_is_three_equal_calls_in_one_run(filled: Store) -> None:
    (loop,) = filled.overview().loops
    assert (loop.times, loop.step.name, loop.step.run_name) == (4, "look", "run 1")
    first = next(step for step in filled.steps(loop.step.run_id) if step.name == "look")
    assert loop.step.n == first.n


def test_slow_and_costly_steps(filled: Store) -> None:
    found = filled.overview()
    assert [step.cost_usd for step in found.costliest] == [1, 1, 1, 1, 0.25, 0.25, 0.25]
    assert len(found.slowest) == 10
    assert {step.kind for step in found.slowest} <= {"model", "tool"}


def test_what_is_looked_at_is_bounded(filled: Store) -> None:
    assert (filled.overview().all_runs, filled.overview().all_steps) == (True, True)
    few = bounded(filled, runs=2, steps=9)
    assert (few.all_runs, few.whole.runs) == (False, 2)
    assert (few.all_steps, few.steps, few.step_runs) == (False, 9, 2)
    assert named(few.agents)["planner"].runs == 2
    assert bounded(filled, steps=1).steps == 1


def test_the_connection_is_as_it_was(filled: Store) -> None:
    assert filled.overview() == filled.overview()


def test_running_and_deleted_runs(path: Path, writer: StoreWriter, store: Store) -> None:
    for n in range(1, 4):
        writer.start_run(run_start(n, pid=os.getpid() if n == 3 else None))
        if n < 3:
            writer.end_run(run_end(n))
    assert store.overview().whole.runs == 3
    Labels(path).delete([store.runs()[-1].id])
    assert store.overview().whole.runs == 2
    assert store.overview(parse("is:deleted")).whole.runs == 1


@patient
@given(st.integers(-(1 << 62), (1 << 62)), st.integers(0, 1 << 62))
def test_any_times_lie_within_few_parts(first: int, width: int) -> None:
    last = first + width
    edges = spans.edges(first, last)
    assert 2 <= len(edges) <= 160
    assert edges == sorted(set(edges))
    if first >= 0 and last < 4_000_000_000 * 10**9:
        assert edges[0] <= first
        assert last < edges[-1]


def test_parts_are_days_and_hours_of_this_place() -> None:
    hour = 3600 * 10**9
    assert {b - a for a, b in pairwise(spans.edges(EPOCH_NS, EPOCH_NS + 3 * hour))} == {hour}
    assert len(spans.edges(EPOCH_NS, EPOCH_NS + 29 * 24 * hour)) == 31
    assert len(spans.edges(EPOCH_NS, EPOCH_NS + 300 * 24 * hour)) < 50


def test_the_median_of_few() -> None:
    assert middle([]) == (None, None)
    assert middle([2_000_000]) == (2, 2)
    assert middle([n * 10**6 for n in range(1, 101)]) == (50, 95)


def test_hostile_times_and_counts_are_only_shown_wrong(
    writer: StoreWriter, store: Store, path: Path
) -> None:
    for n, started in enumerate((-(1 << 62), 0, (1 << 62)), 1):
        writer.start_run(run_start(n, started_ns=started, name="\x00'; drop table run; --"))
        writer.end_run(run_end(n, ended_ns=5))
    with closing(connection.connect(path)) as conn:
        conn.execute(f"update run set input_tokens = {(1 << 63) - 1}")
    found = store.overview()
    assert found.whole.runs == 3
    assert sum(span.runs for span in found.spans) == 3
