"""Server-sent events: what a recording process adds, as pieces of HTML put where they belong.

One message at most every `PAUSE` seconds. The id of a message says what the page has seen, so a
connection that breaks goes on where it stood: `last step;steps still running;question`.
"""

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import anyio
from anyio.to_thread import run_sync

from tracer_ui.api import NotFoundError, Run, Store
from tracer_ui.contexts import Context
from tracer_ui.outline import Outline
from tracer_ui.questions import QuestionView
from tracer_ui.rendering import html
from tracer_ui.runviews import RunHead, run_head
from tracer_ui.site import Site
from tracer_ui.stepviews import Row, row
from tracer_ui.waiting import waiting

PAUSE = 0.25
HEARTBEAT = 15.0
BATCH = 200
GRACE = 20  # looks at a process whose run has ended but which is still there
_OPEN = 200
_ID = 16  # digits of a question's id


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNews(Context):
    """What is new in a run: rows to add, rows that changed, the head."""

    template: ClassVar[str] = "_news_run.html"
    run_id: str
    added: tuple[Row, ...]
    changed: tuple[Row, ...]
    head: RunHead | None
    question: QuestionView | None
    asks_anew: bool


@dataclass(slots=True)
class Seen:
    """What a page shows: rows up to `last`, of which those in `open` had not ended."""

    last: int
    open: set[int] = field(default_factory=set)
    head: tuple[object, ...] = ()
    question: str = ""  # id of the one that is shown

    @classmethod
    def read(cls, text: str) -> "Seen | None":
        """From a message's id; None when it isn't one of ours."""
        last, _, rest = text.partition(";")
        rest, _, question = rest.partition(";")
        numbers = [part for part in rest.split(",") if part]
        if not all(part.isascii() and part.isdigit() for part in (last, *numbers)):
            return None
        return cls(int(last), set(map(int, numbers[:_OPEN])), question=question[:_ID])

    def __str__(self) -> str:
        numbers = ",".join(map(str, sorted(self.open)[:_OPEN]))
        return f"{self.last};{numbers}" + (f";{self.question}" if self.question else "")


@dataclass(frozen=True, slots=True)
class Message:
    """One event; without a name its data is HTML to swap."""

    data: str
    event: str = ""
    id: str = ""

    def encode(self) -> bytes:
        """The bytes of the event."""
        lines = [f"id: {self.id}"] if self.id else []
        if self.event:
            lines.append(f"event: {self.event}")
        # Only these end a line of an event stream; other separators are content.
        text = self.data.replace("\r\n", "\n").replace("\r", "\n")
        lines += [f"data: {line}" for line in text.split("\n")]
        return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")


Look = Callable[[], tuple[list[Message], bool]]  # messages, and whether that was the end


async def stream(
    look: Look, closing: threading.Event, pause: float = PAUSE
) -> AsyncIterator[bytes]:
    """Call `look` again and again on a worker thread; send what it finds."""
    spoke = time.monotonic()
    while not closing.is_set():
        messages, over = await run_sync(look)
        for message in messages:
            yield message.encode()
        if over:
            return
        if messages:
            spoke = time.monotonic()
        elif time.monotonic() - spoke > HEARTBEAT:
            spoke = time.monotonic()
            yield b": still here\n\n"
        await anyio.sleep(pause)


def watch_run(site: Site, run_id: str, seen: Seen) -> Look:
    """News of a run; `done` when it has ended."""
    waited = 0

    def look() -> tuple[list[Message], bool]:
        found = _find(site, run_id)
        if found is None:
            return [], site.children.outcome(run_id) is not None
        store, run = found
        message = _news(site, store, run, seen)
        over = run.status != "running" and seen.last >= site.outline(store, run).last
        if over and site.children.is_running(run_id):
            # Its process is about to say how it went.
            nonlocal waited
            waited += 1
            over = waited > GRACE
        end = [Message(run.status, "done", str(seen))] if over else []
        return ([message] if message else []) + end, over

    return look


def wait_for_step(site: Site, run_id: str) -> Look:
    """`ready` when a run has its first step, or its process ended without any."""

    def look() -> tuple[list[Message], bool]:
        found = _find(site, run_id)
        ready = found is not None and found[1].steps > 0
        ready = ready or site.children.outcome(run_id) is not None
        return ([Message(run_id, "ready")], True) if ready else ([], False)

    return look


def _find(site: Site, run_id: str) -> tuple[Store, Run] | None:
    store = site.store()
    try:
        return None if store is None else (store, store.find_run(run_id))
    except NotFoundError:
        return None


def _news(site: Site, store: Store, run: Run, seen: Seen) -> Message | None:
    outline = site.outline(store, run)
    last = min(outline.last, seen.last + BATCH)
    changed = sorted(n for n in seen.open if n in outline and outline[n].status != "running")
    added = range(seen.last + 1, last + 1)
    ended = site.children.outcome(run.id) is not None
    numbers = (run.status, run.steps, run.cost_usd, run.usage, len(run.divergences), ended)
    question = waiting(site, store, run)
    shown = "" if question is None else question.id
    if not changed and not added and numbers == seen.head and shown == seen.question:
        return None
    context = RunNews(
        run_id=run.id,
        added=_rows(store, run, outline, added),
        changed=_rows(store, run, outline, changed),
        head=run_head(store, run, outline, site.children),
        question=question,
        asks_anew=shown != seen.question,
    )
    seen.last, seen.head, seen.question = last, numbers, shown
    seen.open -= set(changed)
    seen.open |= {n for n in added if n in outline and outline[n].status == "running"}
    return Message(html(context).decode(), id=str(seen))


def _rows(store: Store, run: Run, outline: Outline, wanted: Iterable[int]) -> tuple[Row, ...]:
    numbers = [n for n in wanted if n in outline]
    if not numbers:
        return ()
    if numbers[-1] - numbers[0] < BATCH * 2:
        chosen = set(numbers)
        steps = [
            step
            for step in store.steps(run.id, first=numbers[0], last=numbers[-1])
            if step.n in chosen
        ]
    else:
        steps = [store.step(run.id, n) for n in numbers]
    reexecuted = run.parent_run is not None
    return tuple(row(step, outline[step.n], outline, reexecuted=reexecuted) for step in steps)
