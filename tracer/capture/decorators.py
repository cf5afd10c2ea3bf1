"""The decorators and context managers users write: agent, tool, model, step, note, run."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, overload

from tracer.capture import agents, children, config
from tracer.capture import scope as scopes
from tracer.capture.boundary import Call
from tracer.capture.callsite import callsite
from tracer.capture.frames import Spec
from tracer.capture.guard import report
from tracer.capture.redaction import register
from tracer.capture.samecall import DECORATED
from tracer.capture.toolchecks import Key, make_key, validated
from tracer.capture.values import encode_whole
from tracer.capture.wrapping import wrap
from tracer.core.records import Effect, StepKind
from tracer.errors import ReplayStop, UsageError

F = TypeVar("F", bound=Callable[..., Any])
Names = str | Sequence[str]
_EFFECTS = ("external", "read", "local")

children.join()  # whoever loads this is going to record


def _decorate(function: Any, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Any:
    """Wrap a function, or the function inside a staticmethod or classmethod."""
    if isinstance(function, staticmethod | classmethod):
        return type(function)(make(function.__func__))
    if not callable(function) or isinstance(function, type):
        raise UsageError(
            f"tracer decorators go on functions and methods, not on {function!r}: "
            "decorate the method that does the work"
        )
    return make(function)


def _label(inner: Callable[..., Any], name: str | None) -> str:
    return name or getattr(inner, "__name__", None) or type(inner).__name__


def _step_decorator(kind: StepKind, function: Any, name: str | None, redact: Names) -> Any:
    def make(inner: Callable[..., Any]) -> Callable[..., Any]:
        register(_label(inner, name), redact)
        if not config.get().enabled:
            return inner
        return wrap(Spec(kind, _label(inner, name), inner))

    if function is None:
        return lambda inner: _decorate(inner, make)
    return _decorate(function, make)


@overload
def agent(function: F, /) -> F: ...
@overload
def agent(
    *,
    name: str | None = None,
    max_steps: int | None = None,
    max_tokens: int | None = None,
    max_cost: float | None = None,
    timeout: float | None = None,
    discover: bool = True,
    redact: Names = (),
    setup: Callable[[], Mapping[str, Any]] | None = None,
    workspace: str | os.PathLike[str] | None = None,
) -> Callable[[F], F]: ...
def agent(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    discover: bool = True,
    redact: Names = (),
    setup: Any = None,
    workspace: Any = None,
    **limits: Any,
) -> Any:
    """Record a call as a run (outermost) or as a sub-agent (inside another agent).

    `max_steps`, `max_tokens`, `max_cost` (US dollars) and `timeout` (seconds) bound the call: at
    the start of the step that would exceed one, `tracer.LimitReached` is raised in the agent.
    Functions that a model is offered as tools are recorded as such, also undecorated ones, unless
    `discover` is False (which counts for a run, so on its outermost agent). `setup` is called in a
    re-execution, without arguments, and gives those that can't be stored (a client, a session, a
    method's object) by name, as in `setup=lambda: {"self": Shop()}`. `redact`: as of tools.
    `workspace`: a folder the agent works on, whose states are kept (by git, beside the database) so
    that a re-execution sees its files as they were; of a run's outermost agent.
    """
    unknown = set(limits) - {"max_steps", "max_tokens", "max_cost", "timeout"}
    if unknown:
        raise TypeError(f"agent() got an unexpected keyword argument {sorted(unknown)[0]!r}")
    given = {key: float(value) for key, value in limits.items() if value is not None}

    def make(inner: Callable[..., Any]) -> Callable[..., Any]:
        if not config.get().enabled:
            return inner
        register(name or inner.__name__, redact)
        spec = Spec("agent", name or inner.__name__, inner, None, given, discover=discover)
        spec.setup = setup
        spec.workspace = None if workspace is None else os.fspath(workspace)
        wrapped = wrap(spec, agents.open_agent)
        if setup is not None:
            setattr(wrapped, agents.SETUP, setup)
        agents.register(spec, wrapped)
        return wrapped

    if function is None:
        return lambda inner: _decorate(inner, make)
    return _decorate(function, make)


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(
    *,
    name: str | None = None,
    effect: Effect | None = None,
    idempotency_key: Key | None = None,
    validate: bool = False,
    redact: Names = (),
) -> Callable[[F], F]: ...
def tool(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    effect: Any = None,
    idempotency_key: Any = None,
    validate: bool = False,
    redact: Names = (),
) -> Any:
    """Record a call as a tool execution.

    `effect` says what it does to the world and so what a re-execution may do with it:
    "external" (the default: sends, pays, writes; never repeated by itself), "read" (looks
    something up), "local" (changes only this process; is run again). `idempotency_key` (a
    parameter's name, several, or a function of the arguments): a second call with the same key in
    a run gives the first one's result without running. `validate`: arguments that don't fit the
    annotations raise `tracer.ToolArgumentError` before the tool runs. `redact`: what of its calls
    is never stored in clear, here or where a model asks for it: names of parameters or of fields
    inside them at any depth, dotted for one place (`customer.card`), and `result` for what it
    returns; a value of six characters or more is then removed from the whole run. Raises UsageError
    for an effect or parameter there is not.
    """
    if effect is not None and effect not in _EFFECTS:
        raise UsageError(f"effect={effect!r}: use one of {', '.join(_EFFECTS)}")

    def make(inner: Callable[..., Any]) -> Callable[..., Any]:
        checked = validated(inner) if validate else inner
        register(_label(inner, name), redact)
        if not config.get().enabled:
            return checked
        spec = Spec("tool", _label(inner, name), checked, effect)
        if idempotency_key is not None:
            spec.key = make_key(idempotency_key, spec.parameters)
        made = wrap(spec)
        setattr(made, DECORATED, True)
        return made

    if function is None:
        return lambda inner: _decorate(inner, make)
    return _decorate(function, make)


@overload
def model(function: F, /) -> F: ...
@overload
def model(*, name: str | None = None, redact: Names = ()) -> Callable[[F], F]: ...
def model(function: Any = None, /, *, name: str | None = None, redact: Names = ()) -> Any:
    """Record a call as a model call: for models that aren't reached over HTTP.

    `redact`: as of tools.
    """
    return _step_decorator("model", function, name, redact)


@overload
def step(function: F, /) -> F: ...
@overload
def step(*, name: str | None = None, redact: Names = ()) -> Callable[[F], F]: ...
def step(function: Any = None, /, *, name: str | None = None, redact: Names = ()) -> Any:
    """Record a call as a step: retrieval, parsing, a decision; any work worth seeing.

    `redact`: as of tools.
    """
    return _step_decorator("step", function, name, redact)


def note(text: str, **values: Any) -> None:
    """Record a remark at this place: an intermediate decision and what it rests on.

    Outside a run it does nothing. `values` are shown with it.
    """
    scope = scopes.current()
    if scope is None:
        return
    try:
        given = encode_whole(values)
        call = Call("note", str(text), scope.take_slot("note"), given=given, callsite=callsite())
        scope.run.begin(scope, call, scope.run.decide(call)).end("ok")
    except ReplayStop:
        raise
    except Exception as error:
        report("note", error)


@contextmanager
def run(name: str, input: Any = None) -> Iterator[None]:
    """Record what happens inside as a run, where no decorator fits; nested, as a sub-agent."""
    frame = agents.open_block(name, {} if input is None else {"input": input})
    if frame is None:
        yield
        return
    frame.enter()
    try:
        yield
    except BaseException as error:
        frame.leave()
        frame.fail(error)
        raise
    frame.leave()
    frame.finish(None)


__all__ = ["agent", "model", "note", "run", "step", "tool"]
