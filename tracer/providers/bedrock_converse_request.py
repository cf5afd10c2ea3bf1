"""Converse requests: what the model was asked."""

from typing import Any

from tracer.providers.base import HttpRequest, ModelRequest
from tracer.providers.bedrock_converse_blocks import read_content, read_message
from tracer.providers.bedrock_errors import model_in
from tracer.providers.hosts import path_of
from tracer.providers.jsontext import as_dict, as_list, load_object
from tracer.providers.wire import make_part, unknown_part, without

_READ_APART = ("messages", "system", "toolConfig")


def read_request(request: HttpRequest) -> ModelRequest:
    """What the model was asked; see `Api.read_request`. The system prompt is the first message."""
    body = load_object(request.body) or {}
    system = read_content(body.get("system"))
    messages = [read_message(message) for message in as_list(body.get("messages"))]
    offered = as_dict(body.get("toolConfig"))
    choice = without(offered, "tools")
    return ModelRequest(
        model=model_in(request.url),
        stream=wants_stream(request),
        messages=([{"role": "system", "parts": system}] if system else []) + messages,
        tools=[read_tool(tool) for tool in as_list(offered.get("tools"))],
        parameters={**without(body, *_READ_APART), **({"toolConfig": choice} if choice else {})},
    )


def wants_stream(request: HttpRequest) -> bool:
    """Whether a request reads a stream: the path says so."""
    return path_of(request.url).endswith("-stream")


def read_tool(tool: Any) -> dict[str, Any]:
    """An OpenTelemetry tool definition; what is no tool of the program's is kept whole."""
    spec = as_dict(tool).get("toolSpec")
    if isinstance(spec, dict):
        schema = as_dict(spec.get("inputSchema")).get("json")
        return make_part("function", without(spec, "inputSchema", "type"), parameters=schema)
    if isinstance(tool, dict) and len(tool) == 1:
        [(kind, value)] = tool.items()
        return {"type": kind, kind: value}
    return unknown_part(tool)
