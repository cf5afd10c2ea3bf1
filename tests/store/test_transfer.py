"""A run taken out as records and put into another database is the same run."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.store.build import (
    model_start,
    reply,
    request,
    run_end,
    run_id,
    run_start,
    split,
    step_end,
    step_start,
    used,
)
from tracer.core.chain import ROOT, BodySplitter
from tracer.core.records import ErrorInfo, Step
from tracer.store.failures import BadRecord
from tracer.store.links import MissingBase
from tracer.store.reading import Store
from tracer.store.writes import Conversation, Noted, RunEnd, RunStart, StepEnd, StepStart, Value
from tracer.store.writing import StoreWriter

RUN = run_id(1)


@pytest.fixture
def source(writer: StoreWriter, store: Store) -> Store:
    splitter = BodySplitter()
    writer.start_run(run_start(input=Value(b'"q"'), parent_run=run_id(5), fork={"step": 2}))
    history: list[Any] = []
    for n in range(1, 6):
        history.append({"role": "user", "content": f"退款 {n}"})
        asked = request(splitter, history)[0]
        writer.start_step(
            model_start(n, input=asked, search_text=f"退款 {n}", detail={"a": n}, model="m")
        )
        said = reply(b"data: ", str(n).encode(), failure={"type": "E"}, complete=False)
        writer.end_step(
            step_end(n, output=said, output_messages=b"[]", usage=used(n), cost_usd=0.5,
                     search_text="came", detail={"b": n}, fidelity="exact", summary="done")
        )  # fmt: skip
    body = split(b'{"messages": ["x"]}')
    writer.start_step(model_start(6, input=Conversation(body)))
    writer.end_step(step_end(6, status="error", output=None, error=ErrorInfo("E", "m")))
    writer.start_step(step_start(7))
    writer.end_step(step_end(7, diverged=True))
    writer.start_step(step_start(8, input=None))  # never ended
    writer.add_noted(Noted(RUN, 0, "printed", b"[1]"))
    writer.add_noted(Noted(RUN, 1, "logs", b"[2]"))
    writer.add_noted(Noted(RUN, 1, "locals", b"[3]"))
    writer.end_run(run_end(output=Value(b"1"), warnings=("w",), divergences=({"n": 1},)))
    return store


def copy(source: Store, target: Path, **start: Any) -> Store:
    """What an importer does."""
    writer = StoreWriter(target)
    writer.begin()
    for exact, parent, data in source.links(RUN):
        assert writer.add_link(parent, data) == exact
    for record in source.writes(RUN):
        match record:
            case RunStart():
                writer.start_run(dataclasses.replace(record, **start))
            case StepStart():
                writer.start_step(record)
            case StepEnd():
                writer.end_step(record)
            case Noted():
                writer.add_noted(record)
            case RunEnd():
                writer.end_run(record)
    writer.commit()
    writer.close()
    return Store.open(target)


def payloads(store: Store, step: Step) -> tuple[object, ...]:
    return (
        step,
        store.request(step),
        store.reply(step),
        store.value(step, "input"),
        store.value(step, "output"),
        store.conversation(step),
        store.output_messages(step),
        store.message_links(step),
        store.split_body(step),
    )


def everything(store: Store) -> list[object]:
    run = store.find_run(RUN)
    words = ("came", "退款", "look_up", "chat", '"退款 3"')
    return [
        run,
        store.run_value(RUN, "input"),
        store.run_value(RUN, "output"),
        *(payloads(store, step) for step in store.steps(RUN)),
        *(store.search(RUN, word) for word in words),
        store.around(RUN, 0),
        store.around(RUN, 1),
    ]


def test_a_copy_is_the_same(source: Store, tmp_path: Path) -> None:
    with copy(source, tmp_path / "copy.db") as other:
        assert everything(other) == everything(source)
        again = copy(other, tmp_path / "again.db")
        assert list(again.writes(RUN)) == list(source.writes(RUN))
        again.close()


def test_links_come_once_and_parents_first(source: Store) -> None:
    seen = {ROOT}
    for exact, parent, _ in source.links(RUN):
        assert parent in seen and exact not in seen
        seen.add(exact)
    assert len(seen) == 1 + 5 + 1


def test_links_of_other_runs_stay_behind(writer: StoreWriter, source: Store) -> None:
    writer.start_run(run_start(2))
    writer.start_step(model_start(1, 2, input=request(BodySplitter(), ["private"])[0]))
    assert all(b"private" not in data for _, _, data in source.links(RUN))


def test_an_import_is_marked_as_such(source: Store, tmp_path: Path) -> None:
    with copy(source, tmp_path / "copy.db", origin="imported") as other:
        run = other.find_run(RUN)
        assert (run.origin, "process" in run.environment) == ("imported", False)
        assert other.step(RUN, 8).status == "interrupted"


def test_a_run_that_never_ended_has_no_end(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    writer.start_step(step_start())
    kinds = [type(record).__name__ for record in store.writes(RUN)]
    assert kinds == ["RunStart", "StepStart"]


def test_a_second_import_is_refused(source: Store, tmp_path: Path) -> None:
    copy(source, tmp_path / "copy.db").close()
    with pytest.raises(BadRecord):
        copy(source, tmp_path / "copy.db")


def test_a_link_is_stored_under_its_own_hash_only(writer: StoreWriter) -> None:
    first = writer.add_link(ROOT, b'"a"')
    assert writer.add_link(ROOT, b'"a"') == first
    assert writer.add_link(first, b',"b"') != writer.add_link(ROOT, b',"b"')
    with pytest.raises(MissingBase):
        writer.add_link(b"\1" * 16, b'"a"')
    with pytest.raises(BadRecord):
        writer.add_link(ROOT, b"not json")


def test_a_link_has_the_hashes_of_a_split(writer: StoreWriter, store: Store) -> None:
    body = split(b'{"messages": [ {"b":1, "a":1.50} , "\xc3\xa9"]}')
    parent = ROOT
    for link in body.new:
        parent = writer.add_link(parent, link.data)
        assert parent == link.exact
    writer.start_run(run_start())
    base = dataclasses.replace(body, base=parent, base_count=2, new=())
    writer.start_step(model_start(1, input=Conversation(base)))
    links = store.message_links(store.step(RUN, 1))
    assert links == [(link.exact, link.canonical) for link in body.new]
