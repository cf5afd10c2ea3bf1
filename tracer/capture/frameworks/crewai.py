"""crewAI: tools of all classes through `run` and `_run`, and each task an agent executes."""

from types import ModuleType
from typing import Any

from tracer.capture.frameworks.seam import Agent, Tool, shown, watch, watch_overrides


def patch_tools(module: ModuleType) -> None:
    """Watch the tools of all classes; one of these methods calls another."""
    for name in ("run", "arun", "_run", "_arun"):
        watch_overrides(module.BaseTool, name, _describe_tool)


def patch_agents(module: ModuleType) -> None:
    """Watch what agents do for a crew's tasks, or on their own."""
    for name in ("execute_task", "aexecute_task", "kickoff", "kickoff_async", "akickoff"):
        if name in vars(module.Agent):
            watch(module.Agent, name, _describe_agent)


def _describe_tool(self: Any, *args: Any, **kwargs: Any) -> Tool:
    offered = getattr(getattr(self, "args_schema", None), "model_fields", None) or {}
    named = dict(zip(offered, args, strict=False)) | kwargs
    return Tool(self.name, named, getattr(self, "func", None), about=self)


def _describe_agent(self: Any, *args: Any, **kwargs: Any) -> Agent:
    task = args[0] if args else next(iter(kwargs.values()), None)
    asked = getattr(task, "description", task)
    return Agent(str(self.role).strip(), {"task": asked}, self, _outcome)


def _outcome(result: Any) -> Any:
    return shown(getattr(result, "raw", result))
