"""Runs and steps as rows: totals, merges, and what is refused."""

import dataclasses
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.build import (
    patient,
    run_end,
    run_id,
    run_start,
    step_end,
    step_start,
)
from tracer.core.records import ErrorInfo, Run, Slot, Step, Usage
from tracer.errors import NotFoundError
from tracer.store.failures import BadRecord
from tracer.store.reading import Store
from tracer.store.writes import RunStart, StepStart, Value
from tracer.store.writing import StoreWriter

RUN = run_id(1)
# Everything a database could choke on: lone surrogates, NUL, quotes, scripts, bidi marks.
ODD = "\ud800 \0 '\" <script> é 日本 \u202e \U0001f600"
SEEN = ODD.replace("\ud800", "\\ud800")


def test_a_run_comes_back(writer: StoreWriter, store: Store) -> None:
    error = ErrorInfo("pkg.Broken", "why", "Traceback …")
    writer.start_run(
        run_start(
            name="support",
            input=Value(b'{"question": "Where is  it?", "n": 3, "none": null}'),
            pid=4711,
            parent_run=run_id(9),
            fork={"step": 4, "kind": "text"},
            entry={"kind": "module", "argv": ["a", "\ud800"]},
            environment={"python": "3.11", "process": "other"},
            origin="imported",
        )
    )
    running = store.find_run(RUN)
    assert (running.status, running.ended_ns, running.output_text) == ("interrupted", None, "")
    writer.end_run(run_end(status="error", error=error, output=Value(b'"so"'), warnings=("w",)))
    assert store.find_run(RUN) == Run(
        id=RUN,
        name="support",
        status="error",
        started_ns=10**9,
        ended_ns=2 * 10**9,
        error=error,
        usage=Usage(),
        cost_usd=None,
        model_calls=0,
        tool_calls=0,
        steps=0,
        parent_run=run_id(9),
        fork={"step": 4, "kind": "text"},
        entry={"kind": "module", "argv": ["a", "\ud800"]},
        origin="imported",
        pid=4711,
        input_text="Where is it? 3",
        output_text="so",
        warnings=("w",),
        environment={"python": "3.11", "process": "other"},
    )


def test_a_step_comes_back(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    start = step_start(
        parent="00ff",
        kind="model",
        slot=Slot("agent1/tool2", "model", 3),
        source="substituted",
        fingerprint="b2:00",
        effect="read",
        api="openai.chat",
        model="asked",
        provider="openai",
        matched_step="aa",
        callsite="agent.py:3 main",
        detail={"a": 1, "both": "start", "odd": "\ud800"},
    )
    writer.start_step(start)
    end = step_end(
        status="cancelled",
        error=ErrorInfo("E", "m"),
        usage=Usage(1, 2, 3, 4, 5),
        cost_usd=0.5,
        ttft_ms=1.5,
        model="answered",
        fidelity="lossy",
        diverged=True,
        summary="done",
        detail={"both": None, "b": [1]},
    )
    writer.end_step(end)
    assert store.step(RUN, 1) == Step(
        run_id=RUN,
        n=1,
        id=start.id,
        parent="00ff",
        kind="model",
        name="look_up",
        status="cancelled",
        source="substituted",
        started_ns=start.started_ns,
        ended_ns=end.ended_ns,
        start_seq=2,
        end_seq=3,
        slot=start.slot,
        fingerprint="b2:00",
        summary="done",
        effect="read",
        model="answered",
        provider="openai",
        api="openai.chat",
        usage=Usage(1, 2, 3, 4, 5),
        cost_usd=0.5,
        ttft_ms=1.5,
        error=ErrorInfo("E", "m"),
        fidelity="lossy",
        diverged=True,
        matched_step="aa",
        callsite="agent.py:3 main",
        detail={"a": 1, "both": None, "b": [1], "odd": "\ud800"},
    )


def test_the_end_leaves_what_it_does_not_say(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    writer.start_step(step_start(model="m", summary="start", detail={"a": 1}))
    writer.end_step(step_end())
    step = store.step(RUN, 1)
    assert (step.model, step.summary, step.detail, step.usage) == ("m", "start", {"a": 1}, None)


def test_odd_text_is_kept_or_escaped(writer: StoreWriter, store: Store) -> None:
    error = ErrorInfo(ODD, ODD, ODD)
    writer.start_run(run_start(name=ODD, fork={ODD: ODD}, input=Value(b'"\\ud800 x"')))
    writer.start_step(
        step_start(
            name=ODD, summary=ODD, callsite=ODD, model=ODD, provider=ODD, search_text=ODD,
            detail={ODD: ODD}, slot=Slot(ODD, "tool", 1),
        )
    )  # fmt: skip
    writer.end_step(step_end(error=error, summary=ODD, search_text=ODD))
    writer.end_run(run_end(error=error, warnings=(ODD,), output=Value(b'"\\udfff"')))
    run, step = store.find_run(RUN), store.step(RUN, 1)
    assert (run.name, run.fork, run.error, run.warnings) == (SEEN, {ODD: ODD}, error, (ODD,))
    assert (step.name, step.summary, step.callsite, step.slot.path) == (SEEN,) * 4
    assert (step.detail, step.error) == ({ODD: ODD}, error)
    assert store.search(RUN, "script") == [1]


def test_warnings_and_divergences_add_up(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    writer.update_run(RUN, warnings=["early", "both"], divergences=[{"n": 1}])
    writer.end_run(run_end(warnings=("both", "late"), divergences=({"n": 1}, {"n": 2})))
    run = store.find_run(RUN)
    assert run.warnings == ("early", "both", "late")
    assert run.divergences == ({"n": 1}, {"n": 2})


def test_update_replaces_what_is_given(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start(fork={"step": 1}))
    writer.update_run(RUN, entry={"kind": "none"}, name="renamed", warnings=[])
    run = store.find_run(RUN)
    assert (run.name, run.entry, run.fork) == ("renamed", {"kind": "none"}, {"step": 1})
    writer.update_run(RUN, fork={"step": 2}, environment={"a": 1})
    run = store.find_run(RUN)
    assert (run.fork, run.environment) == ({"step": 2}, {"a": 1})


def test_what_never_started_cannot_end(writer: StoreWriter) -> None:
    with pytest.raises(NotFoundError, match="no run"):
        writer.end_run(run_end())
    with pytest.raises(NotFoundError, match="no run"):
        writer.update_run(RUN, name="x")
    with pytest.raises(NotFoundError, match="no run"):
        writer.start_step(step_start())
    writer.start_run(run_start())
    with pytest.raises(NotFoundError, match="has no step 1"):
        writer.end_step(step_end())
    with pytest.raises(NotFoundError, match="has no step 1"):
        writer.set_cost(RUN, 1, 0.1)


def test_nothing_happens_twice(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    writer.start_step(step_start(kind="tool"))
    writer.end_step(step_end())
    before = store.find_run(RUN), store.steps(RUN)
    again: Callable[[], None]
    for again in (
        lambda: writer.start_run(run_start()),
        lambda: writer.start_step(step_start(kind="tool")),
        lambda: writer.start_step(step_start(2, id=step_start(1).id)),
        lambda: writer.end_step(step_end(status="error")),
    ):
        with pytest.raises(BadRecord):
            again()
    assert (store.find_run(RUN), store.steps(RUN)) == before


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "odd"},
        {"source": "guess"},
        {"effect": "none"},
        {"n": 0},
        {"n": 1 << 70},
        {"started_ns": "soon"},
        {"id": None},
        {"id": "\ud800"},
    ],
    ids=str,
)
def test_words_the_schema_does_not_know_are_refused(
    writer: StoreWriter, store: Store, change: dict[str, Any]
) -> None:
    writer.start_run(run_start())
    with pytest.raises(BadRecord, match=r"a record does not fit into .*; check what wrote it"):
        writer.start_step(dataclasses.replace(step_start(), **change))
    assert (store.steps(RUN), store.find_run(RUN).steps) == ([], 0)


def test_a_savepoint_that_fails_leaves_the_rest(writer: StoreWriter, store: Store) -> None:
    writer.begin()
    with writer.savepoint():
        writer.start_run(run_start(1, name="kept"))
    with pytest.raises(KeyError), writer.savepoint():
        writer.start_run(run_start(2, name="phantom"))
        raise KeyError
    with writer.savepoint():
        writer.start_step(step_start(1, search_text="real"))
    assert store.runs() == []  # nothing is seen before the commit
    writer.commit()
    assert [run.name for run in store.runs()] == ["kept"]
    assert store.search(RUN, "real") == [1]
    # The other's words are not found under the row that took its place.
    assert (store.search(RUN, "phantom"), store.runs(search="phantom")) == ([], [])


def test_rollback_undoes_the_index_too(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    writer.begin()
    writer.start_step(step_start(1, search_text="phantom"))
    writer.rollback()
    writer.rollback()
    writer.start_step(step_start(1, search_text="needle"))
    assert (store.search(RUN, "needle"), store.search(RUN, "phantom")) == ([1], [])


numbers = count(1)
records: st.SearchStrategy[RunStart | StepStart] = st.sampled_from([run_start(), step_start()])


@patient
@given(st.data())
def test_any_field_of_any_odd_value_is_stored_or_refused(
    writer: StoreWriter, data: st.DataObject
) -> None:
    """Whatever is wrong with a record, it ends in a sentence and the database stays whole."""
    record = data.draw(records)
    name = data.draw(st.sampled_from([field.name for field in dataclasses.fields(record)]))
    value = data.draw(
        st.sampled_from(
            [None, -1, 1 << 80, 1.5, float("nan"), "", ODD, b"\xff", [], {}, {"a": ODD}, object()]
        )
    )
    own = f"{next(numbers):032x}"
    change: dict[str, Any] = {"run_id": own, name: value}
    fresh = dataclasses.replace(record, **change)
    try:
        if isinstance(fresh, RunStart):
            writer.start_run(fresh)
        else:
            writer.start_run(run_start(run_id=own))
            writer.start_step(fresh)
    except (BadRecord, NotFoundError):
        pass
    except (AttributeError, AssertionError):
        pass  # not a record at all: the type checker's business
    with closing(sqlite3.connect(writer.path)) as conn:
        assert conn.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert conn.execute("pragma foreign_key_check").fetchall() == []
        orphans = conn.execute(
            "select count(*) from step where run not in (select key from run)"
        ).fetchone()
        assert orphans == (0,)


def test_what_lists_show_can_be_set(writer: StoreWriter, store: Store) -> None:
    """A program's own input is its arguments; what its agent was asked says more."""
    writer.start_run(run_start(1, input=Value(b'["--fast"]')))
    writer.start_run(run_start(2, input=Value(b'["--fast"]'), listed="first line"))
    writer.update_run(RUN, input_text="what\n  was asked " + "x" * 300)
    shown = {run.id: run.input_text for run in store.runs()}
    assert shown[RUN] == "what was asked " + "x" * 185
    assert shown[run_id(2)] == "first line"
