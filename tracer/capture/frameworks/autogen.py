"""AutoGen agentchat: tools through `run_json`, and each turn of an agent, also in a team."""

from types import ModuleType
from typing import Any

from tracer.capture.frameworks.seam import Agent, Tool, shown, watch_overrides


def patch_tools(module: ModuleType) -> None:
    """Watch the tools of all classes."""
    watch_overrides(module.BaseTool, "run_json", _describe_tool)


def patch_agents(module: ModuleType) -> None:
    """Watch the turns of agents of all classes."""
    watch_overrides(module.BaseChatAgent, "on_messages_stream", _describe_turn)


def _describe_tool(
    self: Any, args: Any, cancellation_token: Any = None, call_id: str | None = None
) -> Tool:
    kind = getattr(self, "_return_type", None)
    returns = (kind,) if isinstance(kind, type) else ()
    function = getattr(self, "_func", None)
    return Tool(self.name, dict(args), function, call_id, returns=returns, about=self)


def _describe_turn(self: Any, messages: Any, *args: Any, **kwargs: Any) -> Agent:
    said = [shown(getattr(message, "content", None)) for message in messages]
    return Agent(self.name, {"messages": said}, self, _outcome, is_last=_is_response)


def _is_response(item: Any) -> bool:
    return hasattr(item, "chat_message")


def _outcome(last: Any) -> Any:
    message = getattr(last, "chat_message", last)
    return shown(getattr(message, "content", None))
