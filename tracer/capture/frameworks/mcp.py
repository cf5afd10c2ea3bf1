"""MCP: a client's call of a server's tool, whatever transport it goes through."""

from types import ModuleType
from typing import Any

from tracer.capture.frameworks.seam import Tool, watch


def patch(module: Any) -> None:
    """Watch the tool calls of all sessions."""

    def describe(self: Any, name: str, arguments: Any = None, *args: Any, **kwargs: Any) -> Tool:
        return Tool(name, dict(arguments or {}), returns=returns)

    returns = _results(module)
    watch(module.ClientSession, "call_tool", describe)


def _results(module: ModuleType) -> tuple[type, ...]:
    types = getattr(module, "types", None)
    found = (getattr(types, name, None) for name in ("CallToolResult", "InputRequiredResult"))
    return tuple(cls for cls in found if isinstance(cls, type))
