"""LangChain: every tool runs through its `_run` or `_arun`, which gives the plain result.

`BaseTool.run` and `arun` know the id of the model's tool call; the method of the tool's own class
is wrapped when one of them is first called. What LangGraph injects (state, store, config) is no
argument of the model's, and is left out.
"""

import contextvars
import functools
import sys
import types
from typing import Any

from tracer.capture.frameworks.seam import Tool, before, unwatched, watch

_call_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("tool_call", default=None)
_METHODS = ("_run", "_arun")


def patch(module: types.ModuleType) -> None:
    """Watch the tools of all classes."""
    base = module.BaseTool
    hook = functools.partial(_announce, base)
    before(base, "run", hook)
    before(base, "arun", hook)


def _announce(base: type, self: Any, *args: Any, **kwargs: Any) -> None:
    """The tool's own methods are watched from the first call on."""
    _watch_class(type(self), base)
    call_id = kwargs.get("tool_call_id")
    _call_id.set(call_id if isinstance(call_id, str) else None)


def _watch_class(cls: type, base: type) -> None:
    for name in _METHODS:
        home = next((c for c in cls.__mro__ if name in vars(c)), None)
        if home is not None and home is not base:
            watch(home, name, _describe)


def _describe(self: Any, *args: Any, **kwargs: Any) -> Tool:
    offered = list(self.args)
    named = dict(zip(offered, args, strict=False))
    named.update((name, value) for name, value in kwargs.items() if name in offered)
    function = getattr(self, "coroutine", None) or getattr(self, "func", None)
    if function is None:
        function = types.MethodType(unwatched(type(self)._run), self)
    return Tool(self.name, named, function, _call_id.get(), about=self, returns=_messages())


def _messages() -> tuple[type, ...]:
    """Classes that a tool may return to steer LangChain or LangGraph, where they are loaded."""
    found = []
    for module, name in (
        ("langchain_core.messages.tool", "ToolMessage"),
        ("langgraph.types", "Command"),
    ):
        cls = getattr(sys.modules.get(module), name, None)
        if isinstance(cls, type):
            found.append(cls)
    return tuple(found)
