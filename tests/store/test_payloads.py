"""What was given comes back byte for byte, and is stored once."""

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.build import (
    HEADERS,
    model_start,
    patient,
    reply,
    request,
    run_end,
    run_start,
    split,
    step_end,
)
from tracer.core.chain import ROOT, BodySplitter
from tracer.core.records import Step
from tracer.store.links import MissingBase
from tracer.store.reading import Store
from tracer.store.writes import Conversation, Reply, Request, Value
from tracer.store.writing import StoreWriter

counter = iter(range(1, 1_000_000))


def count(store: Store, table: str) -> int:
    conn = sqlite3.connect(store.path)
    (rows,) = conn.execute(f"select count(*) from {table}").fetchone()
    conn.close()
    return int(rows)


def written(writer: StoreWriter, store: Store, given: Any, came: Any = None, **end: Any) -> Step:
    """A step with these payloads, read back; its run is made when missing."""
    if not store.runs():
        writer.start_run(run_start())
    n = next(counter)
    writer.start_step(model_start(n, id=f"{n:016x}", input=given))
    writer.end_step(step_end(n, output=came, **end))
    return store.step(run_start().run_id, n)


header_lists = st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6)), max_size=4).map(tuple)


@patient
@given(body=st.binary(max_size=80), headers=header_lists, url=st.text(max_size=20))
def test_any_request_comes_back(
    writer: StoreWriter, store: Store, body: bytes, headers: Any, url: str
) -> None:
    step = written(writer, store, Request("PUT", url, headers, split(body)))
    sent = store.request(step)
    assert sent is not None
    assert (sent.method, sent.url, sent.headers, sent.body) == ("PUT", url, headers, body)
    assert (store.value(step, "input"), store.conversation(step)) == (None, None)


@patient
@given(
    chunks=st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 10**9)), max_size=6),
    headers=header_lists,
    complete=st.booleans(),
    failure=st.none() | st.fixed_dictionaries({"type": st.text(), "message": st.text()}),
)
def test_any_reply_comes_back(
    writer: StoreWriter,
    store: Store,
    chunks: list[tuple[bytes, int]],
    headers: Any,
    complete: bool,
    failure: Any,
) -> None:
    came = Reply(
        status=0 if failure else 200,
        headers=headers,
        chunks=tuple(chunk for chunk, _ in chunks),
        times_us=tuple(time for _, time in chunks),
        complete=complete,
        failure=failure,
    )
    step = written(writer, store, None, came)
    assert store.reply(step) == came
    assert store.value(step, "output") is None


@patient
@given(data=st.binary(max_size=600), messages=st.none() | st.binary(max_size=30))
def test_any_value_comes_back(
    writer: StoreWriter, store: Store, data: bytes, messages: bytes | None
) -> None:
    step = written(writer, store, Value(data), Value(data[::-1]), output_messages=messages)
    assert store.value(step, "input") == data
    assert store.value(step, "output") == data[::-1]
    assert store.output_messages(step) == messages
    assert (store.request(step), store.reply(step), store.conversation(step)) == (None, None, None)


def test_a_conversation_comes_back(writer: StoreWriter, store: Store) -> None:
    body = b'{"messages": [ {"role":"user"} , {"role":"tool"}\n] }'
    step = written(writer, store, Conversation(split(body)))
    assert store.conversation(step) == body
    assert store.request(step) is None
    assert len(store.message_links(step)) == 2


def test_nothing_comes_back_as_nothing(writer: StoreWriter, store: Store) -> None:
    step = written(writer, store, None)
    assert (store.value(step, "input"), store.value(step, "output")) == (None, None)
    assert (store.request(step), store.reply(step), store.output_messages(step)) == (None,) * 3
    assert (store.message_links(step), store.split_body(step)) == ([], None)


def test_a_growing_history_costs_one_row_a_message(writer: StoreWriter, store: Store) -> None:
    splitter = BodySplitter()
    history = [{"role": "user", "content": "first"}]
    for turn in range(30):
        given, body = request(splitter, history)
        sent = store.request(written(writer, store, given))
        assert sent is not None and sent.body == body
        history.append({"role": "user", "content": f"turn {turn}"})
    assert count(store, "link") == 30
    # 30 messages, head, tail, headers, and the run's entry and environment.
    assert count(store, "blob") == 30 + 5


def test_equal_payloads_of_two_runs_are_stored_once(writer: StoreWriter, store: Store) -> None:
    for run in (1, 2):
        writer.start_run(run_start(run, input=Value(b'{"q": 1}')))
        given, _ = request(BodySplitter(), ["a", "b"])
        writer.start_step(model_start(1, run, input=given))
        writer.end_step(step_end(1, run, output=reply(b"same"), output_messages=b"[]"))
        if run == 1:
            before = count(store, "blob"), count(store, "link"), count(store, "passage")
    assert (count(store, "blob"), count(store, "link"), count(store, "passage")) == before


def test_shared_messages(writer: StoreWriter, store: Store) -> None:
    def step(messages: list[str]) -> Step:
        given, _ = request(BodySplitter(), messages)
        return written(writer, store, given)

    long = step(list("abcdef"))
    assert store.shared_messages(long, step(list("abcdef"))) == 6
    assert store.shared_messages(long, step(list("abc"))) == 3
    assert store.shared_messages(step(list("abc")), long) == 3
    assert store.shared_messages(long, step(list("abXdefgh"))) == 2
    assert store.shared_messages(long, step(list("Xbcdef"))) == 0
    assert store.shared_messages(long, step([])) == 0
    assert store.shared_messages(long, written(writer, store, Value(b"1"))) == 0
    assert store.shared_messages(step([]), step([])) == 0


def test_sharing_is_seen_without_reading_payloads(
    writer: StoreWriter, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, _ = request(BodySplitter(), list("abc"))
    one, other = written(writer, store, given), written(writer, store, given)
    monkeypatch.setattr("tracer.store.blobs.unpack", None)
    assert store.shared_messages(one, other) == 3
    assert len(store.message_links(one)) == 3


def test_message_links_are_those_of_the_split(writer: StoreWriter, store: Store) -> None:
    given, _ = request(BodySplitter(), ["a", {"b": 1}])
    step = written(writer, store, given)
    assert store.message_links(step) == [(link.exact, link.canonical) for link in given.body.new]
    again = store.split_body(step)
    assert again is not None
    assert (again.base, again.base_count, again.new) == (given.body.last, 2, ())
    assert (again.head, again.tail) == (given.body.head, given.body.tail)
    assert (again.canonical, again.rest_canonical) == (
        given.body.canonical,
        given.body.rest_canonical,
    )


def test_a_body_on_an_unknown_chain_is_refused(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    splitter = BodySplitter()
    request(splitter, ["never", "written"])
    given, body = request(splitter, ["never", "written", "new"])
    assert given.body.base != ROOT
    with pytest.raises(MissingBase):
        writer.start_step(model_start(1, input=given))
    assert (store.steps(run_start().run_id), count(store, "link")) == ([], 0)
    splitter.forget()
    whole, _ = request(splitter, ["never", "written", "new"])
    writer.start_step(model_start(1, input=whole))
    sent = store.request(store.step(run_start().run_id, 1))
    assert sent is not None and sent.body == body


def test_links_rolled_back_are_unknown_again(writer: StoreWriter) -> None:
    splitter = BodySplitter()
    writer.start_run(run_start())
    writer.begin()
    writer.start_step(model_start(1, input=request(splitter, ["a"])[0]))
    writer.rollback()
    with pytest.raises(MissingBase):
        writer.start_step(model_start(1, input=request(splitter, ["a", "b"])[0]))


def test_the_length_of_the_body_is_not_stored_twice(writer: StoreWriter, store: Store) -> None:
    splitter = BodySplitter()
    for messages in (["a"], ["a", "b"]):
        given, body = request(splitter, messages)
        sent = store.request(written(writer, store, given))
        assert sent is not None
        assert sent.headers == (*HEADERS, ("content-length", str(len(body))))
    conn = sqlite3.connect(store.path)
    rows = conn.execute("select count(distinct request_headers) from step").fetchone()
    conn.close()
    assert rows == (1,)


def test_a_run_keeps_what_it_was_given_and_returned(writer: StoreWriter, store: Store) -> None:
    start = run_start(input=Value(b'{"q":"why"}'))
    writer.start_run(start)
    assert store.run_value(start.run_id, "input") == b'{"q":"why"}'
    assert store.run_value(start.run_id, "output") is None
    writer.end_run(run_end(output=Value(b'["so"]')))
    assert store.run_value(start.run_id, "output") == b'["so"]'
