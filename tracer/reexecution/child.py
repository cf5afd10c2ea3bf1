"""The child process of a re-execution: `python -P -m tracer.reexecution.child PLAN`.

Reads its instructions, answers the program's steps, and leaves the outcome in a file.
"""

import contextlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracer.capture import cleaning, hashseed, runtime, secretkey, secrets
from tracer.capture import scope as scopes
from tracer.capture.agents import SETUP
from tracer.capture.boundary import ActiveRun
from tracer.capture.environment import KEY_VARIABLES
from tracer.capture.functions import Parameters
from tracer.capture.rebuild import CannotRebuild, build
from tracer.capture.runs import close_program, open_program
from tracer.capture.values import decode
from tracer.core.records import ErrorInfo
from tracer.core.variation import Ignore
from tracer.errors import (
    EXIT_POLICY,
    CannotReplayError,
    PolicyStop,
    ReplayStop,
    TracerError,
)
from tracer.reexecution import tripwire
from tracer.reexecution.answers import Answers
from tracer.reexecution.breaks import parse_break
from tracer.reexecution.budget import Ceilings, Spent
from tracer.reexecution.calling import call
from tracer.reexecution.channel import channel_of
from tracer.reexecution.entropy import draws_of
from tracer.reexecution.handler import PATIENCE_SECONDS, Answerer
from tracer.reexecution.imports import load_function
from tracer.reexecution.policy import Policies
from tracer.reexecution.program import execute, print_as_python
from tracer.reexecution.redirect import HeldWrites
from tracer.reexecution.rules import Rules
from tracer.reexecution.scratch import Scratch
from tracer.reexecution.servers import DUMMY_KEY
from tracer.reexecution.substitute import Substitute
from tracer.reexecution.tape import Tape
from tracer.reexecution.verdict import Verdict
from tracer.reexecution.workspace import Followed, keep_files, prepare, refuse_named
from tracer.store.reading import Store
from tracer.store.trees import repository_of
from tracer.store.workspaces import History, recorded_workspace


class Session:
    """One re-execution in this process."""

    def __init__(self, instructions: dict[str, Any]) -> None:
        self.given = instructions
        self.store = Store.open(Path(instructions["database"]))
        self.parent = self.store.find_run(instructions["parent"])
        self.scratch = self._make_scratch()
        self.error: ErrorInfo | None = None
        self.output: bytes | None = None
        self.ended = False
        self._writes: HeldWrites | None = None
        self.handler = self._make_handler()
        if self.scratch is not None and self.scratch.is_elsewhere:
            tape, answers = self.handler.tape, self.handler.answers
            refuse_named(self.scratch.recorded, tape.steps, answers)
        self.draws = draws_of(self.store, self.parent, self.handler)
        self.template = self._make_template()

    def _make_scratch(self) -> Scratch | None:
        """First of all: a process with threads gets no mounts of its own."""
        found = recorded_workspace(self.parent.environment)
        if found is None:
            return None
        if self.given["outcome"] is None:
            raise CannotReplayError(
                f"the run has a workspace ({found[0]}), which only a process of its own can see as "
                f"it was: use tracer fork {self.parent.id[:8]}"
            )
        place, keep = Path(self.given["database"]), self.given.get("keep_writes")
        folder = Path(self.given["outcome"]).parent
        scratch = prepare(*found, place, folder, Path(keep) if keep else None)
        own = [str(scratch.seen), str(repository_of(place))]
        self.given["allow_writes"] = [*self.given.get("allow_writes", ()), *own]
        return scratch

    def _follow(self, run_id: str) -> Followed | None:
        """What follows the workspace, if the run has one."""
        found = recorded_workspace(self.parent.environment)
        if self.scratch is None or found is None:
            return None
        steps = list(self.handler.tape.steps)
        history = History(found[1], steps)
        return Followed(
            self.scratch, Path(self.given["database"]), run_id, history, steps, self.handler
        )

    def _make_handler(self) -> Answerer:
        given = self.given
        steps = self.store.steps(self.parent.id)
        fork = next((step for step in steps if step.id == given["step"]), None)
        substitute = given["substitute"]
        rules = Rules(
            fork,
            None if substitute is None else Substitute.from_json(substitute),
            given["after"],
            Policies(given["tools"]),
            Ceilings(**given["ceilings"]),
            tuple(map(parse_break, given.get("breaks") or ())),
            tuple(map(Ignore.parse, given.get("ignore") or ())),
            bool(given.get("serve_anyway")),
            given.get("break_at"),
        )
        secretkey.use_database(Path(given["database"]))
        known = secrets.of_run(given["run_id"])
        handler = Answerer(Tape(steps), Answers(self.store), rules, known)
        handler.on_live = self._go_live
        handler.run_id = given["run_id"]
        waiting = (handler.gate.paused, handler.budget.paused)
        handler.after.channel = channel_of(given, self.store, known, waiting, handler.check)
        handler.budget.spent = self._spent
        return handler

    def _spent(self) -> Spent:
        """Tokens and dollars of what this re-execution did for real so far."""
        recorder = runtime.recorder_for(Path(self.given["database"]))
        tally = recorder.tallies.get(self.given["run_id"])
        return (0, None) if tally is None else (tally.tokens, tally.cost_usd)

    def _go_live(self) -> None:
        """Behind the fork point, what the program does outside any step is done."""
        tripwire.set_wire(None)
        os.environ.pop(runtime.REPLAYING, None)
        if self._writes is not None:
            self._writes.go_live()
        self.handler.budget.begin()
        self.handler.budget.watch(self._out_of_time)

    def _out_of_time(self) -> None:
        """The minutes are used up: the program is stopped at its next step, or from outside."""
        if self.ended:
            return
        self.handler.stop(PolicyStop(f"the program was stopped: {self.handler.budget.late()}"))
        time.sleep(PATIENCE_SECONDS)
        if not self.ended:
            self.handler.on_ignored()

    def _make_template(self) -> runtime.Template:
        given = self.given
        fork = None
        step = self.handler.rules.fork
        if step is not None:
            substitute = given["substitute"]
            fork = {
                "step": step.n,
                "step_id": step.id,
                "kind": substitute["kind"],
                "after": given["after"],
                "substitute": substitute,
                "reason": given.get("reason"),
            }
        return runtime.Template(
            given["run_id"],
            self.parent.id,
            fork,
            self.parent.entry if self.parent.origin == "local" else given["entry"],
            self.handler,
            Path(given["database"]),
            self._on_end,
            draws=self.draws,
            workspace=None if self.scratch is None else self._follow,
        )

    def _on_end(self, run: ActiveRun, error: ErrorInfo | None, output: bytes | None) -> Any:
        """The run has ended: what was not asked for is reported with it."""
        self.error = error
        self.output = output
        self.ended = True
        found = self.handler.finish()
        self.template.divergences.extend(item.as_json() for item in found)
        run.warnings.extend(self._warnings())
        return "stopped" if self.handler.stopped is not None else None

    def _warnings(self) -> list[str]:
        found = self.draws.notes(whole=self.handler.stopped is None) if self.draws else []
        if relaxed := self.handler.gate.relaxed:
            found.append(
                f"the recorded order of concurrent steps could not be kept in {relaxed} "
                f"place{'s' if relaxed > 1 else ''}"
            )
        found += self.handler.after.by_hand
        if ignored := self.handler.ignored:
            rules = ", ".join(rule.text for rule in self.handler.rules.ignore)
            found.append(
                f"{ignored} step{'s' if ignored > 1 else ''} asked for something else than "
                f"recorded and got the recorded answer (--ignore {rules})"
            )
        return found

    def prepare(self) -> None:
        """Offline from here on, until the fork point."""
        for name in self._keys_wanted():
            if not os.environ.get(name):
                os.environ[name] = DUMMY_KEY
        # Processes that the program starts by other means than those refused know of it by this.
        os.environ[runtime.REPLAYING] = "1"
        tripwire.set_wire(self._refuse)
        runtime.install()

    def run(self) -> None:
        """Start the program again."""
        self.prepare()
        runtime.set_replaying(self._refuse_outside)
        self.handler.on_ignored = self._end_by_force
        self._writes = HeldWrites(self.given, self._refuse)
        entry = self.given["entry"]
        try:
            if entry["kind"] in ("script", "module"):
                self._run_program(entry)
            else:
                self._run_function(entry)
        finally:
            self._writes.release()
            if self.scratch is not None and self.given.get("keep_writes"):
                keep_files(self.scratch, Path(self.given["keep_writes"]))

    def _end_by_force(self) -> None:
        """The agent ignores that the re-execution has ended: it isn't asked again."""
        for run in scopes.active_runs():
            runtime.close_run(run, "stopped", None, None)
        runtime.flush(2.0)
        if self._writes is not None:
            self._writes.release()
        os._exit(deliver(self.outcome(), self.given["outcome"]))

    def _keys_wanted(self) -> list[str]:
        """The keys that clients want to see when they are made, though none is used offline.

        A fork that goes live gets only those the recorded program had: what it does without a key
        (start a local model, read a file) it must still do.
        """
        if self.handler.rules.fork is None or self.given["after"] == "recorded":
            return list(KEY_VARIABLES)
        recorded = self.parent.environment.get("keys")
        return [name for name in KEY_VARIABLES if name in (recorded or ())]

    def _refuse(self, tried: str) -> None:
        raise self.handler.stop(
            PolicyStop(
                f"the program attempted {tried}, outside any recorded step, while answers come "
                "from the recording: decorate what does it with @tracer.tool"
            )
        )

    def _refuse_outside(self, what: str) -> None:
        """Another run or a tool outside the run: it would really happen, with nothing to serve."""
        if self.ended:
            raise ReplayStop("the run that is re-executed is over")
        raise self.handler.stop(
            PolicyStop(
                f"the program starts {what} before the recorded run, where nothing can be answered "
                "from the recording: record the whole program with `tracer run`"
            )
        )

    def _run_program(self, entry: dict[str, Any]) -> None:
        as_module = entry["kind"] == "module"
        target, arguments = str(entry["path"]), [str(word) for word in entry.get("argv") or []]
        if not entry.get("whole", True):
            runtime.expect(self.template)
            execute(target, arguments, as_module=as_module)
            return
        runtime.expect(self.template)
        name = target if as_module else Path(target).name
        program = open_program(name, arguments, entry)
        tools = [str(name) for name in self.template.entry.get("tools") or ()]
        status, error = execute(
            target, arguments, as_module=as_module, scope_of=program, tools=tools
        )
        close_program(program, status, error)

    def _run_function(self, entry: dict[str, Any]) -> None:
        sys.argv = [str(entry.get("file") or entry["module"]), *map(str, entry.get("argv") or [])]
        runtime.expect(self.template)
        try:
            function = load_function(entry)
        except (ReplayStop, TracerError):
            raise
        except BaseException as error:
            if runtime.expected():
                place = entry.get("file") or entry["module"]
                raise CannotReplayError(
                    f"{place} fails when it is imported ({type(error).__name__}: {error}): record "
                    "the whole program with `tracer run`"
                ) from None
            print_as_python(error)
            return
        if not runtime.expected():
            return  # the file runs its agent when it is imported, so that was the run
        args, kwargs = self.arguments(function)
        try:
            call(function, args, kwargs)
        except ReplayStop:
            pass
        except BaseException as error:
            if isinstance(error, SystemExit):
                return
            print_as_python(error)

    def arguments(self, function: Callable[..., Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The recorded arguments, for a call. Raises CannotReplayError when they don't fit."""
        data = self.store.run_value(self.parent.id, "input")
        named = {} if data is None else decode(data)
        parameters = Parameters(inspect.unwrap(function))
        hints = parameters.hints()
        made = self._from_setup(function)
        try:
            built = {n: build(value, hints.get(n)) for n, value in named.items() if n not in made}
            return parameters.to_call(built | made)
        except (CannotRebuild, TypeError) as error:
            raise CannotReplayError(
                f"the recorded arguments don't fit {function.__qualname__} any more ({error}): "
                "record the whole program with `tracer run`, or give the parameter its old name"
            ) from None

    def _from_setup(self, function: Callable[..., Any]) -> dict[str, Any]:
        """The arguments that `@tracer.agent(setup=…)` makes, by name."""
        setup = getattr(function, SETUP, None)
        if setup is None:
            return {}
        try:
            return dict(setup())
        except Exception as error:
            failed = f"setup of {function.__qualname__} fails ({type(error).__name__}: {error})"
            raise CannotReplayError(
                f"{failed}: it must return a dict of the arguments that can't be stored, by name"
            ) from error

    def outcome(self) -> dict[str, Any]:
        """Exit code and message, by what weighs most; divergences; writes that were held back."""
        code, message = Verdict(
            self.handler, self.parent, self.error, begun=self.template.begun, ended=self.ended
        ).of(self._output_differs)
        return {
            "exit_code": code,
            "message": message,
            "divergences": [item.as_json() for item in self.handler.divergences],
            "held_writes": [] if self._writes is None else self._writes.held,
        }

    def _output_differs(self) -> bool:
        recorded = self.store.run_value(self.parent.id, "output")
        if recorded is None or self.output is None:
            return recorded is not self.output
        known = self.handler.secrets
        return recorded != cleaning.result(self.output, "output", self.parent.name, known)


def main(path: str) -> int:
    """Run one re-execution; its exit code."""
    hashseed.adopt()
    with open(path, encoding="utf-8") as file:
        instructions = json.load(file)
    with contextlib.suppress(OSError):
        os.unlink(path)
    session: Session | None = None
    try:
        session = Session(instructions)
        session.run()
        outcome = session.outcome()
    except TracerError as error:
        outcome = {"exit_code": error.exit_code, "message": str(error), "divergences": []}
    except ReplayStop as stop:
        stopped = session.outcome() if session is not None else None
        outcome = stopped or {"exit_code": EXIT_POLICY, "message": str(stop), "divergences": []}
    runtime.flush()
    return deliver(outcome, instructions["outcome"])


def deliver(outcome: dict[str, Any], target: str) -> int:
    """Leave the outcome in its file; its exit code."""
    with open(target + ".part", "w", encoding="utf-8") as file:
        json.dump(outcome, file)
    os.replace(target + ".part", target)
    return int(outcome["exit_code"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
