"""Agents whose program sends spans by another instrumentation: nothing doubled, all joined."""

import json
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.frameworks import checks
from tests.frameworks.bench import HERE, Bench, Done, Recorded, bench
from tests.frameworks.cases import CASES, Case
from tests.frameworks.environments import python_of, versions

SCOPE = "tracer"
_WRAPPER = str(HERE / "with_spans.py")


@dataclass(frozen=True)
class Instrumented:
    """A row: the agent of a case under one of the switches of `with_spans`."""

    name: str
    case: str
    switch: str
    distribution: str
    environment: str


ROWS = (
    Instrumented(
        "OpenInference for openai",
        "openai",
        "openinference",
        "openinference-instrumentation-openai",
        "spans",
    ),
    Instrumented(
        "OpenTelemetry GenAI for openai",
        "openai",
        "genai",
        "opentelemetry-instrumentation-genai-openai",
        "spans",
    ),
    Instrumented("pydantic-ai's own", "pydantic-ai", "pydantic-ai", "pydantic-ai-slim", "spans"),
    Instrumented("Strands' own", "Strands", "own", "strands-agents", "strands"),
    Instrumented("Google ADK's own", "Google ADK", "own", "google-adk", "adk"),
)


@dataclass
class Findings:
    """What came out; True is good, a sentence says what is not."""

    versions: dict[str, str] = field(default_factory=dict)
    same: bool | str = "not run"  # output, requests, side effects as without tracer
    steps: bool | str = "not run"  # the record is that of the program without instrumentation
    nested: bool | str = "not run"  # every span's parent was sent too
    models: bool | str = "not run"  # one span a model call, and it names its step


def play(row: Instrumented) -> dict[str, Any]:
    """One row in the newest environment."""
    case = next(case for case in CASES if case.name == row.case)
    python = python_of(row.environment)
    with (
        tempfile.TemporaryDirectory(prefix="tracer-matrix-") as folder,
        bench(python, case, Path(folder)) as made,
    ):
        found = _examine(made, case, row.switch)
    found.versions = versions(python, row.distribution)
    return asdict(found)


def _examine(made: Bench, case: Case, switch: str) -> Findings:
    found = Findings()
    file = made.folder / "spans"
    made.program = (_WRAPPER, switch, *made.program)
    alone = made.alone(SPANS=str(file))
    if alone.code != 0:
        found.same = alone.err[-600:]
        return found
    file.unlink(missing_ok=True)
    done = made.recorded(SPANS=str(file))
    found.same = (done.code, done.out, done.booked) == (alone.code, alone.out, alone.booked) or (
        done.err[-600:]
    )
    seen = made.read()
    found.steps = _steps(seen, case, done)
    spans = [json.loads(line) for line in file.read_text().splitlines()]
    ids = {span["id"] for span in spans}
    orphans = [span["name"] for span in spans if span["parent"] not in {None, *ids}]
    found.nested = f"parents of {orphans} were not sent" if orphans else True
    found.models = _models(spans, seen)
    return found


def _steps(seen: Recorded, case: Case, done: Done) -> bool | str:
    tools = checks.of_evening(seen, case)
    for said in (
        checks.models(seen, done.sent),
        checks.usage(seen, done.sent),
        checks.tools(tools, seen, case),
        checks.parents(seen),
        checks.agents(seen, tools, case),
    ):
        if said is not True:
            return said
    others = [step.name for step in seen.steps if step.kind in ("http", "step", "note")]
    return f"steps besides: {others}" if others else True


def _models(spans: list[dict[str, Any]], seen: Recorded) -> bool | str:
    said = [span for span in spans if _says_model(span["attributes"])]
    calls = [step for step in seen.kind("model") if step.status == "ok"]
    if len(said) != len(calls):
        return f"{len(said)} model spans for {len(calls)} calls"
    named = {span["attributes"].get("tracer.step.id") for span in said}
    missing = [step.n for step in calls if step.id not in named]
    return f"no model span names steps {missing}" if missing else True


def _says_model(attributes: dict[str, Any]) -> bool:
    kind, does = attributes.get("openinference.span.kind"), attributes.get("gen_ai.operation.name")
    return kind == "LLM" or does in ("chat", "generate_content")
