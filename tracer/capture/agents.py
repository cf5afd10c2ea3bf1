"""Agents: the outermost decorated call is a run, a nested one a step of it."""

import time
from collections.abc import Callable
from typing import Any

from tracer.capture import discovery, runtime
from tracer.capture import scope as scopes
from tracer.capture.boundary import ActiveRun, Opening
from tracer.capture.frames import Frame, Spec, begin_frame, is_cancel, make_call, open_frame
from tracer.capture.guard import report
from tracer.capture.opened import opened
from tracer.capture.values import Encoded, encode
from tracer.core.records import RunStatus
from tracer.errors import CannotReplayError, ReplayStop, TracerError

SETUP = "tracer_setup"  # on a decorated agent: makes the arguments that can't be stored
_registered: dict[str, Callable[..., Any]] = {}


class LimitReached(TracerError):
    """Raised in the agent at the step that would exceed a bound set on `@tracer.agent`."""


def register(spec: Spec, wrapped: Callable[..., Any]) -> None:
    """Remember a decorated agent, so that an in-process fork finds it by name."""
    _registered[f"{spec.function.__module__}:{spec.function.__qualname__}"] = wrapped


def registered(module: str, qualname: str) -> Callable[..., Any] | None:
    """The decorated agent of this process with that name."""
    return _registered.get(f"{module}:{qualname}")


class RunFrame(Frame):
    """The outermost agent: its end is also the run's."""

    __slots__ = ()

    def ended(self, status: str, cause: BaseException | None, **what: Any) -> None:
        try:
            super().ended(status, cause, **what)
        finally:
            state: RunStatus = "ok" if cause is None else run_status(cause)
            made: Encoded | None = what.get("made") if cause is None else None
            output = None if made is None else made.data
            runtime.close_run(self.step.run, state, output, what.get("error"))


def run_status(error: BaseException) -> Any:
    """`stopped` when someone ended it (Ctrl-C, cancellation, a limit), else `error`."""
    if isinstance(error, LimitReached | KeyboardInterrupt | ReplayStop) or is_cancel(error):
        return "stopped"
    return "error"


def open_agent(spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opening[Frame | None]:
    """Begin a sub-agent inside a run, else a run of its own."""
    frame: Frame | None
    if scopes.current(agent=True) is not None:
        frame = yield from open_frame(spec, args, kwargs)
    else:
        frame = yield from _open_run(spec, args, kwargs)
    if frame is not None and spec.limits:
        _set_limits(frame, spec)
    return frame


def _open_run(spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opening[Frame | None]:
    from tracer.capture.environment import function_entry  # see `runtime`: only a run needs it

    try:
        named = spec.parameters.by_name(args, kwargs)
        given, fidelity = encode(named)
        storable = fidelity != "opaque" or spec.setup is not None
        entry = function_entry(
            spec.function, storable, runtime.runs_started(), has_setup=spec.setup is not None
        )
        entry |= discovery.wish(discover=spec.discover)
        run = runtime.open_run(spec.name, given, entry, spec.workspace)
        discovery.start(run, entry)
        call = make_call(spec, run.root, named)
    except (ReplayStop, CannotReplayError):
        raise
    except Exception as error:
        report("starting a run", error)
        return None
    frame = yield from begin_frame(spec, run.root, call)
    return RunFrame(spec, frame.step, frame.decision)


def open_block(name: str, given: dict[str, Any]) -> Frame | None:
    """Begin a `with tracer.run(...)` block, which can't be started again by itself."""

    def block(**values: Any) -> None: ...

    block.__name__ = name
    block.__dict__["tracer_reason"] = f"the run {name!r} is a with block, not a function"
    spec = Spec("agent", name, block)
    return opened(open_agent(spec, (), given))


def _set_limits(frame: Frame, spec: Spec) -> None:
    """Bounds are checked where a step starts: there the agent can be stopped cleanly."""
    limits = spec.limits
    run: ActiveRun = frame.step.run
    started = time.monotonic()
    first = run.steps_begun

    def check() -> None:
        if frame.step.ended:
            return
        tally = getattr(run.recorder, "tallies", {}).get(run.id)
        spent = {
            "max_steps": float(run.steps_begun - first + 1),
            "max_tokens": float(getattr(tally, "tokens", 0)),
            "max_cost": float(getattr(tally, "cost_usd", None) or 0.0),
            "timeout": time.monotonic() - started,
        }
        for name, bound in limits.items():
            if spent[name] > bound:
                raise LimitReached(
                    f"{spec.name} reached {name}={bound:g}: raise the limit or find out why it "
                    "goes on"
                )

    run.limits.append(check)


__all__ = ["LimitReached", "RunFrame", "open_agent", "open_block", "register", "registered"]
