"""Which vendor's format the body of an invoke request is in, and the request in that format."""

from dataclasses import dataclass, replace

from tracer.providers.anthropic_messages import AnthropicMessages
from tracer.providers.base import Api, HttpRequest
from tracer.providers.bedrock_converse import BedrockConverse
from tracer.providers.bedrock_errors import model_in
from tracer.providers.hosts import path_of
from tracer.providers.jsontext import JsonObject, dumps, load_object
from tracer.providers.openai_chat import OpenAIChat
from tracer.providers.text_generation import TextGeneration

_ANTHROPIC, _CHAT, _NOVA, _TEXT = (
    AnthropicMessages(), OpenAIChat(), BedrockConverse(), TextGeneration(),
)  # fmt: skip
_NOVA_KEYS = ("schemaVersion", "inferenceConfig", "toolConfig")


@dataclass(frozen=True, slots=True)
class Dialect:
    """A vendor's format, and the request as it would be sent to the vendor.

    `frames_events`: the format streams in frames; the others do in server-sent events.
    """

    api: Api
    request: HttpRequest
    frames_events: bool = False


def dialect_of(request: HttpRequest) -> Dialect:
    """The format a request is in, told from its body."""
    body = load_object(request.body) or {}
    is_stream = path_of(request.url).endswith("-stream")
    if "anthropic_version" in body:
        return Dialect(_ANTHROPIC, _addressed(request, body, is_stream))
    if any(key in body for key in _NOVA_KEYS):
        url = f"/model/{path_of(request.url).partition('/model/')[2].rpartition('/')[0]}/converse"
        inner = replace(request, url=url + ("-stream" if is_stream else ""))
        return Dialect(_NOVA, inner, frames_events=True)
    if "messages" in body:
        return Dialect(_CHAT, _addressed(request, body, is_stream))
    return Dialect(_TEXT, _addressed(request, body, is_stream))


def _addressed(request: HttpRequest, body: JsonObject, is_stream: bool) -> HttpRequest:
    """The request with the model and the form in its body, where vendors have them."""
    asked = {**body, "model": model_in(request.url), "stream": is_stream}
    return replace(request, body=dumps(asked).encode())
