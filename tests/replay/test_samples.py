"""The sample agents: the same answer at each model call in turn gives the same run, offline."""

import asyncio
import gc
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents import Bench, called
from tracer import Substitute
from tracer.demo import ledger, support_agent, support_agent_stream, team_agent
from tracer.demo.model_server import ModelServer
from tracer.demo.samples import SUPPORT, SUPPORT_STREAM, TEAM, Sample
from tracer.demo.shop import QUESTION

AGENTS: list[tuple[Sample, Any, str]] = [
    (SUPPORT, support_agent.support_agent, QUESTION),
    (SUPPORT_STREAM, support_agent_stream.support_agent_stream, QUESTION),
    (TEAM, team_agent.team_agent, team_agent.REQUEST),
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModelServer]:
    with ModelServer(latency=False) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{running.url}/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
        monkeypatch.setenv("TRACER_DEMO_LEDGER", str(tmp_path / "ledger.jsonl"))
        yield running
    gc.collect()  # the samples leave closing their clients to the end of their process


def _run(agent: Any, question: str) -> str:
    """What the agent raises: the samples fail, on purpose."""
    with pytest.raises(Exception) as caught:
        result = agent(question)
        if inspect.iscoroutine(result):
            asyncio.run(result)
    return str(caught.value)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("sample", "agent", "question"), AGENTS, ids=[sample.name for sample, _, _ in AGENTS]
)
def test_the_same_answer_everywhere_and_the_right_one_where_it_went_wrong(
    bench: Bench,
    server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    sample: Sample,
    agent: Any,
    question: str,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-demo-0123456789")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-demo-0123456789")
    assert _run(agent, question) == sample.error_message
    run, effects = bench.run(), ledger.read()
    assert effects == list(sample.failing_ledger)
    assert server.request_count == sample.failing_model_calls
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("ANTHROPIC_API_KEY")

    replayed = bench.replay(agent, run.id)
    said = f"the agent failed as recorded: {sample.error_type}: {sample.error_message}"
    assert replayed.verdict() == (0, said)
    models = bench.steps("model", run.id)
    assert len(models) == sample.failing_model_calls
    for number, step in enumerate(models, 1):
        with bench.store as store:
            (message,) = json.loads(store.output_messages(step) or b"[]")
        same = Substitute("response", response=message)
        came = bench.fork(agent, same, run=run.id, model_call=number, after="recorded")
        assert str(came.came.error) == sample.error_message, number
        sources = came.sources("model", "tool", "http", "step")
        assert sources.count("substituted") == 1 and set(sources) == {"recorded", "substituted"}
        assert [s.slot for s in came.steps] == [s.slot for s in bench.steps(ref=run.id)]
        assert came.run.warnings == ()
    assert server.request_count == sample.failing_model_calls, "an answer was asked for again"
    assert ledger.read() == effects, "a tool ran again"

    monkeypatch.setenv("OPENAI_API_KEY", "sk-demo-0123456789")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-demo-0123456789")
    right = called(sample.right.name, **sample.right.arguments)
    came = bench.fork(agent, right, run=run.id, model_call=sample.blamed_call, tools={"*": "live"})
    assert (came.verdict(), came.result) == ((0, None), sample.fixed_output)
    assert ledger.read()[len(effects) :] == list(sample.fixed_ledger)
    assert bench.run(run.id) == run
