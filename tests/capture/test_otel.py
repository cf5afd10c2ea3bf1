"""Spans for whoever listens; the record never depends on OpenTelemetry's switches."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

import tracer
from tests.support.agents import Bench
from tests.support.processes import Desk
from tests.support.servers import OddServer
from tracer.demo.conversation import Call

ASKED: Any = [{"role": "user", "content": "Where is my lamp?"}]


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer(lambda x: x.say("Here.", Call("look", {"order": 5}))) as running:
        yield running


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """A provider of the user's own, as if set at the start of the program."""
    return _provide(monkeypatch, ALWAYS_ON)


def _provide(monkeypatch: pytest.MonkeyPatch, sampler: Any) -> InMemorySpanExporter:
    memory = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return memory


def _agent(server: OddServer) -> Any:
    own = trace.get_tracer("users-own")

    @tracer.tool
    def look(order: int) -> str:
        with own.start_as_current_span("sql"):
            return f"order {order}"

    @tracer.tool
    def breaks() -> None:
        raise ValueError("no stock")

    @tracer.agent(name="support")
    def agent(question: str) -> str:
        with own.start_as_current_span("prepare"):
            client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k")
        reply = client.chat.completions.create(model="gpt-4o-mini", messages=ASKED)
        tracer.note("looking")
        try:
            breaks()
        except ValueError:
            pass
        return look(5) + (reply.choices[0].message.content or "")

    return agent


def _tree(spans: tuple[ReadableSpan, ...]) -> set[tuple[str, str | None]]:
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    return {
        (span.name, names[span.parent.span_id] if span.parent is not None else None)
        for span in spans
    }


def test_every_step_is_a_span_with_its_parent(
    bench: Bench, server: OddServer, exporter: InMemorySpanExporter
) -> None:
    _agent(server)("lamp?")
    spans = exporter.get_finished_spans()
    assert _tree(spans) == {
        ("invoke_agent support", None),
        ("prepare", "invoke_agent support"),
        ("chat gpt-4o-mini", "invoke_agent support"),
        ("looking", "invoke_agent support"),
        ("execute_tool breaks", "invoke_agent support"),
        ("execute_tool look", "invoke_agent support"),
        ("sql", "execute_tool look"),
    }
    by_name = {span.name: span for span in spans}
    chat = dict(by_name["chat gpt-4o-mini"].attributes or {})
    step = bench.step("model")
    assert step.usage is not None
    assert chat["gen_ai.operation.name"] == "chat"
    assert chat["gen_ai.provider.name"] == "openai"
    assert chat["gen_ai.request.model"] == chat["gen_ai.response.model"] == "gpt-4o-mini"
    assert chat["gen_ai.usage.input_tokens"] == step.usage.input_tokens
    assert chat["gen_ai.usage.output_tokens"] == step.usage.output_tokens
    assert chat["gen_ai.response.finish_reasons"] == ("tool_call",)
    assert chat["gen_ai.response.id"] == step.detail["response_id"]
    assert chat["tracer.step.id"] == step.id and chat["tracer.run.id"] == bench.run().id
    assert not any("messages" in key for key in chat), "content only when asked for"
    failed = by_name["execute_tool breaks"]
    assert (failed.attributes or {})["error.type"] == "ValueError"
    assert failed.status.status_code is trace.StatusCode.ERROR
    agent = by_name["invoke_agent support"]
    assert (agent.attributes or {})["gen_ai.agent.name"] == "support"
    assert agent.end_time is not None and chat is not None


def test_embeddings_are_another_operation(bench: Bench, exporter: InMemorySpanExporter) -> None:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    value = {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}

    @tracer.agent(name="indexer")
    def agent() -> None:
        client = openai.OpenAI(base_url=f"{embedder.url}/v1", api_key="k")
        client.embeddings.create(model="text-embedding-3-small", input="lamp")

    with OddServer(lambda exchange: exchange.reply(value)) as embedder:
        agent()
    [span] = [s for s in exporter.get_finished_spans() if s.name != "invoke_agent indexer"]
    attributes = dict(span.attributes or {})
    assert span.name == "embeddings text-embedding-3-small"
    assert attributes["gen_ai.operation.name"] == "embeddings"
    assert attributes["gen_ai.usage.input_tokens"] == 3
    assert "gen_ai.usage.output_tokens" not in attributes


def test_content_goes_into_spans_only_by_opentelemetrys_own_switch(
    bench: Bench,
    server: OddServer,
    exporter: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    _agent(server)("lamp?")
    by_name = {span.name: dict(span.attributes or {}) for span in exporter.get_finished_spans()}
    asked = json.loads(str(by_name["chat gpt-4o-mini"]["gen_ai.input.messages"]))
    assert asked[0]["parts"][0]["content"] == "Where is my lamp?"
    said = json.loads(str(by_name["chat gpt-4o-mini"]["gen_ai.output.messages"]))
    assert [part["type"] for part in said[0]["parts"]] == ["text", "tool_call"]
    look = by_name["execute_tool look"]
    assert json.loads(str(look["gen_ai.tool.call.arguments"])) == {"order": 5}
    assert json.loads(str(look["gen_ai.tool.call.result"])) == "order 5"


def test_a_sampler_that_drops_everything_drops_spans_not_steps(
    bench: Bench, server: OddServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = _provide(monkeypatch, ALWAYS_OFF)
    _agent(server)("lamp?")
    assert memory.get_finished_spans() == ()
    assert len(bench.steps()) == 5


def test_an_exporter_that_raises_harms_nothing(
    bench: Bench, server: OddServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        """A provider whose spans raise."""

        def get_tracer(self, *_: Any, **__: Any) -> Any:
            return self

        def start_span(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("no spans today")

        def start_as_current_span(self, *_: Any, **__: Any) -> Any:
            return trace.NoOpTracer().start_as_current_span("x")

    monkeypatch.setattr(trace, "_TRACER_PROVIDER", Broken())
    assert _agent(server)("lamp?") == "order 5Here."
    assert len(bench.steps()) == 5


def test_generators_and_threads_keep_their_spans_apart(
    bench: Bench, exporter: InMemorySpanExporter
) -> None:
    @tracer.tool
    def inner(word: str) -> str:
        return word

    @tracer.tool
    def source(word: str) -> Iterator[str]:
        yield inner(word + "1")
        yield inner(word + "2")

    @tracer.agent
    def agent() -> list[str]:
        one, two = source("a"), source("b")
        return [next(one), next(two), inner("c"), next(one), next(two)]

    agent()
    assert trace.get_current_span() is trace.INVALID_SPAN
    parents = _tree(exporter.get_finished_spans())
    assert ("execute_tool inner", "execute_tool source") in parents
    assert ("execute_tool inner", "invoke_agent agent") in parents
    assert ("execute_tool source", "invoke_agent agent") in parents


def test_the_switch_that_disables_opentelemetry_disables_only_that(
    desk: Desk, server: OddServer
) -> None:
    script = desk.write(
        "agent.py",
        """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())

@tracer.agent
def agent():
    return ask("hello")

print(agent())
""",
    )
    env = {"OTEL_SDK_DISABLED": "true", "OPENAI_BASE_URL": f"{server.url}/v1"}
    done = desk.record(script, how="plain", env=env)
    assert (done.code, done.err) == (0, "")
    assert [step.kind for step in desk.steps()] == ["agent", "model"]
    assert desk.run().cost_usd is not None


@pytest.mark.parametrize("content", ["NO_CONTENT", "SPAN_ONLY"])
def test_no_secret_leaves_in_a_span(
    bench: Bench,
    server: OddServer,
    exporter: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", content)
    key = "sk-very-secret-0123456789abcdef"

    @tracer.tool
    def look(header: str) -> str:
        return header

    @tracer.agent
    def agent() -> None:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)
        client.chat.completions.create(model="m", messages=ASKED)
        look(f"Bearer {key}")
        tracer.note(f"the key is {key}")
        server.odd = lambda exchange: exchange.reply(
            {"error": {"message": f"Incorrect API key provided: {key}"}}, status=401
        )
        client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": f"my key is {key}"}]
        )

    with pytest.raises(openai.AuthenticationError):
        agent()
    spans = exporter.get_finished_spans()
    assert len(spans) == 5
    told = json.dumps([json.loads(span.to_json()) for span in spans])
    assert "Incorrect API key" in told
    assert key not in told
