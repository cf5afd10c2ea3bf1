"""Tool definitions for the two SDKs, made from a function's name, docstring and annotations."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args, get_origin, get_type_hints

Tool = Callable[..., dict[str, Any]]


def openai_tools(tools: Iterable[Tool]) -> list[Any]:
    """The `tools` argument of `chat.completions.create`."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.__name__,
                "description": inspect.getdoc(tool) or "",
                "parameters": parameters(tool),
            },
        }
        for tool in tools
    ]


def anthropic_tools(tools: Iterable[Tool]) -> list[Any]:
    """The `tools` argument of `messages.create`."""
    return [
        {
            "name": tool.__name__,
            "description": inspect.getdoc(tool) or "",
            "input_schema": parameters(tool),
        }
        for tool in tools
    ]


def parameters(tool: Tool) -> dict[str, Any]:
    """The JSON schema of a tool's parameters: texts, numbers, and texts out of a `Literal`."""
    hints = get_type_hints(tool)
    schemas: dict[str, Any] = {}
    signature = inspect.signature(tool).parameters
    for name in signature:
        schemas[name] = {"type": "number" if hints[name] is float else "string"}
        if get_origin(hints[name]) is Literal:
            schemas[name]["enum"] = list(get_args(hints[name]))
    required = [name for name, seen in signature.items() if seen.default is seen.empty]
    return {"type": "object", "properties": schemas, "required": required}
