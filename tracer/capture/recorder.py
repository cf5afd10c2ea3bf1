"""Turns what the agent's thread saw into store records, on the writer's thread.

The agent's thread only hands over references (bytes that can't change, snapshots taken); parsing,
hashing, redaction and pricing happen here. It waits, for a bounded time, until a start or end is
committed, so that even a process that kills itself keeps every step it reached.
"""

import functools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from tracer.capture import cleaning, identity, redact, secrets
from tracer.capture.boundary import ActiveRun, End, OpenStep
from tracer.capture.boundary import Call as StepCall
from tracer.capture.encoding import decode_chunks
from tracer.capture.guard import report
from tracer.capture.pricelist import PriceList
from tracer.capture.readings import (
    StartReading,
    read_function_end,
    read_start,
)
from tracer.capture.said import without_named
from tracer.capture.toolcalls import ToolCalls
from tracer.core.chain import BodySplitter, SplitBody
from tracer.core.draws import Drawn
from tracer.core.records import JSON, NotedKind, Usage
from tracer.errors import NotFoundError
from tracer.providers.pricing import price
from tracer.store.failures import StoreLocked
from tracer.store.writer import WriteQueue
from tracer.store.writes import (
    Conversation,
    Noted,
    Reply,
    Request,
    RunEnd,
    RunStart,
    StepEnd,
    StepStart,
    Value,
)
from tracer.store.writing import MissingBase, StoreWriter

WAIT_SECONDS = 0.25
OPEN_SECONDS = 3.0
_NOTED_BYTES = 4_096  # about what a piece of what happened around a step keeps alive
T = TypeVar("T")


@dataclass(slots=True)
class RawReply:
    """A reply as it came over the wire: undecoded chunks and when each arrived (µs from send)."""

    status: int
    headers: tuple[tuple[str, str], ...]
    chunks: list[bytes]
    times_us: list[int]
    complete: bool
    failure: dict[str, JSON] | None = None


@dataclass(slots=True)
class Tally:
    """What a run amounted to so far, for the one line at its end. Kept on the writer's thread."""

    steps: int = 0
    cost_usd: float | None = None
    unpriced: int = 0
    error_step: int | None = None
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class _Unpriced:
    run_id: str
    n: int
    model: str | None
    provider: str | None
    usage: Usage
    at_ns: int


class StoreRecorder:
    """Records runs into one database through its write queue."""

    def __init__(self, make_queue: Callable[["StoreRecorder"], WriteQueue]) -> None:
        self._splitter = BodySplitter()
        self._unpriced: list[_Unpriced] = []
        self._prices = PriceList()
        self._opened = False
        self._readings: dict[tuple[str, int], StartReading] = {}
        self._calls = ToolCalls()
        self._names: dict[str, str] = {}  # of runs under way
        self.tallies: dict[str, Tally] = {}
        self.queue = make_queue(self)

    def run_started(self, start: RunStart) -> None:
        self.tallies[start.run_id] = Tally()
        self._names[start.run_id] = start.name
        redact.remember_environment()
        # The first run opens or makes the database, which takes longer than writing a row.
        patience = WAIT_SECONDS if self._opened else OPEN_SECONDS
        self._opened = True
        job = _Once(lambda: cleaning.run_start(start))
        self.queue.put_and_wait(lambda writer: writer.start_run(job.made()), patience)

    def run_ended(self, end: RunEnd) -> None:
        # Cleaned on the writer's thread: by then all headers before it have been seen.
        job = _Once(lambda: cleaning.run_end(end, self._names.pop(end.run_id, "")))
        self.queue.put_and_wait(lambda writer: writer.end_run(job.made()), WAIT_SECONDS)
        self._calls.ended(end.run_id)

    def after_fork_in_child(self) -> None:
        """What waits for a price belongs to the parent process."""
        self._unpriced.clear()
        self._prices = PriceList()

    def _look_again(self) -> None:
        self.queue.put(lambda writer: None)  # the idle hook runs after it

    def flush(self, timeout: float) -> None:
        """Wait until everything recorded so far is written and priced."""
        give_up = time.monotonic() + timeout
        self.queue.flush(timeout)
        while self._unpriced and self.queue.failure is None:
            left = give_up - time.monotonic()
            if left <= 0:
                return
            self._look_again()
            self._prices.wait(left)
            self.queue.flush(left)
            time.sleep(0.002)

    def update_run(self, change: Callable[[StoreWriter], None]) -> None:
        self.queue.put(change)

    def step_started(self, step: OpenStep, call: StepCall) -> None:
        size = 0 if call.given is None else call.given.size
        if call.request is not None:
            size = len(call.request.body)
        job = _Once(lambda: self._start_record(step, call))
        self.queue.put_and_wait(lambda w: self._write_start(w, step, job), WAIT_SECONDS, size)

    def step_ended(self, step: OpenStep, end: End) -> None:
        size = 0 if end.made is None else end.made.size
        if end.reply is not None:
            size = sum(map(len, end.reply.chunks))
        job = _Once(lambda: self._end_record(step, end))
        self.queue.put_and_wait(lambda w: w.end_step(job.made()), WAIT_SECONDS, size)

    def noted(self, run: ActiveRun, n: int, kind: NotedKind, what: JSON, wait: bool) -> None:
        """Write a piece of what happened around step `n`."""

        def note() -> Noted:
            known = secrets.of_run(run.id)
            clean = without_named(known.tree(what, "output"), known)
            return Noted(run.id, n, kind, json_bytes(known.record(clean)))

        job = _Once(note)
        write = functools.partial(self._write_noted, run=run, job=job)
        if wait:
            self.queue.put_and_wait(write, WAIT_SECONDS, _NOTED_BYTES)
        else:
            self.queue.put(write, _NOTED_BYTES)

    def _write_noted(self, writer: StoreWriter, run: ActiveRun, job: "_Once[Noted]") -> None:
        _in_turn(run, lambda: writer.add_noted(job.made()))

    def drawn(self, run: ActiveRun, found: list[Drawn]) -> None:
        """Written with the step that comes next, so nobody waits for it alone."""
        job = _Once(lambda: cleaning.draws(found, secrets.of_run(run.id)))
        self.queue.put(lambda writer: _in_turn(run, lambda: writer.add_draws(run.id, job.made())))

    def idle(self, writer: StoreWriter) -> bool:
        """Price one model call; True while there are more. Runs when nothing else is queued."""
        if not self._unpriced or not self._prices.ready(self._look_again):
            return False
        item = self._unpriced[0]
        try:
            self._price(writer, item)
        finally:
            del self._unpriced[0]  # last: `flush` waits for an empty list
        return bool(self._unpriced)

    def _price(self, writer: StoreWriter, item: _Unpriced) -> None:
        cost = price(item.model, item.provider, item.usage, item.at_ns)
        if cost is not None:
            writer.set_cost(item.run_id, item.n, cost)
        tally = self.tallies.get(item.run_id)
        if tally is not None:
            tally.unpriced += cost is None
            if cost is not None:
                tally.cost_usd = (tally.cost_usd or 0.0) + cost

    def _write_start(self, writer: StoreWriter, step: OpenStep, job: "_Once[StepStart]") -> None:
        try:
            _in_turn(step.run, lambda: writer.start_step(job.made()))
        except MissingBase:
            self._splitter.forget()
            _in_turn(step.run, lambda: writer.start_step(job.made_again()))
        if step.run.is_program and step.run.outermost[:1] == [step]:
            # A program's own input is its argv; what its agent was asked says more in a list.
            reading = self._readings[step.run.id, step.n]
            writer.update_run(step.run.id, input_text=reading.summary)

    def _start_record(self, step: OpenStep, call: StepCall) -> StepStart:
        known = secrets.of_run(step.run.id)
        step.kept = kept = identity.without_secrets(call, known)
        body = identity.split(kept, self._splitter)
        fingerprint = step.decision.fingerprint or identity.call_fingerprint(kept, body)
        reading = read_start(kept, body)
        if (step.run.id, step.n) not in self._readings:
            self.tallies.setdefault(step.run.id, Tally()).steps += 1
        self._readings[step.run.id, step.n] = reading
        offered = reading.detail.get("tools_offered")
        if isinstance(offered, list):
            step.run.tools_offered([str(name) for name in offered])
        detail = reading.detail | call.detail | step.decision.detail
        if call.kind == "tool":
            detail |= self._calls.executed(step.run.id, call.name, kept.input, detail)
        start = StepStart(
            run_id=step.run.id,
            n=step.n,
            id=step.id,
            parent=step.parent,
            kind=call.kind,
            name=reading.name,
            source=step.decision.source,
            started_ns=step.started_ns,
            start_seq=step.start_seq,
            slot=call.slot,
            input=_input_payload(kept, body),
            fingerprint=fingerprint,
            summary=reading.summary,
            effect=call.effect,
            api=call.api.name if call.api is not None else None,
            model=reading.model,
            provider=reading.provider,
            matched_step=step.decision.matched_step,
            callsite=call.callsite,
            search_text=reading.search_text,
            detail=detail,
        )
        return cleaning.step_start(start, call, kept, known)

    def _end_record(self, step: OpenStep, end: End) -> StepEnd:
        started = self._readings.pop((step.run.id, step.n), None) or StartReading(step.call.name)
        known = secrets.of_run(step.run.id)
        end, value = cleaning.end(end, step.call, known)
        record = StepEnd(
            run_id=step.run.id,
            n=step.n,
            status=end.status,  # type: ignore[arg-type]
            ended_ns=end.ended_ns,
            end_seq=end.end_seq,
            output=value,
            error=end.error,
            fidelity=end.fidelity,
            diverged=step.decision.diverged,
            detail=end.detail,
        )
        try:
            record = self._with_reading(record, step, end, started)
        except Exception as error:  # an odd reply must not cost the record of its step
            report("reading a reply", error)
        if record.output_messages is not None:
            self._calls.asked(step.run.id, record.output_messages)
        tally = self.tallies.setdefault(step.run.id, Tally())
        if record.status == "error" and step.call.kind != "agent":
            tally.error_step = step.n
        made: StepEnd = known.record(self._plan_price(record, step, started, tally))
        step.record = made
        return made

    def _with_reading(
        self, record: StepEnd, step: OpenStep, end: End, started: StartReading
    ) -> StepEnd:
        if end.reply is None:
            return read_function_end(record, step.call, started)
        raw: RawReply = end.reply
        asked = step.call.request
        offered = asked.headers if asked is not None else ()
        chunks, headers = decode_chunks(raw.chunks, raw.headers, offered)
        if asked is not None and step.call.api is None:
            redact.credentials(asked.url, chunks)
        reply = Reply(
            raw.status,
            redact.headers(headers),
            tuple(chunks),
            tuple(raw.times_us),
            raw.complete,
            raw.failure,
        )
        return cleaning.with_reply(record, reply, step, started)

    def _plan_price(
        self, record: StepEnd, step: OpenStep, started: StartReading, tally: Tally
    ) -> StepEnd:
        """Queue a model call for its price; one that was not really asked now cost nothing."""
        if record.usage is None:
            return record
        if step.decision.source != "live":
            return replace(record, cost_usd=0.0)
        tally.tokens += (record.usage.input_tokens or 0) + (record.usage.output_tokens or 0)
        model = record.model or started.model
        at = step.started_ns or time.time_ns()
        self._unpriced.append(
            _Unpriced(step.run.id, step.n, model, started.provider, record.usage, at)
        )
        return record


def _in_turn(run: ActiveRun, write: Callable[[], None]) -> None:
    """Write, once the process that started the run has written that."""
    try:
        write()
    except NotFoundError:
        if not run.in_child:
            raise
        raise StoreLocked("the start of the run is not written") from None


class _Once(Generic[T]):
    """A record made when it is first written; a transaction that met a lock writes it again."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: T | None = None

    def made(self) -> T:
        return self.made_again() if self._made is None else self._made

    def made_again(self) -> T:
        self._made = self._make()
        return self._made


def _input_payload(call: StepCall, body: SplitBody | None) -> Value | Request | Conversation | None:
    if call.request is not None and body is not None:
        request = call.request
        kept = redact.headers(request.headers)
        return Request(request.method, request.url, kept, body)
    if body is not None:
        return Conversation(body)
    return None if call.input is None else Value(call.input)


def json_bytes(value: JSON) -> bytes:
    """Compact UTF-8 JSON of plain data."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
