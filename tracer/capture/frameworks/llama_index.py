"""LlamaIndex: the user's function behind a FunctionTool, and the runs of workflow agents.

A run is started and awaited later, so its step ends when its result is there. LlamaIndex's own
functions that steer a run (a handoff) run again in every re-execution.
"""

import contextvars
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tracer.capture.frameworks.seam import Agent, Tool, before, shown, watch_handle, wrapped
from tracer.capture.frameworks.state import Changing, State

_call_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("tool_call", default=None)


def patch_tools(module: ModuleType) -> None:
    """Watch the functions of tools, from their first call on."""
    before(module.FunctionTool, "call", _watch_functions)
    before(module.FunctionTool, "acall", _watch_functions)


def _watch_functions(tool: Any, *args: Any, **kwargs: Any) -> None:
    for name in ("_fn", "_async_fn"):
        setattr(tool, name, wrapped(getattr(tool, name), _describer(tool)))


def _describer(tool: Any) -> Callable[..., Tool]:
    function = tool.real_fn
    own = str(getattr(function, "__module__", "")).startswith("llama_index.")
    context_name = getattr(tool, "ctx_param_name", None)

    def describe(*args: Any, **kwargs: Any) -> Tool:
        named = dict(inspect.signature(function).bind_partial(*args, **kwargs).arguments)
        context = named.pop(context_name, None) if context_name else None
        given = named.pop("kwargs", {}) | named
        name = tool.metadata.get_name()
        made = Tool(name, given, function, _call_id.get(), about=tool)
        if context is not None and own:
            made.effect, made.outcome = "local", shown
        elif context is not None:
            made.state = State(store=Changing(lambda: _store(context)))
        return made

    return describe


def _store(context: Any) -> Any:
    """The data behind a workflow context's store, which an edit replaces."""
    storage = getattr(getattr(context, "store", None), "_memory_storage", None)
    data = getattr(getattr(storage, "_record", None), "data", None)
    return getattr(data, "_data", data)


def patch_agents(module: ModuleType) -> None:
    """Watch the runs of single agents."""
    _watch_runs(module.BaseWorkflowAgent)


def patch_workflows(module: ModuleType) -> None:
    """Watch the runs of several agents together."""
    _watch_runs(module.AgentWorkflow)


def _watch_runs(cls: Any) -> None:
    watch_handle(cls, "run", _describe_run, _future)
    before(cls, "call_tool", _announce)


def _announce(self: Any, *args: Any, **kwargs: Any) -> None:
    event = kwargs.get("ev") or (args[-1] if args else None)
    _call_id.set(getattr(event, "tool_id", None))


def _describe_run(self: Any, *args: Any, **kwargs: Any) -> Agent:
    asked = kwargs.get("user_msg") or (args[0] if args else None)
    name = getattr(self, "name", None) or type(self).__name__
    return Agent(name, {"input": _said(asked)}, self, lambda result: _said(_response(result)))


def _response(result: Any) -> Any:
    return getattr(result, "response", result)


def _said(message: Any) -> Any:
    content = getattr(message, "content", None)
    return shown(message) if content is None else shown(content)


def _future(handler: Any) -> Any:
    """What tells that a run has ended."""
    return handler if hasattr(handler, "add_done_callback") else handler._result_task
