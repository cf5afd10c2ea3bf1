"""The real SDKs' clients for a model server, and what their replies say."""

import http.client
import json
from typing import Any

import anthropic
import openai
from anthropic.types import Message
from openai.types.chat import ChatCompletion

from tracer.demo.conversation import Answer, Call
from tracer.demo.model_server import ModelServer

TOOL_SCHEMA = {
    "type": "object",
    "properties": {"category": {"type": "string", "enum": ["standard", "clearance"]}},
    "required": ["category"],
}
OPENAI_TOOLS: Any = [
    {"type": "function", "function": {"name": "check_policy", "parameters": TOOL_SCHEMA}}
]
ANTHROPIC_TOOLS: Any = [{"name": "check_policy", "input_schema": TOOL_SCHEMA}]
ASKED: Any = [{"role": "user", "content": "Order A-1042, please refund me."}]
SAID = Answer("Let me look order A-1042 up.", (Call("lookup_order", {"order_id": "A-1042"}),))


def chat(server: ModelServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none")


def claude(server: ModelServer) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="none")


def post(server: ModelServer, path: str, body: bytes) -> tuple[int, str, bytes]:
    """Status, content type and body of a bare request."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    connection.request("POST", path, body)
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply.status, reply.headers["Content-Type"], content


def said_by_openai(reply: ChatCompletion) -> Answer:
    message = reply.choices[0].message
    calls = [call.function for call in message.tool_calls or () if call.type == "function"]
    return Answer(
        message.content or "",
        tuple(Call(call.name, json.loads(call.arguments)) for call in calls),
    )


def said_by_anthropic(reply: Message) -> Answer:
    text = "".join(block.text for block in reply.content if block.type == "text")
    uses = [block for block in reply.content if block.type == "tool_use"]
    return Answer(text, tuple(Call(use.name, use.input) for use in uses))
