"""Programs whose instrumentation makes spans: joined where they say the same, else nested in."""

from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import tracer
from tests.support.agents import Bench
from tests.support.servers import Exchange, OddServer

ASKED: Any = [{"role": "user", "content": "Where is my lamp?"}]
GENAI = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}
OPENINFERENCE = {"openinference.span.kind": "LLM"}
OPENLLMETRY = {"llm.request.type": "chat"}


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer() as running:
        yield running


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


def _ask(server: OddServer) -> None:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="k") as client:
        client.chat.completions.create(model="gpt-4o-mini", messages=ASKED)


def _named(memory: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in memory.get_finished_spans()}


def _parents(memory: InMemorySpanExporter) -> dict[str, str | None]:
    spans = memory.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    return {s.name: None if s.parent is None else names[s.parent.span_id] for s in spans}


@pytest.mark.parametrize("attributes", [GENAI, OPENINFERENCE, OPENLLMETRY])
def test_a_model_span_of_an_instrumentation_is_joined(
    bench: Bench, server: OddServer, memory: InMemorySpanExporter, attributes: dict[str, str]
) -> None:
    @tracer.agent
    def support() -> None:
        with trace.get_tracer("theirs").start_as_current_span("theirs", attributes=attributes):
            _ask(server)

    support()
    assert _parents(memory) == {"invoke_agent support": None, "theirs": "invoke_agent support"}
    step = bench.step("model")
    theirs = dict(_named(memory)["theirs"].attributes or {})
    assert (theirs["tracer.step.id"], theirs["tracer.step.number"]) == (step.id, step.n)
    assert theirs["tracer.run.id"] == bench.run().id
    assert theirs.keys() - {key for key in theirs if key.startswith("tracer.")} == attributes.keys()


def test_attempts_of_one_call_join_one_span(
    bench: Bench, server: OddServer, memory: InMemorySpanExporter
) -> None:
    def once_busy(exchange: Exchange) -> None:
        if exchange.number == 1:
            exchange.reply({"error": {"message": "busy"}}, 429, {"retry-after-ms": "1"})
        else:
            exchange.say("fine")

    server.odd = once_busy

    @tracer.agent
    def support() -> None:
        with trace.get_tracer("theirs").start_as_current_span("theirs", attributes=GENAI):
            _ask(server)

    support()
    first, second = (step for step in bench.steps() if step.kind == "model")
    assert (first.status, second.status) == ("error", "ok")
    assert sorted(_named(memory)) == ["invoke_agent support", "theirs"]
    assert (_named(memory)["theirs"].attributes or {})["tracer.step.id"] == second.id


def test_tools_and_agents_join_by_name(bench: Bench, memory: InMemorySpanExporter) -> None:
    theirs = trace.get_tracer("theirs")

    @tracer.tool
    def look() -> str:
        return "there"

    @tracer.agent(name="support")
    def support() -> str:
        tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look"}
        with theirs.start_as_current_span("tool of theirs", attributes=tool):
            look()
            look()  # one span is one execution: the second has a span of its own
        other = {"openinference.span.kind": "TOOL", "tool.name": "other"}
        with theirs.start_as_current_span("another tool", attributes=other):
            return look()

    agent = {"openinference.span.kind": "AGENT", "agent.name": "support"}
    with theirs.start_as_current_span("agent of theirs", attributes=agent):
        support()
    names = [(span.name, _parents(memory)[span.name]) for span in memory.get_finished_spans()]
    assert sorted(map(str, names)) == [
        "('agent of theirs', None)",
        "('another tool', 'agent of theirs')",
        "('execute_tool look', 'another tool')",
        "('execute_tool look', 'another tool')",
        "('tool of theirs', 'agent of theirs')",
    ]
    assert [step.kind for step in bench.steps()] == ["agent", "tool", "tool", "tool"]
    [joined] = [s for s in bench.steps() if s.kind == "agent"]
    assert (_named(memory)["agent of theirs"].attributes or {})["tracer.step.id"] == joined.id


def test_a_span_made_while_a_request_is_sent_stands_in_its_step(
    bench: Bench, server: OddServer, memory: InMemorySpanExporter
) -> None:
    """As the instrumentations of HTTP clients make them."""

    class Instrumented(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            with trace.get_tracer("theirs").start_as_current_span("POST"):
                return super().handle_request(request)

    @tracer.agent
    def support() -> None:
        with httpx2.Client(transport=Instrumented()) as client:
            client.post(f"{server.url}/v1/chat/completions", json={"model": "m", "messages": ASKED})

    support()
    assert _parents(memory) == {
        "invoke_agent support": None,
        "chat m": "invoke_agent support",
        "POST": "chat m",
    }


def test_a_span_from_before_the_run_is_no_child_of_its_steps(
    bench: Bench, server: OddServer, memory: InMemorySpanExporter
) -> None:
    """A worker that carries the context of its making, as pools that copy contexts do."""
    with trace.get_tracer("theirs").start_as_current_span("request"):
        outer = context.get_current()

        @tracer.agent
        def support() -> None:
            token = context.attach(outer)
            _ask(server)
            context.detach(token)

        support()
    assert _parents(memory)["chat gpt-4o-mini"] == "invoke_agent support"


def test_a_provider_that_is_set_during_the_run_is_joined(
    bench: Bench, server: OddServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under `tracer run` the run is older than the program's first line."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    @tracer.agent
    def support() -> None:
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
        _ask(server)

    support()
    assert [span.name for span in exporter.get_finished_spans()] == ["chat gpt-4o-mini"]
