"""Ollama requests: what the model was asked."""

from tracer.core.messages import Message
from tracer.providers.base import HttpRequest, ModelRequest
from tracer.providers.jsontext import JsonObject, as_list, load_object
from tracer.providers.ollama_messages import image_parts, read_message
from tracer.providers.ollama_shape import CHAT, Shape
from tracer.providers.openai_chat_request import read_tool
from tracer.providers.wire import text, without

_READ_APART = {
    "chat": ("model", "stream", "messages", "tools"),
    "generate": ("model", "stream", "prompt", "system", "images", "tools"),
}


def read_request(request: HttpRequest, shape: Shape) -> ModelRequest:
    """What the model was asked; see `Api.read_request`."""
    body = load_object(request.body) or {}
    is_chat = shape is CHAT
    messages = list(map(read_message, as_list(body.get("messages")))) if is_chat else _asked(body)
    return ModelRequest(
        model=text(body.get("model")),
        stream=wants_stream(body),
        messages=messages,
        tools=[read_tool(tool) for tool in as_list(body.get("tools"))],
        parameters=without(body, *_READ_APART["chat" if is_chat else "generate"]),
    )


def wants_stream(body: JsonObject) -> bool:
    """Whether a request reads a stream: so does one that says nothing about it."""
    return body.get("stream") is not False


def _asked(body: JsonObject) -> list[Message]:
    """A prompt as messages."""
    messages: list[Message] = []
    system = text(body.get("system"))
    if system:
        messages.append({"role": "system", "parts": [{"type": "text", "content": system}]})
    prompt = text(body.get("prompt"))
    parts = [{"type": "text", "content": prompt}] if prompt else []
    parts += image_parts(body.get("images"))
    return [*messages, {"role": "user", "parts": parts}] if parts else messages
