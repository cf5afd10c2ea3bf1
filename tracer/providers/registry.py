"""The registry of wire formats: all of them are loaded with this module."""

from tracer.providers.anthropic_messages import AnthropicMessages
from tracer.providers.base import Api
from tracer.providers.bedrock_converse import BedrockConverse
from tracer.providers.bedrock_invoke import BedrockInvoke
from tracer.providers.cohere_chat import CohereChat
from tracer.providers.gemini import GeminiContent
from tracer.providers.gemini_embeddings import GeminiEmbeddings
from tracer.providers.hosts import path_of
from tracer.providers.ollama import OllamaChat, OllamaGenerate
from tracer.providers.ollama_embeddings import OllamaEmbeddings
from tracer.providers.openai_chat import OpenAIChat
from tracer.providers.openai_embeddings import OpenAIEmbeddings
from tracer.providers.openai_responses import OpenAIResponses

APIS: tuple[Api, ...] = (
    OpenAIChat(),
    AnthropicMessages(),
    OpenAIResponses(),
    OpenAIEmbeddings(),
    BedrockConverse(),
    BedrockInvoke(),
    CohereChat(),
    GeminiContent(),
    OllamaChat(),
    OllamaGenerate(),
    GeminiEmbeddings(),
    OllamaEmbeddings(),
)

_BY_NAME = {api.name: api for api in APIS}


def recognise(method: str, url: str, body: bytes) -> Api | None:
    """The format of a request, None when it asks no model that is known here.

    Cheap: by the path's end and by words in the body, which is not parsed; never by host, because
    the same formats are spoken by proxies, gateways and servers on this machine.
    """
    path = path_of(url)
    return next((api for api in APIS if api.matches(method, path, body)), None)


def api_named(name: str) -> Api:
    """The format called `name` ("openai.chat"); raises KeyError for another."""
    return _BY_NAME[name]
