"""Google ADK: tools of every class through `run_async`, and each run of an agent.

What a tool asks of the runner (state, transfer to another agent, escalation) goes through its
context's actions; it is kept with the step, because the runner acts on it.
"""

from types import ModuleType
from typing import Any

from tracer.capture.frameworks.seam import Agent, Tool, shown, watch, watch_overrides
from tracer.capture.frameworks.state import State


def patch_tools(module: ModuleType) -> None:
    """Watch the tools of all classes."""
    watch_overrides(module.BaseTool, "run_async", _describe_tool)


def patch_agents(module: ModuleType) -> None:
    """Watch the runs of agents; a transfer runs the other agent inside."""
    watch(module.BaseAgent, "run_async", _describe_agent)


def _describe_tool(self: Any, *, args: Any, tool_context: Any) -> Tool:
    state = State(actions=getattr(tool_context, "actions", None), state=_session(tool_context))
    return Tool(
        self.name,
        dict(args),
        getattr(self, "func", None),
        getattr(tool_context, "function_call_id", None),
        about=self,
        state=state,
    )


def _session(context: Any) -> Any:
    """The session's own dictionary behind the context's view of it."""
    return getattr(getattr(context, "state", None), "_value", None)


def _describe_agent(self: Any, *args: Any, **kwargs: Any) -> Agent:
    context = args[0] if args else kwargs.get("parent_context")
    said = getattr(getattr(context, "user_content", None), "parts", None)
    return Agent(self.name, {"input": _text(said)}, self, _outcome)


def _outcome(event: Any) -> Any:
    return _text(getattr(getattr(event, "content", None), "parts", None))


def _text(parts: Any) -> Any:
    texts = [getattr(part, "text", None) for part in parts or ()]
    return shown("".join(text for text in texts if text)) or None
