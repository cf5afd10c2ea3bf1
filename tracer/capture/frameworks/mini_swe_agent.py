"""mini-swe-agent: each command in an environment is a tool execution, each run an agent."""

from types import ModuleType
from typing import Any

from tracer.capture.frameworks.seam import Agent, Tool, parsed, shown, watch

_CLASSES = ("LocalEnvironment", "DockerEnvironment", "SingularityEnvironment")


def patch_environments(module: ModuleType) -> None:
    """Watch the environments of a module."""
    for cls in (getattr(module, name, None) for name in _CLASSES):
        if isinstance(cls, type) and "execute" in vars(cls):
            watch(cls, "execute", _describe_command)


def patch_agents(module: ModuleType) -> None:
    """Watch runs."""
    watch(module.DefaultAgent, "run", _describe_run)


def _describe_command(self: Any, action: Any, *args: Any, **kwargs: Any) -> Tool:
    given = parsed(action) if isinstance(action, dict) else {"command": action}
    call_id = given.pop("tool_call_id", None)
    return Tool("bash", given, type(self).execute, call_id, about=self)


def _describe_run(self: Any, task: Any = "", *args: Any, **kwargs: Any) -> Agent:
    return Agent(type(self).__name__, {"task": task}, self, shown)
