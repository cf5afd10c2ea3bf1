"""smolagents: every tool is called through `Tool.__call__`, also from the code a CodeAgent runs.

A run of an agent, managed agents too, is its `_run_stream`.
"""

import contextvars
import sys
from types import ModuleType
from typing import Any

from tracer.capture.frameworks.seam import Agent, Tool, before, parsed, shown, watch

_asked: contextvars.ContextVar[list[tuple[str, Any, str]]] = contextvars.ContextVar("asked")


def patch_tools(module: ModuleType) -> None:
    """Watch all tools."""
    watch(module.Tool, "__call__", _describe_call)


def patch_agents(module: ModuleType) -> None:
    """Watch runs; what the model asked for tells the ids of its calls."""
    watch(module.MultiStepAgent, "_run_stream", _describe_run)
    before(module.ToolCallingAgent, "process_tool_calls", _remember)


def _remember(self: Any, chat_message: Any, *args: Any, **kwargs: Any) -> None:
    calls = getattr(chat_message, "tool_calls", None) or ()
    _asked.set([(c.function.name, c.function.arguments, c.id) for c in calls])


def _describe_call(
    self: Any, *args: Any, sanitize_inputs_outputs: bool = False, **kwargs: Any
) -> Tool:
    named = kwargs
    if len(args) == 1 and not kwargs and isinstance(args[0], dict):
        named = args[0]
    elif args:
        named = dict(zip(self.inputs, args, strict=False)) | kwargs
    function = self.forward
    if not self.is_initialized:  # the first call sets the tool up: no change of the user's making
        function = getattr(function, "__func__", function)
    tool = Tool(self.name, named, function, _call_id(self.name, named), about=self)
    if sanitize_inputs_outputs:
        kinds = sys.modules["smolagents.agent_types"]
        tool.plain = lambda value: value.to_raw() if hasattr(value, "to_raw") else value
        tool.remake = lambda value: kinds.handle_agent_output_types(value, self.output_type)
    return tool


def _call_id(name: str, named: dict[str, Any]) -> str | None:
    asked = _asked.get([])
    for at, (called, arguments, call_id) in enumerate(asked):
        if called == name and parsed(arguments) == named:
            del asked[at]
            return call_id
    return None


def _describe_run(self: Any, *args: Any, **kwargs: Any) -> Agent:
    task = args[0] if args else kwargs.get("task")
    name = getattr(self, "name", None) or type(self).__name__
    return Agent(name, {"task": task}, self, lambda last: shown(getattr(last, "output", None)))
