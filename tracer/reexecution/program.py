"""Running a user's program as `__main__`, in this process, as `python` itself would.

`tracer run` and re-executions of scripts go through here. The program's standard output, exit
status, signals and traceback are its own; our frames are cut from what it prints.
"""

import ast
import atexit
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any

from tracer.capture import children, runtime
from tracer.capture.discovery.marking import MARK, marked, watched_as_defined
from tracer.capture.environment import script_entry
from tracer.capture.guard import report
from tracer.capture.runs import close_program, open_program, say_result, say_results
from tracer.errors import CannotReplayError, ReplayStop, UsageError

_OWN = str(Path(__file__).resolve().parent)


def run_program(
    target: str,
    args: list[str],
    *,
    as_module: bool,
    per_agent: bool,
    discover: bool = True,
    tools: Sequence[str] = (),
    workspace: str | None = None,
) -> int:
    """Run a script or module with capture on; gives its exit status.

    With `per_agent` each outermost decorated call is a run of its own, else the program is one
    run. Raises UsageError when there is no such file.
    """
    if not as_module:
        _check_script(target)
    children.leave()
    children.install()
    entry = script_entry(target, args, as_module=as_module, whole=not per_agent)
    ending = _Ending()
    if per_agent:
        runtime.install()
        status, ending.error = execute(target, args, as_module=as_module)
        say_results()
        return status
    name = target if as_module else Path(target).name
    run = open_program(name, args, entry, discover=discover, tools=tools, workspace=workspace)
    status, error = execute(target, args, as_module=as_module, scope_of=run, tools=tools)
    close_program(run, status, error)
    say_result(run)
    ending.error = error
    return status


class _Ending:
    """Ends this process as Python ends it: one that Ctrl-C stopped dies of the signal, so that a
    shell's loop or a parent process sees it."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        # Registered before the program runs, so that it comes after all handlers of its own.
        atexit.register(self._end)

    def _end(self) -> None:
        if isinstance(self.error, KeyboardInterrupt):
            _flush_output()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)


def _check_script(target: str) -> None:
    path = Path(target)
    if path.is_dir():
        if not (path / "__main__.py").is_file():
            raise UsageError(f"{target} is a folder without a __main__.py: name a script")
    elif not path.is_file():
        raise UsageError(f"there is no file {target}: check the path, or use -m for a module")


def execute(
    target: str,
    args: list[str],
    *,
    as_module: bool,
    scope_of: Any = None,
    on_stop: Callable[[ReplayStop], None] | None = None,
    tools: Sequence[str] = (),
) -> tuple[int, BaseException | None]:
    """Run the program; its exit status, and the exception that ended it (None: a normal end).

    A ReplayStop is not the program's: it is given to `on_stop` or returned.
    """
    before = scope_of.enter() if scope_of is not None else None
    error: BaseException | None = None
    try:
        _run(target, args, as_module, tools)
        status = 0
    except SystemExit as stop:
        status = _exit_status(stop)
        error = stop if status else None
    except ReplayStop as stop:
        if on_stop is not None:
            on_stop(stop)
        status, error = 1, stop
    except BaseException as raised:
        print_as_python(raised)
        status = 130 if isinstance(raised, KeyboardInterrupt) else 1
        error = raised
    finally:
        _flush_output()
    try:
        _wait_for_threads()
    except KeyboardInterrupt as stop:
        status, error = 130, stop
    if scope_of is not None:
        scope_of.leave(before)
    return status, error


def _wait_for_threads() -> None:
    """What Python does after the main program: its threads end before the run does."""
    pools: Any = sys.modules.get("concurrent.futures.thread")
    pooled = set(getattr(pools, "_threads_queues", ()))
    here = threading.current_thread()
    for thread in threading.enumerate():
        if thread is not here and not thread.daemon and thread not in pooled:
            thread.join()
    if pooled and hasattr(pools, "_python_exit"):
        # Idle pool workers wait for this call, which the interpreter makes at this very place.
        pools._python_exit()


def _run(target: str, args: list[str], as_module: bool, tools: Sequence[str]) -> None:
    if as_module:
        sys.argv = [target, *args]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(target, run_name="__main__", alter_sys=True)
        return
    if os.path.isdir(target):
        sys.argv = [target, *args]
        sys.path.insert(0, os.path.abspath(target))
        target = os.path.join(target, "__main__.py")
    else:
        sys.argv = [target, *args]
        sys.path.insert(0, os.path.dirname(os.path.abspath(target)))
    code = _compile(target, tools)
    main = ModuleType("__main__")
    if tools:
        main.__dict__[MARK] = watched_as_defined
    main.__dict__.update(
        __file__=os.path.abspath(target), __builtins__=__builtins__, __spec__=None, __cached__=None
    )
    # The module stays in place after the program: its atexit handlers and threads may look there.
    sys.modules["__main__"] = main
    exec(code, main.__dict__)  # noqa: S102 - running the user's program is what this is for


def _compile(path: str, tools: Sequence[str]) -> CodeType:
    source, file = Path(path).read_bytes(), os.path.abspath(path)
    names = [name.removeprefix("__main__:") for name in tools if name.startswith("__main__:")]
    if names:
        # They may be called before any step: so from where they are defined.
        return compile(marked(ast.parse(source, file), names), file, "exec", dont_inherit=True)
    return compile(source, file, "exec", dont_inherit=True)


def _exit_status(stop: SystemExit) -> int:
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF
    print(stop.code, file=sys.stderr)
    return 1


def print_as_python(error: BaseException) -> None:
    """The traceback the program would have printed without us."""
    kept = user_part(error.__traceback__)
    error.__traceback__ = kept
    if sys.excepthook is not sys.__excepthook__:
        try:
            sys.excepthook(type(error), error, kept)
            return
        except Exception as fault:
            report("the program's excepthook", fault)
    traceback.print_exception(type(error), error, kept)


def user_part(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without our frames, and without runpy's, at its beginning."""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not (file.startswith((_OWN, "<frozen runpy")) or "runpy.py" in file):
            return trace
        trace = trace.tb_next
    return None


def _flush_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # a reader that went away is no fault here
            pass


def entry_exists(entry: dict[str, Any]) -> None:
    """Raise CannotReplayError when the program of an entry isn't there any more."""
    path = entry.get("path")
    if entry.get("kind") == "script" and not os.path.exists(str(path)):
        raise CannotReplayError(
            f"the program {path} is gone: put it back, or name it with --script PATH"
        )
