"""One process as a step: `Recorded` while it really runs, `Played` when it is answered."""

import contextlib
import os
import time
from typing import Any

from tracer.capture.boundary import OpenStep, ValueAnswer
from tracer.capture.exceptions import error_info, error_state
from tracer.capture.guard import report
from tracer.capture.processes.outcome import Log, Outcome
from tracer.capture.processes.player import Player
from tracer.capture.processes.pump import Flow, Pump
from tracer.capture.processes.streams import Ends, FileTail, Handles, ends_of, kind_of
from tracer.capture.values import Encoded, encode_whole

_READY = 2.0  # seconds a stand-in is given to come up; a few milliseconds are usual
_SETTLE = 0.05  # seconds the end of a process is given to bring the rest of its output
_WHY_NOT = {
    "other": "writes to a terminal, socket or pipe of the program's that can't be recorded",
    "unread": "writes into a file that could not be read back",
    "cut": "wrote more than is kept of a process",
    "descriptors": "is handed open files of the program",
}


class Started:
    """What both have: the step, and the descriptors that were given to Popen in place of its own.

    `begun(pid)`, `failed(error)`, `cue()` and `observed(returncode)` are told what happens.
    """

    def __init__(self, step: OpenStep) -> None:
        self.step = step
        self.pid = 0
        self._ours: list[int] = []  # descriptors that Popen will not close
        step.run.closers[step.id] = self.close

    def interpose(self, handles: Handles) -> Handles:
        """Other descriptors for the child, where its streams pass through us."""
        raise NotImplementedError

    def begun(self, pid: int) -> None:
        self.pid = pid
        self._close_ours()

    def failed(self, error: BaseException) -> None:
        """It could not be started."""
        self._close_ours()
        self.step.run.closers.pop(self.step.id, None)
        self.step.end("error", error=error_info(error), detail=error_state(error))

    def cue(self) -> None:
        """The program looked in vain whether it has ended, or sent it a signal."""

    def look(self) -> bool:
        """Before the program looks; whether it has surely ended."""
        return False

    def observed(self, returncode: int) -> None:
        """The program learns how the process ended."""
        raise NotImplementedError

    def close(self) -> None:
        """The run ends, whatever the process does."""
        raise NotImplementedError

    def _close_ours(self) -> None:
        for descriptor in self._ours:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._ours.clear()

    def _ended(self) -> bool:
        return self.step.run.closers.pop(self.step.id, None) is None


class Recorded(Started):
    """A process that really runs; its pipes pass through a pump."""

    def __init__(self, step: OpenStep, given: dict[str, Any]) -> None:
        super().__init__(step)
        self.log = Log()
        self._notes: list[str] = ["descriptors"] if given.get("pass_fds") else []
        self._inherited: list[str] = []
        self._files: list[FileTail] = []
        self._pump: Pump | None = None
        self._returncode: int | None = None
        self._seen: list[int] | None = None  # when the program learned how it ended

    def interpose(self, handles: Handles) -> Handles:
        flows: list[Flow] = []
        made = list(handles)
        for place, ends in zip((0, 3, 5), ends_of(handles), strict=True):
            if place == 5 and ends.program == -1 and ends.child != -1 and ends.child == handles[3]:
                made[5] = made[3]  # standard error goes where standard output goes
            else:
                made[place] = self._through(ends, flows)
        if flows:
            self._pump = Pump(flows, self._moved)
            self._pump.when_done = self._drained
        return made[0], made[1], made[2], made[3], made[4], made[5]

    def _through(self, ends: Ends, flows: list[Flow]) -> int:
        """The child's end of a stream, another one where we watch it."""
        kind = kind_of(ends)
        if kind in ("pipe", "passage"):
            own = ends.child if kind == "pipe" else os.dup(ends.child)
            reading, writing = os.pipe()
            inward = ends.name == "stdin"
            flows.append(Flow(ends.name, *((own, writing) if inward else (reading, own))))
            self.log.watch(ends.name)
            child = reading if inward else writing
            if kind == "passage":
                self._ours.append(child)
            return child
        if ends.name != "stdin":
            if kind == "file":
                self._files.append(FileTail(ends.name, ends.child))
            elif kind == "inherited":
                self._inherited.append(ends.name)
            elif kind == "other":
                self._notes.append("other")
        return ends.child

    def _moved(self, name: str, data: bytes) -> None:
        if name == "stdin":
            self.log.sent(data)
        else:
            self.log.wrote(name, data, self.step.run.numbers.last)

    def begun(self, pid: int) -> None:
        super().begun(pid)
        if self._pump is not None:
            self._pump.start()

    def failed(self, error: BaseException) -> None:
        super().failed(error)
        for flow in self._pump.flows if self._pump is not None else ():
            with contextlib.suppress(OSError):
                flow.end()

    def cue(self) -> None:
        self.log.cue()

    def observed(self, returncode: int) -> None:
        self._returncode = returncode
        if self._pump is not None and not self._pump.ended:
            self._pump.settle(_SETTLE)
        self._seen = self.log.now(self.step.run.numbers.last)
        if self._pump is None or self._pump.ended:
            self.close()

    def _drained(self) -> None:
        """All that it wrote was passed on, maybe after its end was seen."""
        if self._seen is not None:
            self.close()

    def close(self) -> None:
        if self._ended():
            return
        try:
            for file in self._files:
                data = file.read()
                if data is None:
                    self._notes.append("unread")
                else:
                    self.log.wrote(file.name, data, self.step.run.numbers.last)
            if self.log.cut:
                self._notes.append("cut")
            made = encode_whole(self.log.value(self._returncode))
            detail = self.log.detail(self._seen)
            detail["seconds"] = round((time.time_ns() - self.step.started_ns) / 1e9, 3)
            if self._inherited:
                detail["inherited"] = self._inherited
            if self._notes:
                detail["why_not"] = _WHY_NOT[self._notes[0]]
            fidelity = "opaque" if self._notes else "exact"
            self.step.end("ok", made=made, fidelity=fidelity, detail=detail)
        except Exception as error:
            report("recording a process", error)


class Played(Started):
    """A process that is answered: a stand-in runs, a player writes what was written."""

    def __init__(self, step: OpenStep, answer: ValueAnswer, outcome: Outcome) -> None:
        super().__init__(step)
        self._answer = answer
        self._outcome = outcome
        self._player: Player | None = None
        self._seen = False

    def interpose(self, handles: Handles) -> Handles:
        stdin, stdout, stderr = ends_of(handles)
        hear, control = os.pipe()
        life, mark = os.pipe()
        marks = [mark, os.dup(mark)]
        sinks: dict[str, int] = {}
        for ends in (stdout, stderr):
            if ends.program != -1:
                sinks[ends.name] = ends.child
            elif ends is stderr and ends.child == stdout.child:
                continue  # it went where standard output went
            elif kind_of(ends) in ("passage", "file"):
                sinks[ends.name] = os.dup(ends.child)
        kind = kind_of(stdin)
        source = stdin.child if kind == "pipe" else -1
        if kind in ("passage", "other"):
            source = os.dup(stdin.child)
        compared = kind in ("pipe", "passage") and self._outcome.stdin is not None
        self._player = Player(self._outcome, self, source, sinks, control, life, compared=compared)
        for descriptor, ends in zip((hear, *marks), (stdin, stdout, stderr), strict=True):
            if ends.program == -1:
                self._ours.append(descriptor)
        return hear, stdin.program, stdout.program, marks[0], stderr.program, marks[1]

    def begun(self, pid: int) -> None:
        super().begun(pid)
        if self._player is not None:
            self._player.start()
            self._player.ready.wait(_READY)

    def cue(self) -> None:
        if self._player is not None:
            self._player.cue()

    def look(self) -> bool:
        return self._player is not None and self._player.look()

    def observed(self, returncode: int) -> None:
        self._seen = True
        self.close()

    def close(self) -> None:
        if self._ended():
            return
        if not self._seen and self._player is not None:
            self._player.stop()
        self.step.run.let_go(self.step.decision)
        made = Encoded(self._answer.data, "exact")
        self.step.end("ok", made=made, fidelity="exact", detail=dict(self._answer.form))

    def reached(self, sequence: int) -> bool:
        run, decision = self.step.run, self.step.decision
        return run.handler is None or run.handler.reached(decision, sequence)

    def stopped(self) -> bool:
        try:
            self.step.run.check()
        except BaseException:  # what ended it is raised in the program's own threads
            return True
        return False

    def differs(self, how: str) -> None:
        if self._answer.differs is not None:
            self._answer.differs(how)


def wait_for_status(poll: Any, seconds: float = 0.5) -> Any:
    """Poll a process that has just ended: the system may tell a moment later."""
    give_up = time.monotonic() + seconds
    while (status := poll()) is None and time.monotonic() < give_up:
        time.sleep(0.0005)
    return status
