"""The answerer: decides for each step of a re-execution whether it is served, substituted or live.

Before the fork point everything comes from the tape, or the re-execution stops. At the fork step
the substitute is given; what comes of steps after it is for `Afterwards` to say. Steps that enclose
the fork point run again, with their own inner steps served.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from tracer.capture import identity
from tracer.capture.boundary import LIVE, Call, Decision
from tracer.capture.loopturns import pause, trio_running
from tracer.capture.secrets import Secrets
from tracer.core.chain import BodySplitter
from tracer.core.records import JSON, Step
from tracer.errors import DivergenceStop, ReplayStop, SetupStop
from tracer.providers.editing import Edit, edited
from tracer.reexecution.afterwards import Afterwards, Course
from tracer.reexecution.answers import Answers
from tracer.reexecution.asking import Asked, asked_json
from tracer.reexecution.breaking import stop_before
from tracer.reexecution.budget import Budget
from tracer.reexecution.divergence import Divergence, changed, extra, missing, reordered
from tracer.reexecution.gate import Gate
from tracer.reexecution.likely import Recorded
from tracer.reexecution.marked import Marked, hidden
from tracer.reexecution.rules import Rules
from tracer.reexecution.servers import Servers
from tracer.reexecution.tape import (
    Match,
    Tape,
    is_inside,
    point_of,
    points_of,
    same_branch,
    served_points,
)

_AGAIN = Decision(source="recorded")
# An agent that catches even BaseException in a loop is ended from outside after this.
PATIENCE_STEPS = 100
PATIENCE_SECONDS = 5.0
CANCEL_SECONDS = 5.0  # a cancellation may take this much longer than it did


class Answerer:
    """Implements capture's `StepHandler` from a tape and rules. Thread-safe."""

    def __init__(self, tape: Tape, answers: Answers, rules: Rules, secrets: Secrets) -> None:
        self.tape = tape
        self.answers = answers
        self.rules = rules
        self.secrets = secrets
        self.recorded = Recorded()
        self.divergences: list[Divergence] = []
        self.budget = Budget(rules.ceilings)
        self.ignored = 0  # steps that were answered although they differed, as was asked for
        self.forked = False
        self._stop: ReplayStop | None = None
        self._stopped_at = 0.0
        self._ignored = 0
        self._servers = Servers(answers)
        self._marked = Marked(answers, secrets)
        self._splitter = BodySplitter()
        self._lock = threading.RLock()
        busy = [step for step in tape.steps if step.detail.get("beside")]
        self.gate = Gate(
            served_points(tape, rules.fork), [s for step in busy for s in points_of(step)[1:]]
        )
        self.after = Afterwards(tape, answers, rules, self.gate, self.budget, self.stop, self._lock)
        self.after.clean = lambda call: identity.without_secrets(call, secrets)
        self.after.clean_json = lambda value: secrets.record(secrets.tree(value, "question"))
        self.run_id = ""  # of the run that this makes
        self.on_ignored: Callable[[], None] = lambda: None  # the agent goes on all the same
        self.on_moment: Callable[[int], None] = lambda moment: None  # recorded time goes by
        self.on_live: Callable[[], None] = lambda: None  # opens the tripwire

    def check(self) -> None:
        """Raise what ended this re-execution. Sticky, so that no code runs on past it."""
        if self._stop is None:
            return
        self._ignored += 1
        if self._ignored > PATIENCE_STEPS or time.monotonic() > self._stopped_at + PATIENCE_SECONDS:
            self.on_ignored()
        raise type(self._stop)(*self._stop.args)

    def stop(self, stop: ReplayStop) -> ReplayStop:
        """End the re-execution: this exception, now and at every later step."""
        with self._lock:
            if self._stop is None:
                self._stop = stop
                self._stopped_at = time.monotonic()
        self.gate.open()
        return stop

    @property
    def stopped(self) -> ReplayStop | None:
        return self._stop

    def decide(self, call: Call) -> Decision:
        """What to do with a step (see the module)."""
        self.check()
        if call.kind in ("agent", "note"):
            # Their code runs again; what they come to is the recording's until the fork.
            return LIVE if self.forked else _AGAIN
        with self._lock:
            self.after.seen(call)
            return self._decide(call)

    def _decide(self, call: Call) -> Decision:
        kept = identity.without_secrets(call, self.secrets)
        fingerprint = identity.call_fingerprint(kept, identity.split(kept, self._splitter))
        write_tool = call.kind == "tool" and call.effect not in ("read", "local")
        match = self.tape.match(call.slot, fingerprint, write_tool=write_tool)
        if match.how == "miss" and kept is not call:
            # Recorded before anything had shown that this is a secret.
            known = identity.call_fingerprint(call, identity.split(call, self._splitter))
            match = self.tape.match(call.slot, known, write_tool=write_tool)
        if match.how == "miss" and match.step is not None and self._marked.learn(match.step, kept):
            kept = identity.without_secrets(call, self.secrets)
            fingerprint = identity.call_fingerprint(kept, identity.split(kept, self._splitter))
            match = self.tape.match(call.slot, fingerprint, write_tool=write_tool)
        if match.how == "miss":
            if not self._tolerates(call, match):
                return self._missed(call, match, fingerprint)
            match = self.tape.take(match)
        step = match.step
        assert step is not None
        if (found := self._servers.another(call, step)) is not None:
            self.divergences.append(found)
            raise self.stop(DivergenceStop(found.message))
        if step.n == self.rules.break_at:
            with self.gate.paused():
                stop_before(step)
        fork = self.rules.fork
        if fork is not None and step.id == fork.id:
            return self._substituted(call, step, fingerprint)
        before = fork is None or step.start_seq < fork.start_seq
        if before:
            self._report_move(match, step, call)
            return self._serve(call, step, fingerprint)
        return self._after(call, step, fingerprint, same_place=match.how == "exact")

    def _serve(self, call: Call, step: Step, fingerprint: str) -> Decision:
        """Answer from the tape, or run again what encloses the fork or changes only memory."""
        self.gate.passed(step.start_seq)
        fork = self.rules.fork
        if step.effect == "local" or call.effect == "local":
            return self._reentered(step, fingerprint)
        if fork is not None and is_inside(fork, step):
            return self._reentered(step, fingerprint)
        return self._whole(step, fingerprint)

    def _whole(self, step: Step, fingerprint: str) -> Decision:
        """The recorded answer; what was recorded inside the step is used up with it."""
        self.gate.passed(step.start_seq)
        inside = self.tape.inside(step)
        for inner in inside:
            self.tape.use(inner)
        self.gate.skip(s for inner in inside for s in points_of(inner))
        try:
            answer = self.answers.recorded(step, lambda how: self._differs(step, how))
        except SetupStop as stop:
            raise self.stop(stop) from None
        self.on_moment(step.ended_ns or step.started_ns)
        return Decision(answer, "recorded", step.id, fingerprint=fingerprint, ticket=step)

    def _reentered(self, step: Step, fingerprint: str) -> Decision:
        self.gate.skip(points_of(step))
        return Decision(
            source="live", matched_step=step.id, fingerprint=fingerprint, detail={"reentered": True}
        )

    def _substituted(self, call: Call, step: Step, fingerprint: str) -> Decision:
        self.gate.passed(step.start_seq)
        for inner in self.tape.inside(step):
            self.tape.use(inner)
        substitute = self.rules.substitute
        assert substitute is not None
        if substitute.kind == "again":
            return self._again(call, substitute.edit, fingerprint)
        answer = self.answers.substituted(step, call, substitute)
        self.after.held.substituted(step, call, answer)
        self.forked = True
        self.on_moment(step.ended_ns or step.started_ns)
        if self.rules.after != "recorded":
            self.on_live()
        return Decision(answer, "substituted", step.id, fingerprint=fingerprint, ticket=step)

    def _again(self, call: Call, edit: Edit, fingerprint: str) -> Decision:
        """The model is asked for real, with the same question or an edited one."""
        self.forked = True
        self.on_live()
        if not edit.is_empty and call.request is not None and call.api is not None:
            try:
                call.request = edited(call.api.name, call.request, edit)
            except ValueError as error:
                raise self.stop(
                    SetupStop(f"{call.name} can't be asked otherwise: {error}")
                ) from None
        course = self.after.model(call, fingerprint)
        proceed = course.proceed
        detail: dict[str, JSON] = {"again": edit.as_json()}
        again = replace(course, proceed=lambda: replace(proceed(), detail=detail))
        return self._unless_asked(call, again, fingerprint)

    def _missed(self, call: Call, match: Match, fingerprint: str) -> Decision:
        fork = self.rules.fork
        if fork is not None and self.forked:
            return self._after(call, None, fingerprint, same_place=False)
        found = self._explain(call, match)
        self.divergences.append(found)
        raise self.stop(DivergenceStop(found.message))

    def _tolerates(self, call: Call, match: Match) -> bool:
        """Whether the step that stands in a call's place answers it although it asked for
        something else: all that differs is to be ignored, or everything is served."""
        step, rules = match.step, self.rules
        if step is None or self.forked or not (rules.ignore or rules.serve_anyway):
            return False
        if call.kind in ("tool", "step") and call.name != step.name:
            return False
        kept = identity.without_secrets(call, self.secrets)
        old, new = self.answers.asked(step), self.answers.asking(kept)
        if rules.ignores(old, new):
            self.ignored += 1
            return True
        if rules.serve_anyway:
            self.divergences.append(self._explain(call, match))
        return rules.serve_anyway

    def _explain(self, call: Call, match: Match) -> Divergence:
        if match.step is None:
            nearest = self.tape.nearest(call.slot)
            return extra(call.kind, call.name, nearest, call.callsite)
        new = self.answers.asking(identity.without_secrets(call, self.secrets))
        old = self.answers.asked(match.step)
        new = hidden(old, new)
        return changed(match.step, call.name, old, new, call.callsite, self.recorded)

    def _report_move(self, match: Match, step: Step, call: Call) -> None:
        if match.how in ("shifted", "moved") and not same_branch(step.slot, call.slot):
            self.divergences.append(reordered(step, match.how))

    def _differs(self, step: Step, how: str) -> None:
        """The code uses a recorded answer in another way: what comes then was never recorded."""
        what = (
            f"step {step.n} ({step.kind} {step.name}) {how}, and what comes then was not recorded"
        )
        self.divergences.append(Divergence("changed_request", what, step.n, step.id))
        raise self.stop(DivergenceStop(what))

    def _after(
        self, call: Call, step: Step | None, fingerprint: str, *, same_place: bool
    ) -> Decision:
        """After the fork point: see `Afterwards`. Somebody is asked where a policy or a breakpoint
        wants it."""
        course = self.after.course(call, step, fingerprint, self._whole, same_place=same_place)
        return self._unless_asked(call, course, fingerprint)

    def _unless_asked(self, call: Call, course: Course, fingerprint: str) -> Decision:
        met = []
        if self.after.breaks and not call.repeated:
            met = self.after.breaks.hit(
                call, self.budget.spent, lambda: asked_json(self.after, self.after.clean(call))
            )
        why = [*(f"breakpoint {text}" for text in met), *([course.asks] if course.asks else [])]
        if not why:
            return course.proceed()
        if self.after.channel is None:
            raise self.after.unattended(call, course, met, "nobody is there to be asked")
        asked = Asked(self.after, call, course, why, self.run_id, fingerprint)
        return Decision(fingerprint=fingerprint, pending=asked)

    def wait(self, decision: Decision, point: str) -> None:
        self.check()
        step = decision.ticket
        if isinstance(step, Step):
            self.gate.wait(point_of(step, point))
            self.check()

    async def wait_async(self, decision: Decision, point: str) -> None:
        self.check()
        step = decision.ticket
        if isinstance(step, Step):
            try:
                trio = None if step.status == "cancelled" else trio_running()
                if trio is None:
                    await self.gate.wait_async(point_of(step, point))
                else:
                    # There a cancellation waits for the next pause, and in the recording the
                    # answer came without one.
                    with trio.CancelScope(shield=True):
                        await self.gate.wait_async(point_of(step, point))
            except BaseException:  # cancelled here, earlier than in the recording
                self.gate.skip(points_of(step))
                raise
            self.check()

    def reached(self, decision: Decision, sequence: int) -> bool:
        """Whether what a process writes may be seen. After the fork, always."""
        return not isinstance(decision.ticket, Step) or self.gate.reached(sequence)

    async def hang(self, decision: Decision) -> None:
        """Wait to be cancelled. When everything has stood still for longer than the recorded step
        took, the code does not cancel it any more."""
        step = decision.ticket
        assert isinstance(step, Step)
        took = ((step.ended_ns or step.started_ns) - step.started_ns) / 1e9
        try:
            while self.gate.quiet_seconds() < CANCEL_SECONDS + 1.5 * took:
                self.check()
                await pause(0.005)
            self._differs(step, "was cancelled in the recording, the code now waits for its answer")
        finally:
            self.gate.passed(step.end_seq)

    def let_go(self, decision: Decision) -> None:
        """A stream was closed early: whoever waits for its end need not."""
        if isinstance(decision.ticket, Step):
            self.gate.skip(points_of(decision.ticket))

    def cannot(self, sentence: str) -> ReplayStop:
        """An answer can't be given."""
        return self.stop(SetupStop(sentence))

    def is_offline(self) -> bool:
        """Whether everything is answered from the recording: before the fork, or always."""
        return not self.forked or self.rules.after == "recorded"

    def finish(self) -> list[Divergence]:
        """The report at the end: what was recorded before the fork but never asked for."""
        if self._stop is None:
            fork = self.rules.fork
            for step in self.tape.unused():
                if fork is None or step.start_seq <= fork.start_seq:
                    self.divergences.append(missing(step))
        return self.divergences
