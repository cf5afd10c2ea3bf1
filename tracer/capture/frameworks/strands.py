"""Strands: the user's function behind a decorated tool, and each call of an agent.

Strands' own functions that steer several agents (a handoff in a swarm) run again in every
re-execution. Tools of MCP servers are seen at the MCP client.
"""

import contextvars
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tracer.capture.frameworks.seam import Agent, Tool, before, shown, watch, wrapped
from tracer.capture.frameworks.state import State

_use: contextvars.ContextVar[tuple[Any, Any]] = contextvars.ContextVar("use", default=({}, {}))


def patch_tools(module: ModuleType) -> None:
    """Watch the functions of decorated tools, from their first use on."""
    before(module.DecoratedFunctionTool, "stream", _watch_function)


def _watch_function(self: Any, tool_use: Any, invocation_state: Any, **kwargs: Any) -> None:
    self._tool_func = wrapped(self._tool_func, _describer(self, self._tool_func))
    _use.set((tool_use, invocation_state))


def _describer(tool: Any, function: Callable[..., Any]) -> Callable[..., Tool]:
    own = str(getattr(function, "__module__", "")).startswith("strands.")

    def describe(**kwargs: Any) -> Tool:
        use, around = _use.get()
        offered = tool.tool_spec["inputSchema"]["json"].get("properties", {})
        given = {name: value for name, value in kwargs.items() if name in offered}
        made = Tool(tool.tool_name, given, function, use.get("toolUseId"), about=tool)
        if own:
            made.effect, made.outcome = "local", shown
        elif len(given) < len(kwargs):  # it was given the agent or a context
            data = _dictionary(getattr(around.get("agent"), "state", None))
            made.state = State(state=data, invocation_state=around)
        return made

    return describe


def _dictionary(state: Any) -> Any:
    """The one that an agent's state keeps its values in; its name changed with versions."""
    return next(
        (held for held in getattr(state, "__dict__", {}).values() if isinstance(held, dict)), None
    )


def patch_agents(module: ModuleType) -> None:
    """Watch the calls of agents, which all stream."""
    watch(module.Agent, "stream_async", _describe_agent)


def _describe_agent(self: Any, prompt: Any = None, *args: Any, **kwargs: Any) -> Agent:
    return Agent(str(self.name), {"input": prompt}, self, _outcome)


def _outcome(event: Any) -> Any:
    result = event.get("result") if isinstance(event, dict) else None
    return None if result is None else str(result).strip()
