"""The one recorder of this process, and the start and end of runs.

A run starts at the outermost decorated agent, `tracer.run(...)` or `tracer run`. In a
re-execution a `Template` says what the next run is: its id, its parent and its handler.

What only a run needs (the store, the readings, spans) is imported when the first one starts, so
that a program which decorates its functions does not pay for it.
"""

import atexit
import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.capture import ambient, concurrency, config, http, processes, scope, seams
from tracer.capture.boundary import ActiveRun, StepHandler, new_run_id
from tracer.capture.draws import DrawSource
from tracer.capture.guard import report
from tracer.capture.numbering import Numbers
from tracer.core.records import JSON, ErrorInfo, RunStatus
from tracer.errors import CannotReplayError

if TYPE_CHECKING:
    from tracer.capture.recorder import StoreRecorder

FLUSH_SECONDS = 10.0
REPLAYING = "TRACER_REPLAYING"  # set for the child processes of a re-execution
# How a child process of a recorded program is told which run it takes part in, and where.
JOINING = ("TRACER_RUN", "TRACER_PATH", "TRACER_STEP", "TRACER_NUMBERS")


@dataclass(slots=True)
class Template:
    """What the next run of this process is, when it is a re-execution."""

    run_id: str
    parent_run: str
    fork: dict[str, JSON] | None
    entry: dict[str, JSON]
    handler: StepHandler
    database: Path
    on_end: Callable[[ActiveRun, ErrorInfo | None, bytes | None], RunStatus | None]
    divergences: list[dict[str, JSON]] = field(default_factory=list)
    begun: bool = False  # its run was started
    draws: DrawSource | None = None  # None: the clock and chance were not recorded
    workspace: Callable[[str], Any] | None = None  # makes what follows a run's folder


_lock = threading.Lock()
_recorders: "dict[Path, StoreRecorder]" = {}
_template: Template | None = None
_started = 0
_refuse: Callable[[str], None] | None = None
_ended: deque[ActiveRun] = deque(maxlen=20)


def expect(template: Template | None) -> None:
    """The next run started in this process is this re-execution (None: no longer)."""
    global _template
    _template = template


def expected() -> bool:
    """Whether a re-execution is still waiting for its run to start."""
    return _template is not None


def ended_runs() -> list[ActiveRun]:
    """The last runs of this process that have ended, oldest first."""
    return list(_ended)


def set_replaying(refuse: Callable[[str], None]) -> None:
    """This whole process is a re-execution; `refuse` is told (and raises) what has no answer
    because it happens outside the run that is re-executed."""
    global _refuse
    _refuse = refuse


def replaying() -> bool:
    """Whether this whole process is a re-execution."""
    return _refuse is not None


def refuses_outside() -> bool:
    """Whether `outside` may raise here."""
    return _refuse is not None or REPLAYING in os.environ


def outside(what: str) -> None:
    """Something is about to be done for real outside any run: not in a re-execution."""
    if _refuse is not None:
        _refuse(what)
    elif REPLAYING in os.environ and _template is None and not scope.any_run_active():
        # An ordinary exception: it travels from a process pool's worker to the agent.
        raise CannotReplayError(
            f"{what} runs in a child process of a program that is re-executed, where nothing can "
            "be answered from the recording: run it in a thread"
        )


def _watching() -> Any:
    """What watches what happens around steps."""
    # Only a run needs it.
    from tracer.capture.around import watching

    return watching


def runs_started() -> int:
    """How many runs this process has started so far."""
    return _started


def recorder_for(database: Path) -> "StoreRecorder":
    """The recorder of a database; starts its writer thread on first use."""
    # Only a run needs these.
    from tracer.capture import secretkey
    from tracer.capture.recorder import StoreRecorder
    from tracer.store.writer import WriteQueue

    secretkey.use_database(database)
    with _lock:
        recorder = _recorders.get(database)
        if recorder is None:
            recorder = StoreRecorder(lambda own: WriteQueue(database, idle=own.idle))
            if not _recorders:
                atexit.register(_at_exit)
            _recorders[database] = recorder
        return recorder


def _after_fork_in_child() -> None:
    for recorder in _recorders.values():
        recorder.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _at_exit() -> None:
    flush(rest=True)
    if getattr(sys, "last_type", None) is KeyboardInterrupt:
        # Python dies of the signal when Ctrl-C ended the program, unless something was compiled
        # since (our imports do): then it has forgotten, and this reminds it.
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")  # noqa: S102 - a constant


def flush(timeout: float = FLUSH_SECONDS, *, rest: bool = False) -> None:
    """Wait until everything recorded so far is written and priced, or `timeout` seconds. `rest`:
    this process ends, and with it what it notes around steps that others end."""
    for run in scope.active_runs():
        _watching().flush(run, rest=rest)
    for recorder in list(_recorders.values()):
        recorder.flush(timeout)


def install() -> None:
    """Put the patches in place; cheap when they already are."""
    concurrency.install()
    processes.install()
    if "http" in config.get().capture:
        http.install()
    if "frameworks" in config.get().capture:
        seams.install()


def open_run(
    name: str, given: bytes | None, entry: dict[str, JSON], workspace: str | None = None
) -> ActiveRun:
    """Start a run: patches in place, its row written. `given` is the tagged JSON of its input,
    `workspace` a folder whose states are kept."""
    # Only a run needs them.
    from tracer.capture import otel
    from tracer.capture.environment import environment
    from tracer.store.writes import RunStart, Value

    global _template, _started
    if _template is None:
        outside(f"the agent {name}")
    with _lock:
        template, _template = _template, None
        if template is not None:
            template.begun = True
        _started += 1
    install()
    database = template.database if template is not None else config.database_path()
    recorder = recorder_for(database)
    run = ActiveRun(
        template.run_id if template is not None else new_run_id(),
        name,
        recorder,
        template.handler if template is not None else None,
    )
    run.template = template
    run.environment = environment() | _watching().at_start(entry)
    ambient.begin(run, template.draws if template is not None else None)
    if run.draws is not None:
        run.environment["draws"] = True
    _follow(run, workspace, template, database)
    recorder.run_started(
        RunStart(
            run_id=run.id,
            name=name,
            started_ns=time.time_ns(),
            input=None if given is None else Value(given),
            entry=template.entry if template is not None else entry,
            pid=os.getpid(),
            environment=run.environment,
            parent_run=template.parent_run if template is not None else None,
            fork=template.fork if template is not None else None,
        )
    )
    run.spans = otel.Bridge()
    scope.run_started(run)
    _watching().started(run)
    return run


def _follow(run: ActiveRun, folder: str | None, template: Template | None, database: Path) -> None:
    """Keep the states of the run's workspace, if it has one."""
    make = None if template is None else template.workspace
    if make is None and (folder is None or template is not None):
        return
    from tracer.capture.workspace import Workspace  # only a run with one needs it
    from tracer.store.trees import workspace_folder

    try:
        if make is not None:
            workspace = make(run.id)
        else:
            workspace = Workspace(workspace_folder(str(folder)), database, run.id)
        run.environment["workspace"] = workspace.begin()
        run.workspace = workspace
    except CannotReplayError:
        raise
    except Exception as error:
        report("following the workspace", error)
        run.note(f"the workspace is not followed ({error}): a fork does not restore its files")


def join_run(run_id: str, database: Path, numbers: Numbers) -> ActiveRun:
    """Take part in a run that another process has started and will end."""
    from tracer.capture import otel  # only a run needs it

    install()
    run = ActiveRun(run_id, "", recorder_for(database))
    run.numbers = numbers
    run.in_child = run.is_program = True
    run.spans = otel.Bridge()
    ambient.begin(run)
    scope.run_started(run)
    _watching().started(run)
    return run


def close_run(
    run: ActiveRun, status: RunStatus, output: bytes | None, error: ErrorInfo | None
) -> None:
    """End a run and write its end."""
    from tracer.store.writes import RunEnd, Value  # only a run needs it

    run.close_steps()
    scope.run_ended(run)
    for body in list(run.bodies):
        body.left()  # nobody who belongs to the run reads on
    if not run.in_child:
        _watching().at_end(run)
        if run.workspace is not None:
            run.workspace.end()
    _watching().ended(run)
    ambient.end(run)
    if run.in_child:
        flush()
        return
    run.numbers.end()
    _ended.append(run)
    if run.discovery is not None:
        run.warnings += run.discovery.never_found()
    template: Any = run.template
    if template is not None:
        status = template.on_end(run, error, output) or status
    run.status = status
    run.recorder.run_ended(
        RunEnd(
            run_id=run.id,
            status=status,
            ended_ns=time.time_ns(),
            output=None if output is None else Value(output),
            error=error,
            divergences=tuple(template.divergences) if template is not None else (),
            warnings=(*run.warnings, *seams.changed.values()),
        )
    )
