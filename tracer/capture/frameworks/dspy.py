"""DSPy: every call of a tool, and each run of a ReAct agent."""

from types import ModuleType
from typing import Any

from tracer.capture.frameworks.seam import Agent, Tool, shown, watch


def patch_tools(module: ModuleType) -> None:
    """Watch all tools."""
    watch(module.Tool, "__call__", _describe_tool)
    watch(module.Tool, "acall", _describe_tool)


def patch_agents(module: ModuleType) -> None:
    """Watch ReAct agents."""
    watch(module.ReAct, "forward", _describe_agent)
    watch(module.ReAct, "aforward", _describe_agent)


def _describe_tool(self: Any, **kwargs: Any) -> Tool:
    return Tool(str(self.name), kwargs, self.func, about=self)


def _describe_agent(self: Any, **kwargs: Any) -> Agent:
    return Agent(type(self).__name__, kwargs, self, _outcome)


def _outcome(prediction: Any) -> Any:
    fields = dict(prediction.items()) if hasattr(prediction, "items") else {}
    fields.pop("trajectory", None)
    return shown(fields)
