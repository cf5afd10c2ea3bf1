"""Anthropic Messages requests: what the model was asked."""

from typing import Any

from tracer.providers.anthropic_messages_blocks import read_content, read_message
from tracer.providers.base import HttpRequest, ModelRequest
from tracer.providers.hosts import path_of
from tracer.providers.jsontext import JsonObject, as_list, load_object
from tracer.providers.wire import make_part, text, unknown_part, without

_READ_APART = ("model", "stream", "messages", "system", "tools")


def read_request(request: HttpRequest) -> ModelRequest:
    """What the model was asked; see `Api.read_request`. The system prompt is the first message."""
    body = load_object(request.body) or {}
    system = read_content(body.get("system"))
    messages = [read_message(message) for message in as_list(body.get("messages"))]
    return ModelRequest(
        model=_model(body, request.url),
        stream=wants_stream(body, request.url),
        messages=([{"role": "system", "parts": system}] if system else []) + messages,
        tools=[read_tool(tool) for tool in as_list(body.get("tools"))],
        parameters=without(body, *_READ_APART),
    )


def wants_stream(body: JsonObject, url: str) -> bool:
    """Whether a request reads a stream: Vertex says so in the path."""
    return body.get("stream") is True or path_of(url).endswith(":streamRawPredict")


def read_tool(tool: Any) -> dict[str, Any]:
    """An OpenTelemetry tool definition; tools built into the provider are kept whole."""
    if not isinstance(tool, dict) or "input_schema" not in tool:
        return unknown_part(tool)
    extras = without(tool, "type", "input_schema", "name", "description")
    named = {key: tool[key] for key in ("name", "description") if key in tool}
    return make_part("function", extras, **named, parameters=tool["input_schema"])


def model_of(request: HttpRequest) -> str | None:
    """The model asked for."""
    return _model(load_object(request.body) or {}, request.url)


def _model(body: JsonObject, url: str) -> str | None:
    """The model asked for; on Vertex it stands in the path."""
    _, _, named = path_of(url).partition("/models/")
    return text(body.get("model"), named.partition(":")[0])
