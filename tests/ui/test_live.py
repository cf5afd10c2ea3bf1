"""What a live page is sent: everything once, nothing twice, and an end."""

import os
import re
import threading
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.run_builder import RunBuilder
from tests.ui.conftest import open_client
from tracer.core.questions import Question
from tracer.core.runquery import RunOrder
from tracer.core.runquery import parse as parse_query
from tracer.store.labels import Labels
from tracer.store.pruning import prune
from tracer.store.writing import StoreWriter
from tracer_ui import listnews
from tracer_ui.asked import Asked
from tracer_ui.live import BATCH, Message, Seen, stream, wait_for_step, watch_run
from tracer_ui.security import Access
from tracer_ui.site import Site


class Recording:
    """A database that a writer is filling, and the site that shows it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.site = Site(path, Access("t", 4700))
        self.writer: StoreWriter | None = None

    def begin(self, key: str, minute: int = 0, parent: str | None = None) -> RunBuilder:
        self.writer = self.writer or StoreWriter(self.path)
        pid = os.getpid()
        return RunBuilder(self.writer, key, "agent", minute=minute, pid=pid, parent_run=parent)

    def close(self) -> None:
        self.site.close()
        if self.writer is not None:
            self.writer.close()


@pytest.fixture
def recording(tmp_path: Path) -> "Recording":
    return Recording(tmp_path / "traces.db")


def rows(html: str) -> list[int]:
    return [int(n) for n in re.findall(r'<li id="s(\d+)"', html)]


def test_new_rows_come_once_and_changed_ones_again(recording: Recording) -> None:
    run = recording.begin("a")
    run.enter("agent", {})
    look = watch_run(recording.site, run.id, Seen(0))
    ((message,), over) = look()
    assert rows(message.data) == [1]
    assert message.id == "1;1"
    assert not over
    assert look() == ([], False)
    run.tool("t", {"a": 1}, {"b": 2})
    run.tool("slow", {}, running=True)
    ((message,), _) = look()
    assert rows(message.data) == [2, 3]
    assert 'hx-target="#tail" hx-swap="beforeend"' in message.data
    assert message.id == "3;1,3"
    assert look() == ([], False)
    run.end("ok")
    messages, over = look()
    assert over
    assert messages[-1].event == "done"
    assert messages[-1].data == "ok"
    assert "#s1" in messages[0].data
    assert "#s3" in messages[0].data
    assert rows(messages[0].data) == [1, 3]  # they count as interrupted now
    recording.close()


def test_a_broken_connection_goes_on_where_it_stood(recording: Recording) -> None:
    run = recording.begin("a")
    run.enter("agent", {})
    for _ in range(4):
        run.tool("t", {}, 1)
    seen = Seen.read("3;1")
    assert seen is not None
    ((message,), _) = watch_run(recording.site, run.id, seen)()
    assert rows(message.data) == [4, 5]
    recording.close()


def test_many_steps_come_in_batches(recording: Recording) -> None:
    run = recording.begin("a")
    assert recording.writer is not None
    recording.writer.begin()
    for _ in range(2 * BATCH + 5):
        run.tool("t", {}, 1)
    recording.writer.commit()
    run.end("ok")
    look = watch_run(recording.site, run.id, Seen(0))
    found: list[int] = []
    over = False
    while not over:
        messages, over = look()
        assert len(rows(messages[0].data)) <= BATCH
        found += rows(messages[0].data)
    assert found == list(range(1, 2 * BATCH + 6))
    recording.close()


def test_waiting_for_a_run(recording: Recording) -> None:
    look = wait_for_step(recording.site, "f" * 32)
    assert look() == ([], False)
    first = listnews.wait_for_run(recording.site)
    assert first() == ([], False)
    run = recording.begin("a")
    assert wait_for_step(recording.site, run.id)() == ([], False)
    run.tool("t", {}, 1)
    messages, over = wait_for_step(recording.site, run.id)()
    assert over
    assert messages[0].event == "ready"
    messages, over = first()
    assert over
    assert (messages[0].event, messages[0].data) == ("open", f"/runs/{run.id}")
    recording.close()


def test_the_list_tells_of_new_runs_without_moving_rows(recording: Recording) -> None:
    old = recording.begin("old")
    old.tool("t", {}, 1)
    look = listnews.watch_list(recording.site, old.id)
    ((message,), _) = look()
    assert f'hx-target="#r{old.id}" hx-swap="outerMorph"' in message.data
    assert look() == ([], False)
    old.end("ok")
    ((message,), _) = look()
    assert f'id="r{old.id}"' in message.data
    assert "new run" not in message.data
    assert look() == ([], False)
    late = listnews.watch_list(recording.site, old.id, [old.id])
    ((message,), _) = late()  # it had ended before the stream began
    assert f'id="r{old.id}"' in message.data
    assert late() == ([], False)
    new = recording.begin("new", minute=1)
    ((message,), _) = look()
    assert "1 new run: show" in message.data
    assert f'hx-target="#r{new.id}"' in message.data  # only where the row is there already
    assert "beforebegin" not in message.data
    recording.close()


def test_the_run_that_a_waiting_fork_is_folded_under_tells_of_it(recording: Recording) -> None:
    """Fails when only the fork's own row is sent, which the page does not have."""
    old = recording.begin("old")
    old.end("ok")
    fork = recording.begin("fork", minute=1, parent=old.id)
    fork.tool("t", {}, 1)
    look = listnews.watch_list(recording.site, fork.id, [fork.id])
    look()
    assert recording.writer is not None
    question = Question(fork.id, "0" * 16, "tool", "t", 1, {})
    recording.writer.add_question(question)
    ((message,), _) = look()
    (row,) = re.findall(rf'<tr id="r{old.id}".*?</tr>', message.data, re.DOTALL)
    assert "waits for you" in row and "1 re-execution" in row
    recording.writer.end_question(question.id, None)
    ((message,), _) = look()
    assert "waits for you" not in message.data
    recording.close()


def test_a_filtered_list_counts_only_what_fits(recording: Recording) -> None:
    old = recording.begin("old")
    old.end("ok")
    asked = Asked("status:failed", parse_query("status:failed"), RunOrder("cost"), "")
    look = listnews.watch_list(recording.site, old.id, [], asked)
    other = recording.begin("other", minute=1)
    other.tool("t", {}, 1)
    ((message,), _) = look()
    assert "new run" not in message.data
    other.end("error")
    ((message,), _) = look()
    assert "1 new run: show" in message.data
    assert 'href="/runs?q=status%3Afailed&amp;sort=cost"' in message.data
    assert 'hx-get="/f/runs/fresh?q=status%3Afailed&amp;sort=cost"' in message.data
    Labels(recording.path).delete([old.id])
    assert look() == ([], False)
    prune(recording.path, trash=True)
    recording.begin("third", minute=2).end("error")
    ((message,), _) = look()  # what it counted from is gone for good
    assert "new run" not in message.data
    recording.close()


@given(st.text(max_size=60))
def test_an_event_stream_carries_any_text(text: str) -> None:
    raw = Message(text, id="3;1").encode().decode()
    assert raw.endswith("\n\n")
    assert "\r" not in raw
    lines = raw[:-2].split("\n")
    assert lines[0] == "id: 3;1"
    assert all(line.startswith("data: ") for line in lines[1:])
    back = "\n".join(line.removeprefix("data: ") for line in lines[1:])
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    assert back == plain.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("text", ["", "x", "3", "3;x", "-1;", "3;1,,2", "9" * 400, "3;1;2", "²;"])
def test_only_our_own_ids_are_read(text: str) -> None:
    seen = Seen.read(text)
    assert seen is None or str(seen.last) == text.partition(";")[0]


def test_streams_end_with_the_server(recording: Recording) -> None:
    closing = threading.Event()
    looks: list[int] = []

    def look() -> tuple[list[Message], bool]:
        looks.append(1)
        if len(looks) == 3:
            closing.set()
        return [Message("x")], False

    async def collect() -> list[bytes]:
        return [chunk async for chunk in stream(look, closing, 0)]

    assert anyio.run(collect) == [b"data: x\n\n"] * 3


def test_the_address_of_a_stream(recording: Recording) -> None:
    run = recording.begin("a")
    run.tool("t", {}, 1)
    run.end("ok")
    with open_client(recording.path) as client:
        reply = client.get(f"/sse/runs/{run.id}?after=0&open=")
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert "event: done" in reply.text
        assert rows(reply.text) == [1]
        again = client.get(f"/sse/runs/{run.id}?after=0", headers={"Last-Event-ID": "1;"})
        assert rows(again.text) == []
    recording.close()
