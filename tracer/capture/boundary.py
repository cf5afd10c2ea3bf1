"""The step boundary: a run under way, and the port through which a re-execution answers steps.

Every decorated function and every HTTP exchange passes here. Without a handler a step is done for
real and recorded.
"""

import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tracer.capture.answers import (
    Answer,
    CancelledAnswer,
    Document,
    ErrorAnswer,
    HttpAnswer,
    ValueAnswer,
)
from tracer.capture.calls import LIVE, Call, Decision, Opening, StepHandler
from tracer.capture.draws import Draws
from tracer.capture.gathered import Gathered
from tracer.capture.ids import new_run_id, new_step_id
from tracer.capture.loopturns import LoopTurns
from tracer.capture.numbering import Numbers
from tracer.capture.scope import Scope
from tracer.capture.turns import Turns
from tracer.capture.values import Encoded
from tracer.core.draws import Drawn
from tracer.core.records import (
    JSON,
    ErrorInfo,
    NotedKind,
    RunStatus,
)
from tracer.errors import CannotReplayError

FORKED = "the process was forked: what the child processes did could not be recorded"


class Recorder(Protocol):
    """Where a run's starts and ends go; implemented by `tracer.capture.recorder`."""

    def run_ended(self, end: Any) -> None: ...

    def step_started(self, step: "OpenStep", call: Call) -> None: ...

    def step_ended(self, step: "OpenStep", end: "End") -> None: ...

    def noted(self, run: "ActiveRun", n: int, kind: NotedKind, what: JSON, wait: bool) -> None: ...

    def drawn(self, run: "ActiveRun", found: list[Drawn]) -> None: ...


@dataclass(slots=True)
class End:
    """What came of a step: `made` (a function's result), `reply`, `error`, or nothing."""

    status: str
    ended_ns: int
    end_seq: int
    made: Encoded | None = None
    reply: Any = None  # recorder.RawReply
    error: ErrorInfo | None = None
    fidelity: Any = None
    detail: dict[str, JSON] = field(default_factory=dict)

    @property
    def value(self) -> bytes | None:
        """Tagged JSON of the result."""
        return None if self.made is None else self.made.data


@dataclass(slots=True, eq=False)
class OpenStep:
    """A step under way. `scope` is what happens inside it sees as current."""

    run: "ActiveRun"
    n: int
    id: str
    parent: str | None
    call: Call
    decision: Decision
    started_ns: int
    start_seq: int
    scope: Scope
    span: Any = None
    ended: bool = False
    forks: int = 0  # `run.forks` at its start: only that process ends it
    made: Encoded | None = None  # the result, once it has ended with one
    kept: Call | None = None  # the call without secrets, once the writer's thread was at it
    record: Any = None  # the store's record of its end, likewise

    def end(self, status: str, **what: Any) -> None:
        """Record the end; once, later calls do nothing."""
        if self.ended or self.forks != self.run.forks:
            return
        self.ended = True
        self.run.seams.pop(self.id, None)
        if self.kept is None and self.call.kind == "model" and self.run.discovery is not None:
            # The writer's thread, which reads what tools are offered, has not come to it yet.
            self.run.tools_offered(self.run.discovery.offered_by(self.call))
        self.made = what.get("made")
        self.scope.gathered.close()
        if self.run.draws is not None:
            self.run.draws.hand_over()
        if self.run.workspace is not None:
            self.run.workspace.after(self)
            if (files := self.call.detail.get("workspace")) is not None:
                what["detail"] = {**what.get("detail", {}), "workspace": files}
        sequence, beside = self.run.ends.begin()
        if beside:
            what["detail"] = {**what.get("detail", {}), "beside": True}
        try:
            end = End(status, time.time_ns(), sequence, **what)
            self.run.recorder.step_ended(self, end)
        finally:
            self.run.ends.finish(sequence)
        if self.span is not None:
            self.run.spans.ended(self, end)


class ActiveRun:
    """A run under way in this process: numbers its steps, knows its handler and recorder."""

    def __init__(
        self, run_id: str, name: str, recorder: Recorder, handler: StepHandler | None = None
    ) -> None:
        self.id = run_id
        self.name = name
        self.recorder = recorder
        self.handler = handler
        self.status: RunStatus = "running"
        self.warnings: list[str] = []
        self.template: Any = None  # runtime.Template of a re-execution
        self.spans: Any = None  # otel.Bridge
        self.discovery: Any = None  # discovery.Discovery, unless switched off
        self.snapshots: Any = None  # conversation.Snapshots, from the first model function on
        self.is_program = False  # started by `tracer run`, not by a decorated call
        self.outermost: list[OpenStep] = []  # agents that no other step encloses
        self.workspace: Any = None  # workspace.Workspace, where one is followed
        self.draws: Draws | None = None  # what is read of the clock and of chance
        self.memo: dict[Any, Any] = {}  # results of tools by idempotency key
        self.bodies: weakref.WeakSet[Any] = weakref.WeakSet()  # being read; each has `left()`
        self.retries: Any = None  # http.retries.Retries, from the first exchange on
        self.seams: dict[str, Any] = {}  # (spec, call) of steps under way that a framework began
        self.in_child = False  # this process only takes part in it: another one ends it
        self.forks = 0  # how often this copy of it was made by forking
        self.limits: list[Callable[[], None]] = []
        self.closers: dict[str, Callable[[], None]] = {}  # of steps that may outlive their code
        self.numbers = Numbers()
        self.ends = Turns(self.next_seq)
        self.loop_ends = LoopTurns()
        self.environment: dict[str, JSON] = {}  # what it says from its start on
        # Looks at the program's streams where a step starts; None: nothing is noted around steps.
        self.look: Callable[[], None] | None = None
        self.variables: dict[str, None] = {}  # names of the environment's that were asked for
        self.unwritten: dict[int, Gathered] = {}
        self.gathered = Gathered(self, 0)
        self._lock = threading.Lock()
        self._named: dict[str, Scope] = {}
        self.root = Scope(self, "", None, None)

    def next_seq(self) -> int:
        return self.numbers.next_seq()

    @property
    def steps_begun(self) -> int:
        return self.numbers.steps

    def note(self, warning: str) -> None:
        """Say something on the run, once."""
        if warning not in self.warnings:
            self.warnings.append(warning)

    def close_steps(self) -> None:
        """The run ends: so do the steps that nothing else has ended."""
        for close in list(self.closers.values()):
            close()

    def named_scope(self, name: str, under: Scope | None = None) -> Scope:
        """A scope under another one (the root) that is found again by its name."""
        above = self.root if under is None else under
        path = f"{above.path}/{name}" if above.path else name
        with self._lock:
            if path not in self._named:
                self._named[path] = Scope(self, path, above.step_id, above)
            return self._named[path]

    def before_fork(self) -> None:
        """The child will take part in the run, so both count in one place from here on."""
        if self.handler is None and self.numbers.share() is None and FORKED not in self.warnings:
            self.warnings.append(FORKED)

    def was_forked(self, *, child: bool) -> None:
        """After `before_fork`, in both processes."""
        if child:
            self.in_child = True
            self.forks += 1
            self.unwritten = {}  # as is what was gathered before
            self.gathered = Gathered(self, 0)
            self.closers = {}  # the parent's steps end in the parent
            self.numbers.after_fork_in_child()
            if self.draws is not None:
                self.draws.after_fork_in_child()
            self.ends = Turns(self.next_seq)
            self.loop_ends = LoopTurns()
            self._lock = threading.Lock()
            self._named = {}

    @property
    def is_watched(self) -> bool:
        """Whether what happens around its steps is noted."""
        return self.look is not None

    @property
    def is_offline(self) -> bool:
        """Whether this is a re-execution whose answers come from the recording alone."""
        return self.handler is not None and self.handler.is_offline()

    @property
    def is_elsewhere(self) -> bool:
        """Whether what happens in this process can't be recorded in the run."""
        return self.in_child and self.handler is None and self.numbers.path is None

    def check(self) -> None:
        """Raise what already ended this re-execution, if something did."""
        if self.handler is None:
            return
        if self.in_child:
            # An ordinary exception: it travels from a process pool's worker to the agent.
            raise CannotReplayError(
                "a step runs in a forked child process, which was not recorded and so can't be "
                "answered: run it in a thread"
            )
        self.handler.check()

    def wait(self, decision: Decision, point: str = "reply") -> None:
        """Hold an answer back until the recorded order allows it."""
        if self.handler is not None:
            self.handler.wait(decision, point)

    async def wait_async(self, decision: Decision, point: str = "reply") -> None:
        """The same without blocking the event loop."""
        if self.handler is not None:
            await self.handler.wait_async(decision, point)

    async def hang(self, decision: Decision) -> None:
        """Wait to be cancelled, as the recorded step was."""
        if self.handler is not None:
            await self.handler.hang(decision)

    def let_go(self, decision: Decision) -> None:
        """Say that an answer was closed before its end."""
        if self.handler is not None:
            self.handler.let_go(decision)

    def cannot(self, sentence: str) -> BaseException:
        """The exception to raise when an answer can't be given."""
        return RuntimeError(sentence) if self.handler is None else self.handler.cannot(sentence)

    def decide(self, call: Call) -> Decision:
        """Ask the handler; without one every step is live."""
        if self.discovery is not None and self.discovery.missing:
            self.discovery.resolve()
        if self.handler is None:
            return LIVE
        if call.kind == "model" and self.discovery is not None:
            # In a recording the writer's thread finds them, before the request is sent.
            self.tools_offered(self.discovery.offered_by(call))
        return self.handler.decide(call)

    def decided(self, call: Call) -> Opening[Decision]:
        """The same for who can wait until somebody was asked: see `tracer.capture.opened`."""
        decision = self.decide(call)
        return decision if decision.pending is None else (yield decision.pending)

    def tools_offered(self, names: list[str]) -> None:
        """A model is offered these tools: functions of the program that are to be watched."""
        if self.discovery is None:
            return
        for warning in self.discovery.offered(names):
            self.note(warning)

    def begin(self, scope: Scope, call: Call, decision: Decision) -> OpenStep:
        """Number a step and write its start."""
        for limit in self.limits:
            limit()
        if self.look is not None:
            self.look()
        self.ends.went_on()
        self.loop_ends.went_on()
        step_id = new_step_id()
        if self.draws is not None:
            self.draws.hand_over()
        number, sequence = self.numbers.start()
        inner = scope.for_step(call.slot, step_id, call.name if call.kind == "tool" else None)
        inner.step_n = number
        scope.gathered.flush()  # before the start of what is inside, so that a crash leaves it
        inner.gathered = Gathered(self, number, scope.gathered, wire=call.request is not None)
        step = OpenStep(
            self,
            number,
            step_id,
            scope.step_id,
            call,
            decision,
            time.time_ns(),
            sequence,
            inner,
            forks=self.forks,
        )
        if call.kind == "agent" and scope.step_id is None:
            self.outermost.append(step)
        if self.spans is not None:
            self.spans.started(step)
        if self.workspace is not None:
            self.workspace.before(step)
        self.recorder.step_started(step, call)
        return step


__all__ = [
    "FORKED",
    "LIVE",
    "ActiveRun",
    "Answer",
    "Call",
    "CancelledAnswer",
    "Decision",
    "Document",
    "End",
    "ErrorAnswer",
    "HttpAnswer",
    "OpenStep",
    "Opening",
    "Recorder",
    "StepHandler",
    "ValueAnswer",
    "new_run_id",
    "new_step_id",
]
