"""One call of a decorated function, from its start to its end: the part all forms share."""

import contextlib
import inspect
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from tracer.capture import runtime
from tracer.capture import scope as scopes
from tracer.capture.around.variables import of_exception
from tracer.capture.boundary import (
    ActiveRun,
    Call,
    CancelledAnswer,
    Decision,
    ErrorAnswer,
    HttpAnswer,
    Opening,
    OpenStep,
    ValueAnswer,
)
from tracer.capture.callsite import callsite
from tracer.capture.conversation import Snapshots
from tracer.capture.edited import Arguments, editor
from tracer.capture.exceptions import (
    error_frames,
    error_info,
    error_state,
    is_cancel,
    make_exception,
)
from tracer.capture.functions import Parameters, fidelity_of
from tracer.capture.guard import report
from tracer.capture.memory import Watch, altered, changed
from tracer.capture.rebuild import rebuild, return_annotation
from tracer.capture.samecall import announced_detail, is_same_call
from tracer.capture.tracebacks import raise_with
from tracer.capture.values import Encoded, decode, encode_whole
from tracer.capture.yields import Items, Playback
from tracer.core.records import JSON, Effect, ErrorInfo, StepKind
from tracer.errors import ReplayStop


@dataclass(slots=True, eq=False)
class Spec:
    """What a decorator says of a function."""

    kind: StepKind
    name: str
    function: Callable[..., Any]
    effect: Effect | None = None
    limits: dict[str, float] = field(default_factory=dict)
    key: Callable[[dict[str, Any]], Hashable] | None = None  # idempotency key of a tool's call
    discover: bool = True  # of an agent: look for undecorated tools
    setup: Callable[[], Mapping[str, Any]] | None = None  # of an agent: arguments that aren't data
    workspace: str | None = None  # of an agent: a folder whose states are kept
    returns: tuple[Any, ...] = ()  # classes of results that the annotation need not name
    seam: bool = False  # called by a framework that is watched
    about: Any = None  # the framework's object that is called
    plain: Callable[[Any], Any] | None = None  # plain data of a result, to be kept
    remake: Callable[[Any], Any] | None = None  # makes a result of plain data again
    state: Any = None  # frameworks.state.State: objects it may write to
    detail: dict[str, JSON] = field(default_factory=dict)
    parameters: Parameters = field(init=False)
    watch: Watch | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.parameters = Parameters(self.function)
        with contextlib.suppress(TypeError):  # what can't be referred to weakly is no function
            scopes.decorated.add(inspect.unwrap(self.function))
        # An agent's own code runs again in every re-execution, and so does a local tool's.
        if self.kind != "agent" and self.effect != "local":
            self.watch = Watch(inspect.unwrap(self.function), self.parameters.bound)

    def hint(self) -> Any:
        """The type of its results: what the function's annotation says, or one of `returns`."""
        annotation = return_annotation(self.function)
        if not self.returns:
            return annotation
        return Union[(annotation if annotation is not None else Any, *self.returns)]


class Frame:
    """A step of a decorated function under way. `answer` is set when it must not run."""

    __slots__ = ("_before", "_look", "decision", "memo_key", "spec", "step")

    def __init__(self, spec: Spec, step: OpenStep, decision: Decision) -> None:
        self.spec = spec
        self.step = step
        self.decision = decision
        self._before: Any = None
        self.memo_key: Hashable = None
        self._look: Callable[[], list[str]] | None = None

    def watch(self, named: dict[str, Any], first: Any) -> None:
        """Note, when it has run, what the call changed in memory: in its arguments, in `first`
        (the object of a method), around it."""
        watch = self.spec.watch
        if watch is None or self.served:
            return
        # Of plain arguments the recording holds copies: comparing is cheaper than looking twice.
        copies = self.step.call.copies
        others = {name: value for name, value in named.items() if name not in copies}
        before = watch.look(others, first)
        self._look = lambda: altered(copies, named) + changed(before, watch.look(others, first))

    def called_with(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        """What to call the function with: this, unless somebody edited it."""
        return self.step.call.edited or (args, kwargs)

    def enter(self) -> None:
        """Make the step's scope current for code that runs now in this context."""
        self._before = scopes.set_current(self.step.scope)
        if self.step.span is not None:
            self.step.run.spans.attach(self.step)

    def leave(self) -> None:
        scopes.set_current(self._before)
        if self.step.span is not None:
            self.step.run.spans.detach(self.step)

    def items(self) -> Items:
        """Where the items of this call's generator are noted."""
        return Items()

    def finish(self, result: Any, **detail: Any) -> None:
        """The function returned."""
        if self.memo_key is not None:
            self.step.run.memo[self.memo_key] = result
        try:
            kept = result if self.spec.plain is None else self.spec.plain(result)
            made = encode_whole(kept)
            fidelity = fidelity_of(made, self.spec.hint)
            self.ended("ok", None, made=made, fidelity=fidelity, detail=detail)
        except ReplayStop:
            raise
        except Exception as error:
            report("recording a result", error)

    def finish_items(self, items: Items, *, returned: Any = None, abandoned: bool = False) -> None:
        """The generator returned, or its consumer stopped reading."""
        if self.memo_key is not None:
            self.step.run.memo[self.memo_key] = items.values
        try:
            made, detail = items.ended(returned=returned, abandoned=abandoned)
            fidelity = fidelity_of(made, self.spec.hint)
            self.ended("ok", None, made=made, fidelity=fidelity, detail=detail)
        except ReplayStop:
            raise
        except Exception as error:
            report("recording a result", error)

    def fail(self, error: BaseException, items: Items | None = None, **how: Any) -> None:
        """The function raised; of a generator, after these items."""
        try:
            what: dict[str, Any] = {"detail": error_state(error) | error_frames(error) | how}
            if items is not None:
                made, detail = items.ended()
                fidelity = fidelity_of(made, self.spec.hint)
                detail |= what["detail"]
                what = {"made": made, "fidelity": fidelity, "detail": detail}
            status = "cancelled" if is_cancel(error) else "error"
            if status == "error" and self.step.run.is_watched:
                self.step.scope.gathered.raised(of_exception(error))
            self.ended(status, error, error=error_info(error), **what)
        except ReplayStop:
            raise
        except Exception as fault:
            report("recording an error", fault)

    def ended(self, status: str, cause: BaseException | None, **what: Any) -> None:
        """Write the step's end; `cause` is the exception that ended it."""
        try:
            places = self._look() if self._look is not None else []
        except Exception as error:  # the user's own objects are looked at
            report("looking at memory", error)
            places = []
        what["detail"] = self._with_state(what.get("detail", {}), places)
        self.step.end(status, **what)

    def _with_state(self, detail: dict[str, JSON], places: list[str]) -> dict[str, JSON]:
        """The detail, with what the call changed in memory: to be put back, or only named."""
        if self.spec.state is not None:
            try:
                kept, lost = self.spec.state.kept()
                places = places + lost
                if kept:
                    data = encode_whole(kept).data.decode("utf-8", "surrogatepass")
                    detail = {**detail, "state": data}
            except Exception as error:  # the framework's own objects are looked at
                report("looking at a tool's state", error)
        return {**detail, "changed": places} if places else detail

    def _restore(self, detail: Mapping[str, JSON]) -> None:
        """Put back what the recorded call wrote to the framework's objects."""
        kept = detail.get("state")
        if self.spec.state is None or not isinstance(kept, str):
            return
        try:
            self.spec.state.restore(decode(kept.encode("utf-8", "surrogatepass")))
        except Exception as error:  # data of a file; objects of the user's
            raise self.step.run.cannot(
                f"what {self.spec.name} wrote to its context can't be put back: {error}"
            ) from None

    def answer(self) -> Any:
        """The recorded or substituted result: returned, or raised when it was an exception."""
        given = self.decision.answer
        if self.step.call.repeated:
            # The same key again: the first call's result, and the work is not done twice.
            result = self.step.run.memo[self.memo_key]
            self.finish(result, repeated=True)
            return result
        if isinstance(given, CancelledAnswer):  # of a function that can't be cancelled
            given = ErrorAnswer(ErrorInfo("asyncio.exceptions.CancelledError", ""))
        if isinstance(given, ErrorAnswer):
            self._restore(given.detail)
            self.step.end("error", error=given.error, detail=dict(given.detail))
            made_again = make_exception(given.error, dict(given.detail))
            raise_with(made_again, given.detail.get("frames"))
        assert isinstance(given, ValueAnswer)
        result = self._rebuilt(given)
        self._restore(given.form)
        made = Encoded(given.data, "exact")
        self.step.end("ok", made=made, fidelity="exact", detail=dict(given.form))
        if self.memo_key is not None:
            self.step.run.memo[self.memo_key] = result
        return result

    def playback(self) -> Playback:
        """The recorded or substituted items of a generator."""
        given = self.decision.answer
        if not isinstance(given, ValueAnswer):  # a repeated call, or an exception
            return Playback(ValueAnswer(b"[]"), self.answer())
        items = self._rebuilt(given)
        if not given.form.get("generator"):  # a substitute or stub: one item unless it is a list
            items = items if isinstance(items, list) else [items]
        return Playback(given, items)

    def played(self, playback: Playback) -> Any:
        """All items were given: what the generator returned; raises what it raised."""
        given = self.decision.answer
        if not isinstance(given, ValueAnswer):
            return None
        returned = playback.end()
        self.let_go()
        if given.error is not None:
            raise make_exception(given.error, dict(given.form))
        return returned

    def let_go(self) -> None:
        """Record the end of a generator that was answered, wherever its consumer stopped."""
        given = self.decision.answer
        if not isinstance(given, ValueAnswer):
            return
        status = "ok" if given.error is None else "error"
        detail = dict(given.form)
        self.step.run.let_go(self.decision)
        made = Encoded(given.data, "exact")
        self.step.end(status, made=made, fidelity="exact", error=given.error, detail=detail)

    def _rebuilt(self, given: ValueAnswer) -> Any:
        """The value in the user's own classes; ends the re-execution where they don't fit."""
        try:
            made = rebuild(given.data, self.spec.hint())
            return made if self.spec.remake is None else self.spec.remake(made)
        except ValueError as error:
            raise self.step.run.cannot(
                f"the recorded result of {self.spec.name} can't be given back: {error}"
            ) from None

    @property
    def served(self) -> bool:
        return self.decision.answer is not None or self.step.call.repeated

    @property
    def hangs(self) -> bool:
        """Whether the recorded call was cancelled, so that this one waits to be."""
        return isinstance(self.decision.answer, CancelledAnswer)

    @property
    def awaited(self) -> bool:
        """Whether the recorded call handed back something to await."""
        given = self.decision.answer
        form = given.form if isinstance(given, ValueAnswer) else getattr(given, "detail", {})
        return bool(form.get("awaitable"))


def snapshots_of(run: ActiveRun) -> Snapshots:
    """The message snapshots of a run."""
    if run.snapshots is None:
        run.snapshots = Snapshots()
    snapshots: Snapshots = run.snapshots
    return snapshots


def open_frame(
    spec: Spec,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    method: Arguments | None = None,
) -> Opening[Frame | None]:
    """Begin a step for this call in the run under way; None outside any run.

    `method`: what a framework's method was called with, where `kwargs` are a tool's arguments in
    it. Raises only what ends a re-execution, and the limits the user set.
    """
    scope = scopes.current()
    if scope is None:
        if spec.kind != "step" and spec.effect not in ("read", "local"):
            runtime.outside(f"the {spec.kind} {spec.name}")
        return None
    scope.run.check()
    try:
        named = spec.parameters.by_name(args, kwargs)
        call = make_call(spec, scope, named)
        memo_key = _memo_key(spec, named)
        if memo_key is None and is_same_call(spec, call, scope):
            return None
        call.repeated = memo_key is not None and memo_key in scope.run.memo
        if scope.run.handler is not None:
            call.edit = editor(call, spec.parameters, named, (args, kwargs), method)
    except Exception as error:
        report("starting a step", error)
        return None
    frame = yield from begin_frame(spec, scope, call)
    frame.memo_key = memo_key
    try:
        frame.watch(named, args[0] if args else None)
    except Exception as error:  # the user's own objects are looked at
        report("looking at memory", error)
    return frame


def _memo_key(spec: Spec, named: dict[str, Any]) -> Hashable:
    """A tool call's idempotency key within its run; None when it has none."""
    return None if spec.key is None else (spec.name, spec.key(named))


def begin_frame(spec: Spec, scope: scopes.Scope, call: Call) -> Opening[Frame]:
    """Ask the handler what to do with a call, and begin its step. May raise a ReplayStop."""
    decision = yield from scope.run.decided(call)
    step = scope.run.begin(scope, call, decision)
    if spec.seam:
        scope.run.seams[step.id] = (spec, call)
    return Frame(spec, step, decision)


def make_call(spec: Spec, scope: scopes.Scope, named: dict[str, Any]) -> Call:
    """What a call of a decorated function asks: its slot, arguments and place in the code."""
    call = Call(spec.kind, spec.name, scope.take_slot(spec.kind), spec.effect)
    if spec.kind == "model":
        call.document = snapshots_of(scope.run).document(named)
    if call.document is None:
        call.given = encode_whole(named)
    call.callsite = callsite()
    call.detail = spec.detail or announced_detail(spec)
    return call


__all__ = [
    "Frame",
    "HttpAnswer",
    "Spec",
    "begin_frame",
    "is_cancel",
    "open_frame",
]
