"""One chat agent, three ways: as it is, recorded by tracer, and with OpenTelemetry spans.

The agent asks a model and executes a tool in turn. Each of the two adds a message of 1.5 kB to
the conversation, and every model call carries the whole of it and two tool schemas. The spans
carry what tracer stores: instrumentations put it into attributes as JSON.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import httpx2
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind

from benchmarks.payloads import MODEL, TOOLS, Script, opening

URL = "https://models.test/v1/chat/completions"
Messages = list[dict[str, Any]]
Model = Callable[[Messages, Messages], dict[str, Any]]
Tool = Callable[..., str]


def converse(script: Script, ask: Model, search: Tool) -> None:
    """The agent's loop: what is measured is this and nothing around it."""
    messages = opening()
    for _ in range(script.turns):
        said = ask(messages, TOOLS)["choices"][0]["message"]
        messages.append(said)
        call = said["tool_calls"][0]
        found = search(**json.loads(call["function"]["arguments"]))
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": found})


def model_function(script: Script) -> Model:
    """A model reached by a Python call; its replies cost nothing."""
    replies = iter(script.replies)

    def ask(messages: Messages, tools: Messages) -> dict[str, Any]:
        return next(replies)

    return ask


def model_over_http(script: Script, client: httpx2.Client) -> Model:
    """A model reached through an HTTP client."""

    def ask(messages: Messages, tools: Messages) -> dict[str, Any]:
        body = {"model": MODEL, "messages": messages, "tools": tools}
        reply = client.post(URL, json=body, headers={"authorization": "Bearer local"})
        said: dict[str, Any] = reply.json()
        return said

    return ask


def mock_client(script: Script) -> httpx2.Client:
    """A client whose transport answers at once, without a network."""
    replies = iter(script.wire)

    def answer(request: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "application/json"}
        return httpx2.Response(200, headers=headers, content=next(replies))

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def tool_function(script: Script) -> Tool:
    """A tool whose results cost nothing."""
    results = iter(script.found)

    def search_notes(query: str, limit: int) -> str:
        return next(results)

    return search_notes


def _describe(span: Span, reply: dict[str, Any]) -> None:
    """What instrumentations say of a reply."""
    choice, usage = reply["choices"][0], reply["usage"]
    span.set_attribute("gen_ai.output.messages", json.dumps([choice["message"]]))
    span.set_attribute("gen_ai.response.finish_reasons", [choice["finish_reason"]])
    span.set_attribute("gen_ai.response.id", reply["id"])
    span.set_attribute("gen_ai.response.model", reply["model"])
    span.set_attribute("gen_ai.usage.input_tokens", usage["prompt_tokens"])
    span.set_attribute("gen_ai.usage.output_tokens", usage["completion_tokens"])


class Discard(SpanExporter):
    """Takes spans and drops them."""

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class Spans:
    """Model calls and tool executions with a hand-written span around each."""

    def __init__(self) -> None:
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(BatchSpanProcessor(Discard()))
        self.tracer = self.provider.get_tracer("benchmark")

    def around_model(self, ask: Model) -> Model:
        """`ask`, with what goes in and out as attributes, by OpenTelemetry's names."""

        def asked(messages: Messages, tools: Messages) -> dict[str, Any]:
            with self.tracer.start_as_current_span(f"chat {MODEL}", kind=SpanKind.CLIENT) as span:
                span.set_attribute("gen_ai.operation.name", "chat")
                span.set_attribute("gen_ai.request.model", MODEL)
                span.set_attribute("gen_ai.input.messages", json.dumps(messages))
                span.set_attribute("gen_ai.tool.definitions", json.dumps(tools))
                reply = ask(messages, tools)
                _describe(span, reply)
            return reply

        return asked

    def around_tool(self, search: Tool) -> Tool:
        """`search`, with arguments and result as attributes."""

        def searched(query: str, limit: int) -> str:
            with self.tracer.start_as_current_span("execute_tool search_notes") as span:
                span.set_attribute("gen_ai.operation.name", "execute_tool")
                span.set_attribute("gen_ai.tool.name", "search_notes")
                arguments = json.dumps({"query": query, "limit": limit})
                span.set_attribute("gen_ai.tool.call.arguments", arguments)
                found = search(query, limit)
                span.set_attribute("gen_ai.tool.call.result", json.dumps(found))
            return found

        return searched

    def run(self) -> AbstractContextManager[Any]:
        """The span of the whole agent."""
        return self.tracer.start_as_current_span("invoke_agent benchmark")
