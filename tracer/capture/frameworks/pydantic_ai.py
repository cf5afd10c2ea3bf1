"""pydantic-ai: the user's function behind a tool, and each run of an agent.

Every way to run an agent enters `Agent.iter`. Tools of MCP servers are seen at the MCP client.
"""

from types import ModuleType
from typing import Any

from tracer.capture.frameworks.seam import Agent, Tool, shown, watch, watch_context
from tracer.capture.frameworks.state import State


def patch_tools(module: ModuleType) -> None:
    """Watch the functions behind tools."""
    watch(module.FunctionSchema, "call", _describe_call)


def patch_agents(module: ModuleType) -> None:
    """Watch the runs of agents."""
    watch_context(module.Agent, "iter", _describe_run)


def _describe_call(self: Any, args_dict: Any, ctx: Any) -> Tool | None:
    name = getattr(ctx, "tool_name", None)
    if not name:  # a function that makes the output of a run is no tool
        return None
    state = State(deps=getattr(ctx, "deps", None))
    call_id = getattr(ctx, "tool_call_id", None)
    return Tool(name, dict(args_dict), self.function, call_id, state=state)


def _describe_run(self: Any, user_prompt: Any = None, **kwargs: Any) -> Agent:
    return Agent(self.name or "agent", {"input": user_prompt}, self, _outcome)


def _outcome(run: Any) -> Any:
    result = getattr(run, "result", None)
    return shown(getattr(result, "output", None))
