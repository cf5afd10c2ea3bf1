"""A described call as a step of the run under way."""

import copy
import functools
from collections.abc import Callable
from typing import Any

from tracer.capture import runtime
from tracer.capture import scope as scopes
from tracer.capture.calls import Opening
from tracer.capture.frames import Frame, Spec, open_frame
from tracer.capture.frameworks.described import Agent, Describe, Tool, shown
from tracer.capture.functions import Parameters
from tracer.capture.guard import report
from tracer.capture.opened import opened
from tracer.capture.samecall import DECORATED, announce
from tracer.capture.values import encode_whole
from tracer.capture.yields import Items
from tracer.core.records import Effect
from tracer.errors import ReplayStop


def open_call(
    describe: Describe, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Opening[Frame | None]:
    """Begin the step of a call; None where nothing is recorded. Raises what ends a re-execution."""
    if scopes.current() is None and not runtime.refuses_outside():
        return None
    try:
        call = describe(*args, **kwargs)
        if isinstance(call, Agent):
            return (yield from opening_agent(call))
        if call is None or _recorded_by_its_decorator(call):
            return None
        spec, first = _tool_spec(call)
        given = dict(call.arguments)
    except ReplayStop:
        raise
    except Exception as error:  # the framework's objects are looked at
        report("describing a call", error)
        return None
    frame = yield from open_frame(spec, first, given, (args, kwargs))
    if frame is not None and call.outcome is not None:
        return AgentFrame(frame, call.outcome)
    return frame


def _recorded_by_its_decorator(call: Tool) -> bool:
    if not getattr(call.function, DECORATED, False):
        return False
    announce(call.function, call.call_id)
    return True


def _tool_spec(call: Tool) -> tuple[Spec, tuple[Any, ...]]:
    """The spec of a tool's call, and the object its method is bound to."""
    function = call.function or _nothing_known
    bound = getattr(function, "__self__", None)
    inner = getattr(function, "__func__", function)
    spec = copy.copy(_spec(inner, call.name, call.effect))
    spec.parameters = _AsGiven(inner)
    spec.seam = True
    spec.about = call.about
    spec.returns = call.returns
    spec.plain, spec.remake, spec.state = call.plain, call.remake, call.state
    if call.call_id:
        spec.detail = {"tool_call_id": str(call.call_id)}
    return spec, () if bound is None or inner is function else (bound,)


@functools.lru_cache(maxsize=256)
def _spec(function: Callable[..., Any], name: str, effect: Effect | None) -> Spec:
    return Spec("tool", name, function, effect)


def _nothing_known() -> Any: ...


class _AsGiven(Parameters):
    """Arguments that have their names already."""

    def by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        return dict(kwargs)


def open_agent(call: Agent) -> "AgentFrame | None":
    """Begin the step of an agent's run; None outside any run of ours."""
    return opened(opening_agent(call))


def opening_agent(call: Agent) -> Opening["AgentFrame | None"]:
    """The same for who can wait."""
    if scopes.current() is None:
        return None
    spec = Spec("agent", call.name, _nothing_known)
    spec.parameters = _AsGiven(_nothing_known)
    spec.seam = True
    spec.about = call.about
    spec.detail = call.detail
    given = {name: shown(value) for name, value in call.given.items()}
    frame = yield from open_frame(spec, (), given)
    return None if frame is None else AgentFrame(frame, call.outcome, call.ended, call.is_last)


class AgentFrame(Frame):
    """An agent's run: what it came to is kept as plain data for people, never given back."""

    __slots__ = ("_is_last", "_outcome", "_then")

    def __init__(
        self,
        frame: Frame,
        outcome: Callable[[Any], Any],
        then: Callable[[], None] = lambda: None,
        is_last: Callable[[Any], bool] = lambda item: False,
    ) -> None:
        super().__init__(frame.spec, frame.step, frame.decision)
        self._outcome = outcome
        self._then = then
        self._is_last = is_last

    def ended(self, status: str, cause: BaseException | None, **what: Any) -> None:
        self._then()
        super().ended(status, cause, **what)

    def finish(self, result: Any, **detail: Any) -> None:
        try:
            made = encode_whole(self._outcome(result))
        except Exception as error:  # the framework's objects are looked at
            report("describing an outcome", error)
            made = encode_whole(None)
        self.ended("ok", None, made=made, fidelity="exact", detail=detail)

    def items(self) -> Items:
        return _Last(self)

    def gave(self, item: Any) -> None:
        """An item of a run that streams."""
        if self._is_last(item):
            self.finish(item)

    def finish_items(self, items: Items, *, returned: Any = None, abandoned: bool = False) -> None:
        detail = {"abandoned": True} if abandoned else {}
        self.finish(items.values[-1] if items.values else None, **detail)

    def fail(self, error: BaseException, items: Items | None = None, **how: Any) -> None:
        super().fail(error, None, **how)


class _Last(Items):
    """Of what a streaming agent gave, the last; what is in between comes from its models."""

    def __init__(self, frame: AgentFrame) -> None:
        super().__init__()
        self._frame = frame

    def gave(self, item: Any) -> None:
        self.values[:] = [item]
        self._frame.gave(item)
