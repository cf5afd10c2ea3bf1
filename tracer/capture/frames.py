"""One call of a decorated function, from its start to its end: the part all forms share."""

import asyncio
import builtins
import sys
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from tracer.capture import scope as scopes
from tracer.capture.boundary import (
    ActiveRun,
    Call,
    CancelledAnswer,
    Decision,
    ErrorAnswer,
    HttpAnswer,
    OpenStep,
    ValueAnswer,
)
from tracer.capture.callsite import callsite
from tracer.capture.conversation import Snapshots
from tracer.capture.functions import Parameters, encode_result, error_info
from tracer.capture.guard import report
from tracer.capture.rebuild import rebuild, return_annotation
from tracer.capture.values import encode
from tracer.errors import ReplayedError, ReplayStop
from tracer.model.records import Effect, ErrorInfo, StepKind


@dataclass(slots=True, eq=False)
class Spec:
    """What a decorator says of a function."""

    kind: StepKind
    name: str
    function: Callable[..., Any]
    effect: Effect | None = None
    limits: dict[str, float] = field(default_factory=dict)
    key: Callable[[dict[str, Any]], Hashable] | None = None  # idempotency key of a tool's call
    parameters: Parameters = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = Parameters(self.function)


def is_cancel(error: BaseException) -> bool:
    """Whether an exception is a cancellation, of asyncio or trio."""
    return isinstance(error, asyncio.CancelledError) or type(error).__name__ == "Cancelled"


class Frame:
    """A step of a decorated function under way. `answer` is set when it must not run."""

    __slots__ = ("_before", "decision", "memo_key", "spec", "step")

    def __init__(self, spec: Spec, step: OpenStep, decision: Decision) -> None:
        self.spec = spec
        self.step = step
        self.decision = decision
        self._before: Any = None
        self.memo_key: Hashable = None

    def enter(self) -> None:
        """Make the step's scope current for code that runs now in this context."""
        self._before = scopes.set_current(self.step.scope)
        if self.step.span is not None:
            self.step.run.spans.attach(self.step)

    def leave(self) -> None:
        scopes.set_current(self._before)
        if self.step.span is not None:
            self.step.run.spans.detach(self.step)

    def finish(self, result: Any, **detail: Any) -> None:
        """The function returned."""
        if self.memo_key is not None:
            self.step.run.memo[self.memo_key] = result
        try:
            data, fidelity = encode_result(result, self.spec.function)
            self.step.end("ok", value=data, fidelity=fidelity, detail=detail)
        except ReplayStop:
            raise
        except Exception as error:
            report("recording a result", error)

    def fail(self, error: BaseException) -> None:
        """The function raised."""
        try:
            status = "cancelled" if is_cancel(error) else "error"
            self.step.end(status, error=error_info(error))
        except ReplayStop:
            raise
        except Exception as fault:
            report("recording an error", fault)

    def answer(self) -> Any:
        """The recorded or substituted result: returned, or raised when it was an exception."""
        given = self.decision.answer
        if self.step.call.repeated:
            # The same key again: the first call's result, and the work is not done twice.
            result = self.step.run.memo[self.memo_key]
            self.finish(result, repeated=True)
            return result
        if isinstance(given, ErrorAnswer):
            self.step.end("error", error=given.error)
            raise make_exception(given.error)
        assert isinstance(given, ValueAnswer)
        self.step.end("ok", value=given.data, fidelity="exact")
        result = rebuild(given.data, return_annotation(self.spec.function))
        if self.memo_key is not None:
            self.step.run.memo[self.memo_key] = result
        return result

    @property
    def served(self) -> bool:
        return self.decision.answer is not None or self.step.call.repeated

    @property
    def hangs(self) -> bool:
        return isinstance(self.decision.answer, CancelledAnswer)


def make_exception(error: ErrorInfo) -> BaseException:
    """A recorded exception to raise: its class if it is a builtin or already loaded, by its text.

    A file can't make anything be imported here; unknown classes become ReplayedError.
    """
    module, _, name = error.type.rpartition(".")
    holder = builtins if not module else sys.modules.get(module)
    cls = getattr(holder, name, None)
    if isinstance(cls, type) and issubclass(cls, Exception):
        try:
            made = cls(error.message)
            if str(made) == error.message or cls.__module__ == "builtins":
                return made
        except Exception:  # a constructor that wants more than a text
            pass
        made = cls.__new__(cls, error.message)
        made.args = (error.message,)
        return made
    return ReplayedError(error.type, error.message)


def snapshots_of(run: ActiveRun) -> Snapshots:
    """The message snapshots of a run."""
    if run.snapshots is None:
        run.snapshots = Snapshots()
    snapshots: Snapshots = run.snapshots
    return snapshots


def open_frame(spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Frame | None:
    """Begin a step for this call in the run under way; None outside any run.

    Raises only what ends a re-execution, and the limits the user set.
    """
    scope = scopes.current()
    if scope is None:
        return None
    scope.run.check()
    try:
        call = make_call(spec, scope, args, kwargs)
        memo_key = _memo_key(spec, args, kwargs)
        call.repeated = memo_key is not None and memo_key in scope.run.memo
    except Exception as error:
        report("starting a step", error)
        return None
    frame = begin_frame(spec, scope, call)
    frame.memo_key = memo_key
    return frame


def _memo_key(spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
    """A tool call's idempotency key within its run; None when it has none."""
    if spec.key is None:
        return None
    return (spec.name, spec.key(spec.parameters.by_name(args, kwargs)))


def begin_frame(spec: Spec, scope: scopes.Scope, call: Call) -> Frame:
    decision = scope.run.decide(call)
    step = scope.run.begin(scope, call, decision)
    return Frame(spec, step, decision)


def make_call(
    spec: Spec, scope: scopes.Scope, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Call:
    named = spec.parameters.by_name(args, kwargs)
    call = Call(spec.kind, spec.name, scope.take_slot(spec.kind), spec.effect)
    if spec.kind == "model":
        call.document = snapshots_of(scope.run).document(named)
    if call.document is None:
        call.input, _ = encode(named)
    call.callsite = callsite()
    return call


__all__ = [
    "Frame",
    "HttpAnswer",
    "Spec",
    "begin_frame",
    "is_cancel",
    "make_exception",
    "open_frame",
]
