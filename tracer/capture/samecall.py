"""One call seen twice: by a framework that runs a tool, and by the tool's own decorator, by the
framework's other form of the same method, or by a client of the server that has the tool.

It is one step: the decorator's where the framework sees that the function has one, else the
outermost.
"""

import contextvars
import inspect
from typing import TYPE_CHECKING, Any

from tracer.capture import scope as scopes
from tracer.capture.boundary import Call
from tracer.core.records import JSON

if TYPE_CHECKING:
    from tracer.capture.frames import Spec

DECORATED = "__tracer_tool__"  # on the wrapper that @tracer.tool makes
_announced: contextvars.ContextVar[tuple[Any, str | None] | None] = contextvars.ContextVar(
    "tracer_call", default=None
)


def announce(function: Any, call_id: str | None) -> None:
    """A framework is about to call a decorated tool for this tool call of the model's."""
    _announced.set((getattr(function, "__func__", function), call_id))


def announced_detail(spec: "Spec") -> dict[str, JSON]:
    """What a framework announced of this call; used up with it."""
    told = _announced.get()
    if told is None or spec.kind != "tool":
        return {}
    function, call_id = told
    if call_id is None or getattr(function, "__wrapped__", function) is not spec.function:
        return {}
    _announced.set(None)
    return {"tool_call_id": call_id}


def is_same_call(spec: "Spec", call: Call, scope: scopes.Scope) -> bool:
    """Whether the step that directly encloses this call is the same one, seen by a framework
    further out: its async form, the function behind its tool, a server's tool behind its own."""
    outer, seen = scope.run.seams.get(scope.step_id or "", (None, None))
    if outer is None or seen is None or outer.kind != spec.kind:
        return False
    same = outer.about is not None and outer.about is spec.about
    if spec.kind == "agent":
        return same
    if call.given is None or seen.given is None:
        return False
    here, there = call.given.tree, seen.given.tree
    if here == there:
        return same or _is_same_function(outer, spec) or outer.name.endswith(spec.name)
    # The framework may have filled in defaults.
    return _is_same_function(outer, spec) and _is_part(here, there)


def _is_same_function(outer: "Spec", inner: "Spec") -> bool:
    return inspect.unwrap(outer.function) is inspect.unwrap(inner.function)


def _is_part(one: Any, other: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    return one.items() <= other.items() or other.items() <= one.items()
