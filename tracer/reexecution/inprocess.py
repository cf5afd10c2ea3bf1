"""Re-execution inside this process: the twin of `tracer fork` for notebooks and debuggers.

The agent is the decorated function of this process (or the callable given), called with the
recorded arguments. Breakpoints, prints and `pdb` work as usual.
"""

import _thread
import asyncio
import inspect
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracer.capture import config, runtime
from tracer.capture import scope as scopes
from tracer.capture.agents import registered
from tracer.capture.environment import KEY_VARIABLES
from tracer.core.records import JSON
from tracer.errors import CannotReplayError, ReplayStop, UsageError
from tracer.reexecution import terminal, tripwire
from tracer.reexecution.calling import call
from tracer.reexecution.child import Session
from tracer.reexecution.rules import After
from tracer.reexecution.session import WAIT_MINUTES, ReplaySpec, plan_with_entry
from tracer.reexecution.substitute import Substitute
from tracer.store.reading import Store


@dataclass(frozen=True, slots=True)
class Reexecution:
    """What came of a re-execution in this process.

    `result` is what the agent returned, `error` the exception it raised (None otherwise);
    `exit_code`, `message` and `divergences` are those of the command.
    """

    run_id: str
    result: Any
    error: BaseException | None
    exit_code: int
    message: str | None
    divergences: list[dict[str, JSON]]


def replay(run_id: str, *, agent: Callable[..., Any] | None = None) -> Reexecution:
    """Re-execute a run's agent here, every model and tool answer served from the recording.

    `agent` is the callable to run where it can't be found by name (a bound method, a closure).
    Raises NotFoundError, CannotReplayError.
    """
    return _reexecute(ReplaySpec(run_id), agent)


def fork(
    run_id: str,
    *,
    step: int | str | None = None,
    model_call: int | None = None,
    text: str | None = None,
    tool_call: tuple[str, Any] | None = None,
    response: Any = None,
    error: str | None = None,
    result: Any = None,
    after: After = "live",
    tools: Mapping[str, str] | None = None,
    breaks: Sequence[str] = (),
    wait_minutes: float | None = None,
    agent: Callable[..., Any] | None = None,
) -> Reexecution:
    """Re-execute a run's agent here from a step, with a substitute, and go on for real.

    Give `step` (number or id) or `model_call` (from 1), and one of `text`, `tool_call`
    (name, arguments), `response` (OpenTelemetry message or provider's body), `error` (kind) or
    `result` (of a tool). `tools` maps names to recorded, ask, live, block or stub:JSON. `breaks`
    are conditions as of `tracer fork --break`; what they and `ask` ask is answered at the terminal
    or on the run's page, `wait_minutes` is how long it waits where nobody is there to answer.
    Raises NotFoundError, UsageError, CannotReplayError.
    """
    given = _substitute(text, tool_call, response, error, result)
    if wait_minutes is None and terminal.is_there():
        wait_minutes = WAIT_MINUTES
    spec = ReplaySpec(
        run_id,
        step,
        model_call,
        given,
        after,
        tools or {},
        breaks=tuple(breaks),
        wait_minutes=wait_minutes,
    )
    if step is None and model_call is None:
        raise UsageError("fork() needs step= or model_call=: the place where the answer changes")
    return _reexecute(spec, agent)


def is_replaying() -> bool:
    """Whether the calling code runs in a re-execution (a replay or a fork)."""
    if runtime.replaying():
        return True
    run = scopes.innermost_run()
    return run is not None and run.handler is not None


def _substitute(
    text: str | None,
    tool_call: tuple[str, Any] | None,
    response: Any,
    error: str | None,
    result: Any,
) -> Substitute:
    made = []
    if text is not None:
        made.append(Substitute("text", text=text))
    if tool_call is not None:
        made.append(Substitute("tool_call", tool_name=tool_call[0], arguments=tool_call[1]))
    if response is not None:
        made.append(Substitute("response", response=response))
    if error is not None:
        made.append(Substitute("error", error=error))
    if result is not None:
        made.append(Substitute("result", result=result))
    if len(made) != 1:
        raise UsageError("fork() needs one of text=, tool_call=, response=, error=, result=")
    return made[0]


def _reexecute(spec: ReplaySpec, agent: Callable[..., Any] | None) -> Reexecution:
    runtime.flush()  # the run may have ended a moment ago in this very process
    with Store.open(config.database_path()) as store:
        made = plan_with_entry(store, spec, {"kind": "in process"})
    function = agent or _find(made.run.entry, made.run.name)
    session = Session(made.instructions(None))
    result: Any = None
    error: BaseException | None = None
    with _offline(session), _attended(session):
        try:
            args, kwargs = session.arguments(function)
            result = _call(function, args, kwargs)
        except ReplayStop:
            pass
        except Exception as raised:
            error = raised
    outcome = session.outcome()
    runtime.flush()
    return Reexecution(
        made.child_run_id,
        result,
        error,
        outcome["exit_code"],
        outcome["message"],
        outcome["divergences"],
    )


@contextmanager
def _offline(session: Session) -> Any:
    """The same protection a child process has, taken back at the end."""
    before = {name: os.environ.get(name) for name in KEY_VARIABLES}
    session.prepare()
    runtime.expect(session.template)
    try:
        yield
    finally:
        tripwire.set_wire(None)
        os.environ.pop(runtime.REPLAYING, None)
        runtime.expect(None)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _attended(session: Session) -> Iterator[None]:
    """What is asked meanwhile is answered at the terminal, where there is one."""
    if not (session.given["patience"] and terminal.is_there()):
        yield
        return
    watching = terminal.Terminal(Path(session.given["database"]), session.given["run_id"])
    over: list[bool] = []

    def watch() -> None:
        while not over:
            watching.look(lambda: bool(over))
            time.sleep(0.1)
        watching.close()

    # Not a `Thread`: those are numbered in the program's order, and this is none of its.
    _thread.start_new_thread(watch, ())
    try:
        yield
    finally:
        over.append(True)


def _find(entry: dict[str, JSON], name: str) -> Callable[..., Any]:
    found = registered(str(entry.get("module")), str(entry.get("qualname")))
    if found is None:
        raise CannotReplayError(
            f"no decorated agent {entry.get('qualname') or name} is loaded in this process: import "
            "it first, or give it with agent="
        )
    return found


def _call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call it to its end; where an event loop runs already (a notebook), in a thread of its own."""
    try:
        asyncio.get_running_loop()
        in_loop = True
    except RuntimeError:
        in_loop = False
    awaited = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    if not (in_loop and awaited):
        # Not in the handler above: its exception would be the context of the agent's own.
        return call(function, args, kwargs)
    box: list[Any] = []
    failed: list[BaseException] = []

    def body() -> None:
        try:
            box.append(call(function, args, kwargs))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=body, name="tracer-fork")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return box[0]
