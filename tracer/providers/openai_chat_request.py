"""Chat Completions requests: what the model was asked, and what a substitute must know of it."""

from dataclasses import dataclass
from typing import Any

from tracer.providers.base import HttpRequest, ModelRequest
from tracer.providers.hosts import name_by_host, path_of
from tracer.providers.jsontext import JsonObject, as_dict, as_list, load_object
from tracer.providers.openai_chat_messages import read_message
from tracer.providers.wire import header, make_part, text, unknown_part, without

_READ_APART = ("model", "stream", "messages", "tools", "functions")
_WHOLE_CALLS = ("mistral_ai", "groq", "ollama")  # send each tool call in one piece


@dataclass(frozen=True, slots=True)
class Asked:
    """What decides the form of a built reply; `seed` makes ids that are new but not random."""

    model: str
    stream: bool
    include_usage: bool
    old_functions: bool  # the request offers `functions`, so the answer is a `function_call`
    custom_tools: frozenset[str]
    whole_calls: bool
    seed: bytes


def read_request(request: HttpRequest) -> ModelRequest:
    """What the model was asked; see `Api.read_request`."""
    body = load_object(request.body) or {}
    tools = [read_tool(tool) for tool in as_list(body.get("tools"))]
    functions = [read_tool({"function": entry}) for entry in as_list(body.get("functions"))]
    return ModelRequest(
        model=_model(body, request.url),
        stream=body.get("stream") is True,
        messages=[read_message(message) for message in as_list(body.get("messages"))],
        tools=tools + functions,
        parameters=without(body, *_READ_APART),
    )


def read_asked(request: HttpRequest) -> Asked:
    """The facts of a request that a built reply follows."""
    body = load_object(request.body) or {}
    tools = [read_tool(tool) for tool in as_list(body.get("tools"))]
    customs = (text(tool.get("name")) for tool in tools if tool.get("type") == "custom")
    return Asked(
        model=_model(body, request.url) or "unknown",
        stream=body.get("stream") is True,
        include_usage=as_dict(body.get("stream_options")).get("include_usage") is True,
        old_functions=bool(body.get("functions")) and not tools,
        custom_tools=frozenset(name for name in customs if name),
        whole_calls=_reads_whole_calls(request),
        seed=request.body,
    )


def read_tool(tool: Any) -> dict[str, Any]:
    """An OpenTelemetry tool definition; tools built into the provider are kept whole."""
    entry = as_dict(tool)
    function, custom = entry.get("function"), entry.get("custom")
    if isinstance(function, dict):
        extras = {**without(entry, "function", "type"), **function}
        return make_part("function", extras)
    if isinstance(custom, dict):
        return make_part("custom", {**without(entry, "custom", "type"), **custom})
    return unknown_part(tool)


def _reads_whole_calls(request: HttpRequest) -> bool:
    """Whether tool calls come in one piece: from some hosts, and for an SDK that refuses pieces.

    Mistral's fails at one without a name, whatever gateway it talks to.
    """
    return (
        name_by_host(request.url) in _WHOLE_CALLS
        or "mistral" in header(request.headers, "user-agent").lower()
    )


def _model(body: JsonObject, url: str) -> str | None:
    """The model asked for; on Azure it stands in the path as the deployment's name."""
    _, _, deployment = path_of(url).partition("/deployments/")
    return text(body.get("model"), deployment.partition("/")[0])
