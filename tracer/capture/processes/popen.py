"""The patches of `subprocess.Popen`, through which every process of the standard library starts:
`run` and its kin, `os.popen`, asyncio, trio; and `os.system`.

Popen stays what it is; it is told of other descriptors, and in a re-execution of another command.
"""

import functools
import os
import subprocess
import sys
import threading
from typing import Any

from tracer.capture import processes
from tracer.capture import scope as scopes
from tracer.capture.boundary import (
    Call,
    CancelledAnswer,
    ErrorAnswer,
    OpenStep,
    ValueAnswer,
)
from tracer.capture.callsite import callsite
from tracer.capture.exceptions import error_info, error_state, make_exception
from tracer.capture.guard import report
from tracer.capture.opened import opened
from tracer.capture.processes import asked
from tracer.capture.processes.outcome import Outcome, read_outcome
from tracer.capture.processes.player import command_for, starting
from tracer.capture.processes.steps import Played, Recorded, Started, wait_for_status
from tracer.capture.values import decode, encode_whole
from tracer.core.records import ErrorInfo

_KEY = "_tracer_step"
_NAMES = (
    "args", "bufsize", "executable", "stdin", "stdout", "stderr", "preexec_fn", "close_fds",
    "shell", "cwd", "env", "universal_newlines", "startupinfo", "creationflags",
    "restore_signals", "start_new_session", "pass_fds",
)  # fmt: skip
# What a stand-in must not be given: its original's surroundings.
_DROPPED = ("executable", "preexec_fn", "cwd", "shell", "pass_fds", "user", "group",
            "extra_groups", "umask")  # fmt: skip
_live: dict[int, Started] = {}  # by pid, until the end was seen
_looking = threading.local()


def patch(module: Any) -> None:
    """Watch `Popen` of the standard library's module; once."""
    popen = module.Popen
    if os.name != "posix" or hasattr(popen, "_tracer_original"):
        return
    popen._tracer_original = popen.__init__
    popen.__init__ = _make_init(popen.__init__)
    popen._get_handles = _make_get_handles(popen._get_handles)
    popen.poll = _make_poll(popen.poll)
    popen.wait = _counting(popen.wait)
    popen.communicate = _counting(popen.communicate)
    popen.returncode = _ReturnCode()
    os.kill = _telling(os.kill)
    if hasattr(os, "killpg"):
        os.killpg = _telling(os.killpg)


def _make_init(original: Any) -> Any:
    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        scope = scopes.current()
        if scope is None or not asked.is_the_programs(sys._getframe(1)):
            original(self, *args, **kwargs)
            return
        scope.run.check()
        given = dict(zip(_NAMES, args, strict=False)) | kwargs
        opened = _open(scope, given, sys._getframe(1))
        if opened is None:
            original(self, *args, **kwargs)
            return
        _begin(original, self, opened, given)

    return __init__


def _open(scope: scopes.Scope, given: dict[str, Any], frame: Any) -> OpenStep | None:
    """Begin the step of a process; None when its arguments make no sense (Popen will say so)."""
    try:
        shell = bool(given.get("shell"))
        words = asked.words_of(given["args"], None if shell else given.get("executable"))
        what = asked.asked_of(
            words,
            shell=shell,
            cwd=given.get("cwd"),
            stdin=given.get("stdin"),
            given=asked.given_to_run(frame),
        )
        call = _call(scope, asked.name_of(words, shell=shell), what)
    except Exception as error:
        if "args" in given and not isinstance(error, TypeError | AttributeError | KeyError):
            report("reading a command", error)
        return None
    decision = opened(scope.run.decided(call))
    return scope.run.begin(scope, call, decision)


def _call(scope: scopes.Scope, name: str, what: dict[str, Any]) -> Call:
    call = Call("tool", name, scope.take_slot("tool"), "external", given=encode_whole(what))
    call.detail = {"process": True}
    call.callsite = callsite()
    return call


def _begin(original: Any, popen: Any, step: OpenStep, given: dict[str, Any]) -> None:
    answer = step.decision.answer
    if answer is None:
        added = processes.environment_for(step.scope, given)
        if added is not None:
            before = os.environ if given.get("env") is None else given["env"]
            given = given | {"env": {**before, **added}}
        started: Started = Recorded(step, given)
        popen.__dict__[_KEY] = started
        _start(original, popen, started, given)
        return
    outcome = outcome_of(step)
    started = Played(step, _value(step), outcome)
    popen.__dict__[_KEY] = started
    kept = {name: value for name, value in given.items() if name not in _DROPPED}
    starting.now = True
    try:
        _start(
            original, popen, started, kept | {"args": command_for(outcome.returncode), "env": {}}
        )
    finally:
        starting.now = False
    popen.args = given["args"]


def _start(original: Any, popen: Any, started: Started, given: dict[str, Any]) -> None:
    try:
        original(popen, **given)
    except BaseException as error:
        popen.__dict__.pop(_KEY, None)
        started.failed(error)
        raise
    _live[popen.pid] = started
    started.begun(popen.pid)


def _value(step: OpenStep) -> ValueAnswer:
    answer = step.decision.answer
    assert isinstance(answer, ValueAnswer)
    return answer


def outcome_of(step: OpenStep) -> Outcome:
    """The outcome a step is answered with; raises what it raised when it could not start."""
    answer = step.decision.answer
    if isinstance(answer, CancelledAnswer):  # nothing cancels the start of a process
        answer = ErrorAnswer(ErrorInfo("RuntimeError", "cancelled"))
    if isinstance(answer, ErrorAnswer):
        step.run.wait(step.decision)
        step.end("error", error=answer.error, detail=dict(answer.detail))
        raise make_exception(answer.error, dict(answer.detail))
    assert isinstance(answer, ValueAnswer)
    try:
        outcome = read_outcome(decode(answer.data), answer.form)
    except ValueError as error:
        raise step.run.cannot(f"{step.call.name} can't be answered: {error}") from None
    seconds = answer.form.get("seconds")
    outcome.seconds = float(seconds) if isinstance(seconds, int | float) else 0.0
    return outcome


def _make_get_handles(original: Any) -> Any:
    @functools.wraps(original)
    def _get_handles(self: Any, *args: Any, **kwargs: Any) -> Any:
        handles = original(self, *args, **kwargs)
        started: Started | None = self.__dict__.get(_KEY)
        return handles if started is None else started.interpose(handles)

    return _get_handles


class _ReturnCode:
    """`Popen.returncode`, kept where it always was; the first one tells the step."""

    def __get__(self, popen: Any, owner: Any = None) -> Any:
        if popen is None:
            return self
        try:
            return popen.__dict__["returncode"]
        except KeyError:
            raise AttributeError("returncode") from None

    def __set__(self, popen: Any, value: Any) -> None:
        popen.__dict__["returncode"] = value
        started: Started | None = popen.__dict__.get(_KEY)
        if value is None or started is None or _live.get(started.pid) is not started:
            return
        _live.pop(started.pid, None)
        try:
            started.observed(value)
        except Exception as error:
            report("recording the end of a process", error)


def _make_poll(original: Any) -> Any:
    @functools.wraps(original)
    def poll(self: Any) -> Any:
        started: Started | None = self.__dict__.get(_KEY)
        if started is None or self.returncode is not None:
            return original(self)
        if started.look():
            return wait_for_status(functools.partial(original, self))
        status = original(self)
        if status is None:
            started.cue()
        return status

    return poll


def _counting(original: Any) -> Any:
    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        started: Started | None = self.__dict__.get(_KEY)
        if started is None or getattr(_looking, "now", False):
            return original(self, *args, **kwargs)
        _looking.now = True
        try:
            return original(self, *args, **kwargs)
        except subprocess.TimeoutExpired:
            started.cue()
            raise
        finally:
            _looking.now = False

    return method


def _telling(original: Any) -> Any:
    @functools.wraps(original)
    def kill(pid: int, sig: int, /) -> None:
        started = _live.get(pid)
        if started is not None:
            started.cue()
        original(pid, sig)

    return kill


def system(original: Any, command: Any, frame: Any) -> int:
    """`os.system` as called from a frame."""
    scope = scopes.current()
    if scope is None or not asked.is_the_programs(frame):
        return int(original(command))
    scope.run.check()
    step = _open(scope, {"args": command, "shell": True}, None)
    if step is None:
        return int(original(command))
    if step.decision.answer is not None:
        return _answer_system(step)
    try:
        status = original(command)
    except BaseException as error:
        step.end("error", error=error_info(error), detail=error_state(error))
        raise
    code = os.waitstatus_to_exitcode(status) if os.name == "posix" else status
    detail: Any = {"inherited": ["stdout", "stderr"]}
    step.end("ok", made=encode_whole({"returncode": code}), fidelity="exact", detail=detail)
    return int(status)


def _answer_system(step: OpenStep) -> int:
    outcome = outcome_of(step)
    step.run.wait(step.decision)
    answer = _value(step)
    step.end("ok", made=encode_whole(decode(answer.data)), fidelity="exact",
             detail=dict(answer.form))  # fmt: skip
    code = outcome.returncode or 0
    return -code if code < 0 else code << 8
