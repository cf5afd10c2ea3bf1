"""What happens behind the fork point: the same question gets the recorded answer, others go live.

Models are asked for real (with `after="live"`), tools follow their policy. Where a policy asks, or
a breakpoint is met, whoever watches decides first.
"""

import shlex
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tracer.capture.boundary import Call, Decision
from tracer.core.records import JSON, Step
from tracer.errors import PolicyStop, ReplayStop, SetupStop, ToolBlocked
from tracer.reexecution.answers import Answers
from tracer.reexecution.breaks import Breaks
from tracer.reexecution.budget import Budget
from tracer.reexecution.channel import Channel
from tracer.reexecution.gate import Gate
from tracer.reexecution.heldstate import HeldStates
from tracer.reexecution.policy import Policy
from tracer.reexecution.rules import Rules
from tracer.reexecution.servers import refuse_dummy_key
from tracer.reexecution.tape import Tape

Goes = Literal["live", "recorded", "stubbed", "blocked", "stopped"]
_KEPT_CALLS = 8  # model calls whose offered tools are remembered


@dataclass(frozen=True, slots=True)
class Course:
    """What comes of a step if nobody is asked: `goes` says it in a word, `proceed` does it.

    `asks`: why somebody has to agree first, and what is said when nobody does.
    """

    goes: Goes
    proceed: Callable[[], Decision]
    asks: str = ""
    otherwise: str = ""


class Afterwards:
    """Decides behind the fork point. The caller holds `lock`."""

    def __init__(
        self,
        tape: Tape,
        answers: Answers,
        rules: Rules,
        gate: Gate,
        budget: Budget,
        stop: Callable[[ReplayStop], ReplayStop],
        lock: threading.RLock,
    ) -> None:
        self.answers = answers
        self.tape = tape
        self.rules = rules
        self.gate = gate
        self.budget = budget
        self.stop = stop
        self.lock = lock
        self.held = HeldStates(tape.steps, answers, rules.fork)
        self.breaks = Breaks(rules.breaks)
        self.channel: Channel | None = None
        self.clean: Callable[[Call], Call] = lambda call: call
        self.clean_json: Callable[[JSON], JSON] = lambda value: value
        self.by_hand: list[str] = []  # what somebody decided that no step tells of
        self._calls: deque[Call] = deque(maxlen=_KEPT_CALLS)

    def seen(self, call: Call) -> None:
        """A model call went by: it says what the tools it offers take."""
        if call.kind == "model" and call.api is not None and call.request is not None:
            self._calls.append(call)

    def schema(self, name: str) -> JSON:
        """The JSON schema of a tool's arguments, as a model was last told; None if it wasn't."""
        for call in reversed(self._calls):
            assert call.api is not None and call.request is not None
            for tool in call.api.read_request(call.request).tools:
                if tool.get("name") == name:
                    return tool.get("parameters")
        return None

    def course(
        self,
        call: Call,
        step: Step | None,
        fingerprint: str,
        whole: Callable[[Step, str], Decision],
        *,
        same_place: bool,
    ) -> Course:
        """What comes of a step; `step` is the recorded one of the same question."""
        policy = self.rules.policies.chosen(policy_name(call))
        if call.repeated and step is None:  # nothing is done a second time
            return Course("recorded", lambda: Decision(fingerprint=fingerprint))
        if step is not None and self._is_reused(call, policy, same_place=same_place):
            found = step

            def reuse() -> Decision:
                if call.kind == "model":
                    self._check_held(call, live=False)
                return whole(found, fingerprint)

            return Course("recorded", reuse)
        if call.kind == "model":
            self._check_held(call, live=False)
            return self.model(call, fingerprint)
        if call.effect == "local" or call.kind == "step":
            # Its own calls pass here again, each under its own policy.
            return Course("live", lambda: Decision(fingerprint=fingerprint))
        return self._by_policy(call, policy, fingerprint)

    def _is_reused(self, call: Call, policy: Policy | None, *, same_place: bool) -> bool:
        only_recorded = self.rules.after == "recorded"
        if call.kind == "model":
            return same_place or only_recorded
        if call.effect == "local" or call.kind == "step":
            return only_recorded and call.effect != "local"
        return policy is None or policy.word in ("recorded", "ask")

    def model(self, call: Call, fingerprint: str) -> Course:
        """A model is to be asked for real."""
        if self.rules.after == "recorded":
            why = "--after recorded answers only from the recording"
            return Course("stopped", lambda: self._refuse(call, why))
        asks = "--after ask" if self.rules.after == "ask" else ""
        return Course(
            "live", lambda: self.live_model(call, fingerprint), asks, "nobody agreed to it"
        )

    def live_model(self, call: Call, fingerprint: str) -> Decision:
        """A model is asked for real."""
        self._check_held(call, live=True)
        refuse_dummy_key(call, self.stop)
        self._count_live(call)
        self.gate.open()  # from here on the recorded order means nothing any more
        return Decision(fingerprint=fingerprint)

    def _by_policy(self, call: Call, policy: Policy | None, fingerprint: str) -> Course:
        if self.rules.after == "recorded" and (policy is None or policy.word in ("ask", "live")):
            why = "--after recorded answers only from the recording"
            return Course("stopped", lambda: self._refuse(call, why))
        chosen = policy or self.rules.policies.default(call.effect)
        live = Course("live", lambda: self.live_tool(call, fingerprint))
        if chosen.word == "ask":
            name = "policy ask" if policy is not None else "it may change the world"
            otherwise = "it may change the world and nobody agreed to it"
            return Course("live", live.proceed, name, otherwise)
        if chosen.word == "live":
            return live
        if chosen.word == "stub":
            like = self.tape.named(call.kind, call.name)
            answer = self.answers.stub(chosen.value, like, as_reply=call.request is not None)
            given = Decision(answer, "stubbed", fingerprint=fingerprint, diverged=True)
            return Course("stubbed", lambda: given)
        if chosen.word == "recorded":
            why = "its policy is `recorded` and these arguments were not"
            return Course("stopped", lambda: self._refuse(call, why))
        why = f"(--tool {call.name}=block)"
        return Course("blocked", lambda: self.block(call, why))

    def block(self, call: Call, why: str) -> Decision:
        """Raise in the agent instead of doing it."""
        raise ToolBlocked(f"{call.name} is blocked in this re-execution {why}")

    def live_tool(self, call: Call, fingerprint: str) -> Decision:
        """A tool runs, or a request that asks no model is sent."""
        if call.kind == "http":
            self._check_held(call, live=True)
            self._count_live(call)
        self.gate.open()
        return Decision(fingerprint=fingerprint)

    def _check_held(self, call: Call, *, live: bool) -> None:
        """No question is asked, or taken for the recorded one, that leaves to the provider a
        conversation which the provider holds otherwise."""
        reason = self.held.refusal(call, live=live)
        if reason is not None:
            raise self.stop(SetupStop(reason))

    def _count_live(self, call: Call) -> None:
        if (reason := self.budget.take()) is not None:
            what = f"{call.kind} {call.name} may not run live"
            raise self.stop(PolicyStop(f"{what}: {reason}; allow more, or fork at a later step"))

    def _refuse(self, call: Call, why: str) -> Decision:
        raise self.not_live(call, why)

    def not_live(self, call: Call, why: str) -> ReplayStop:
        """Ends the re-execution: a step may not run for real."""
        name = policy_name(call)
        remedy = (
            f"allow it with --tool {shlex.quote(name)}=live, or give --tool '{name}=stub:JSON'"
            if call.kind in ("tool", "http")
            else "use --after live"
        )
        return self.stop(PolicyStop(f"{call.kind} {call.name} may not run live: {why}; {remedy}"))

    def unattended(self, call: Call, course: Course, met: list[str], how: str) -> ReplayStop:
        """Ends the re-execution: somebody had to be asked, and `how` nobody answered."""
        if course.asks:
            said = course.otherwise if self.channel is None else f"{course.otherwise} ({how})"
            return self.not_live(call, said)
        where = f"{call.kind} {call.name} met the breakpoint {', '.join(met)}"
        return self.stop(PolicyStop(f"{where}, and {how}: wait longer with --wait MINUTES"))


def policy_name(call: Call) -> str:
    """The name under which a call's policy is chosen."""
    return "http" if call.kind == "http" else call.name
