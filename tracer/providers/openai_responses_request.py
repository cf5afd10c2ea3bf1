"""Responses requests: what the model was asked, and what a substitute must know of it."""

from dataclasses import dataclass
from typing import Any

from tracer.core.messages import Message, Part
from tracer.providers.base import HeldState, HttpRequest, ModelRequest
from tracer.providers.jsontext import JsonObject, as_dict, as_list, load_object
from tracer.providers.openai_responses_items import is_result, item_parts, type_of
from tracer.providers.wire import make_part, text, unknown_part, without

_READ_APART = ("model", "stream", "input", "instructions", "tools")
# A reply repeats these settings of its request.
_REPEATED = (
    "instructions", "max_output_tokens", "metadata", "previous_response_id", "reasoning", "store",
    "temperature", "text", "top_p", "truncation", "user", "background",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What decides the form of a built reply; `seed` makes ids that are new but not random.

    `settings` are what a reply repeats of its request.
    """

    model: str
    stream: bool
    custom_tools: frozenset[str]
    settings: JsonObject
    seed: bytes


def read_request(request: HttpRequest) -> ModelRequest:
    """What the model was asked; see `Api.read_request`."""
    body = load_object(request.body) or {}
    items = as_list(body.get("input"))
    more = [tool for item in items for tool in _tools_of(as_dict(item))]
    return ModelRequest(
        model=text(body.get("model")),
        stream=body.get("stream") is True,
        messages=[*_instructions(body.get("instructions")), *_input(body.get("input"))],
        tools=[made for tool in [*as_list(body.get("tools")), *more] for made in read_tool(tool)],
        parameters=without(body, *_READ_APART),
    )


def read_asked(request: HttpRequest) -> Asked:
    """The facts of a request that a built reply follows."""
    body = load_object(request.body) or {}
    tools = [made for tool in as_list(body.get("tools")) for made in read_tool(tool)]
    customs = (text(tool.get("name")) for tool in tools if tool.get("type") == "custom")
    settings: JsonObject = {key: body[key] for key in _REPEATED if key in body}
    settings["tools"] = [tool for tool in as_list(body.get("tools")) if isinstance(tool, dict)]
    settings["tool_choice"] = body.get("tool_choice") or "auto"
    settings["parallel_tool_calls"] = body.get("parallel_tool_calls") is not False
    return Asked(
        model=text(body.get("model")) or "unknown",
        stream=body.get("stream") is True,
        custom_tools=frozenset(name for name in customs if name),
        settings=settings,
        seed=request.body,
    )


def held_state(request: HttpRequest) -> list[HeldState]:
    """What of the conversation the request leaves to the provider; see `Api.server_state`."""
    body = load_object(request.body) or {}
    talk = body.get("conversation")
    named: list[tuple[str, Any, bool]] = [
        ("previous_response_id", body.get("previous_response_id"), False),
        ("conversation", as_dict(talk).get("id") if isinstance(talk, dict) else talk, True),
    ]
    for item in map(as_dict, as_list(body.get("input"))):
        if type_of(item) == "item_reference":
            named.append(("item_reference", item.get("id"), False))
    for tool in as_list(body.get("tools")):
        named.append(("container", as_dict(tool).get("container"), True))
    return [HeldState(field, name, grows) for field, name, grows in named if text(name)]


def read_tool(tool: Any) -> list[dict[str, Any]]:
    """OpenTelemetry tool definitions of one entry; a namespace holds several.

    Tools built into the provider are kept whole, under the name of their type if they have none.
    """
    entry = as_dict(tool)
    kind = text(entry.get("type")) or "function"
    if kind == "namespace":
        name = text(entry.get("name")) or ""
        inner = [made for each in as_list(entry.get("tools")) for made in _in_namespace(each)]
        return [without(entry, "tools"), *({**made, "namespace": name} for made in inner)]
    if kind in ("function", "custom"):
        return [make_part(kind, entry)] if entry else [unknown_part(tool)]
    name = text(entry.get("name"), entry.get("server_label")) or kind
    return [{**entry, "name": name}]


def _in_namespace(tool: Any) -> list[dict[str, Any]]:
    return [] if as_dict(tool).get("type") == "namespace" else read_tool(tool)


def _tools_of(item: JsonObject) -> list[Any]:
    """The tools that an item of the input offers from there on."""
    return as_list(item.get("tools")) if item.get("type") == "additional_tools" else []


def _instructions(said: Any) -> list[Message]:
    if isinstance(said, str) and said:
        return [{"role": "system", "parts": [{"type": "text", "content": said}]}]
    return _messages(as_list(said))


def _input(given: Any) -> list[Message]:
    if isinstance(given, str):
        return [{"role": "user", "parts": [{"type": "text", "content": given}]}]
    return _messages(as_list(given))


def _messages(items: list[Any]) -> list[Message]:
    """Items as messages: all that the model said between two others is one message."""
    messages: list[Message] = []
    for item in items:
        role = _role(item)
        parts: list[Part] = item_parts(item)
        if role == "assistant" and messages and messages[-1]["role"] == "assistant":
            messages[-1]["parts"] += parts
        else:
            messages.append({"role": role, "parts": parts})
    return messages


def _role(item: Any) -> str:
    if isinstance(item, str):
        return "user"
    entry = as_dict(item)
    kind = type_of(entry)
    if is_result(entry):
        return "tool"
    if kind in ("message", "additional_tools"):
        return text(entry.get("role")) or "unknown"
    if kind in ("mcp_approval_response", "unknown"):
        return "user" if kind == "mcp_approval_response" else "unknown"
    return "system" if kind == "configuration_update" else "assistant"
