"""The sample agents as programs: each fails as told, and one corrected answer makes it right."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Done, run_warm
from tests.support.warm import HTTP, SEED
from tests.support.weather import ANTHROPIC as ANTHROPIC_SDK
from tests.support.weather import OPENAI as OPENAI_SDK
from tracer.demo import brain
from tracer.demo.conversation import Answer, Call, Conversation
from tracer.demo.local_models import ANTHROPIC, OPENAI
from tracer.demo.model_server import ModelServer
from tracer.demo.samples import SAMPLES, SUPPORT, SUPPORT_STREAM, TEAM, Sample

ROOT = Path(__file__).parents[2]
by_name = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


@dataclass
class Outcome:
    """What came of one execution of a sample as a program of its own."""

    exit_code: int
    stdout: str
    stderr: str
    ledger: list[dict[str, Any]]
    answers: list[Answer]
    bodies: list[bytes]

    @property
    def last_error(self) -> str:
        return self.stderr.rstrip().splitlines()[-1]


@dataclass
class Model:
    """The demo model with its Kth answer replaced by a call of the tester's choice."""

    replaced: int = 0
    by: Call = field(default_factory=lambda: Call("", {}))
    answers: list[Answer] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, conversation: Conversation) -> Answer:
        with self.lock:
            number = len(self.answers) + 1
            said = brain.answer(conversation)
            answer = Answer(said.text, (self.by,)) if number == self.replaced else said
            self.answers.append(answer)
            return answer


Execute = Callable[..., Outcome]


@pytest.fixture
def execute(tmp_path: Path) -> Iterator[Execute]:
    """Execute a sample; `serve=False` leaves it to start its own server."""
    foreign = {*OPENAI, *ANTHROPIC, "TRACER_DEMO_LEDGER"}
    bare = {name: value for name, value in os.environ.items() if name not in foreign}
    environment = bare | {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "TRACER_DB": str(tmp_path / "traces.db"),
        "TRACER_QUIET": "1",
        "PYTHONHASHSEED": SEED,
    }
    executions = iter(range(100))

    def run(command: list[str], model: Model | None = None, *, serve: bool = True) -> Outcome:
        model, bodies = model or Model(), list[bytes]()
        directory = tmp_path / str(next(executions))
        directory.mkdir()
        with ModelServer(latency=False, brain=model, on_request=bodies.append) as server:
            urls = {"OPENAI_BASE_URL": f"{server.url}/v1", "ANTHROPIC_BASE_URL": server.url}
            keys = {"OPENAI_API_KEY": "none", "ANTHROPIC_API_KEY": "none"}
            env = environment | ({**urls, **keys} if serve else {})
            done = _run([sys.executable, *command], env, directory)
        file = directory / "demo_ledger.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        ledger = [json.loads(line) for line in lines]
        return Outcome(done.code, done.out, done.err, ledger, model.answers, bodies)

    yield run


def _run(command: list[str], env: dict[str, str], folder: Path) -> Done:
    if command[1] != "-m":
        return run_warm(
            (*HTTP, *OPENAI_SDK, *ANTHROPIC_SDK), command, cwd=folder, env=env, out=folder / "said"
        )
    done = subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


@by_name
def test_the_sample_fails_as_told_and_one_corrected_answer_makes_it_right(
    sample: Sample, execute: Execute
) -> None:
    wrong = execute([str(sample.script)])
    assert wrong.exit_code == 1
    assert wrong.last_error == f"{sample.error_type}: {sample.error_message}"
    assert len(wrong.answers) == sample.failing_model_calls
    assert wrong.answers[sample.blamed_call - 1].calls == (sample.wrong,)
    assert wrong.ledger == list(sample.failing_ledger)

    right = execute([str(sample.script)], Model(sample.blamed_call, sample.right))
    assert right.exit_code == 0, right.stderr
    assert right.stdout.splitlines()[-1] == sample.fixed_output
    assert len(right.answers) == sample.fixed_model_calls
    assert right.ledger == list(sample.fixed_ledger)
    assert wrong.bodies[: sample.blamed_call] == right.bodies[: sample.blamed_call]

    again = execute([str(sample.script)])
    assert sorted(again.bodies) == sorted(wrong.bodies), "requests vary between executions"


@pytest.mark.parametrize(
    ("sample", "category", "error"),
    [
        (SUPPORT, "opened", "refunded 240.00, the policy allows 24.00 for order A-1042"),
        (SUPPORT_STREAM, "final_sale", "refunded 0.00, the policy allows 24.00 for order A-1042"),
    ],
)
def test_another_wrong_answer_has_its_own_consequence(
    sample: Sample, category: str, error: str, execute: Execute
) -> None:
    call = Call("check_policy", {"category": category})
    outcome = execute([str(sample.script)], Model(sample.blamed_call, call))
    assert outcome.exit_code == 1
    assert outcome.last_error == f"{sample.error_type}: {error}"


def test_a_policy_that_does_not_exist_is_left_to_a_person(execute: Execute) -> None:
    call = Call("check_policy", {"category": "gold"})
    outcome = execute([str(SUPPORT.script)], Model(SUPPORT.blamed_call, call))
    assert outcome.exit_code == 0, outcome.stderr
    assert "colleague" in outcome.stdout.splitlines()[-1]
    assert outcome.ledger == []


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        ({}, "tracer.demo.team_tools.BadPlan: a plan has 1 to 5 invoices, found None"),
        (
            {"trip": "T-88", "invoices": ["INV-201"], "rate_date": 15},
            "tracer.demo.team_tools.BadPlan: trip, rate_date and invoices must be texts",
        ),
        (
            {"trip": "T-88", "invoices": ["INV-999"], "rate_date": "2026-08-14"},
            "LookupError: no invoice INV-999",
        ),
    ],
)
def test_the_team_refuses_plans_it_cannot_carry_out(
    plan: dict[str, Any], error: str, execute: Execute
) -> None:
    outcome = execute([str(TEAM.script)], Model(1, Call("submit_plan", plan)))
    assert outcome.exit_code == 1
    assert outcome.last_error.startswith(error)


def test_the_verifiers_own_date_can_be_corrected_too(execute: Execute) -> None:
    rate = Call("fx_rate", {"currency": "USD", "date": "2026-08-14"})
    outcome = execute([str(TEAM.script)], Model(8, rate))
    assert outcome.stdout.splitlines()[-1] == TEAM.fixed_output


@by_name
def test_on_a_fresh_machine_the_sample_brings_its_own_models(
    sample: Sample, execute: Execute
) -> None:
    outcome = execute(["-m", sample.module], serve=False)
    assert outcome.exit_code == 1
    assert outcome.last_error == f"{sample.error_type}: {sample.error_message}"
    assert outcome.answers == []
    assert outcome.ledger == list(sample.failing_ledger)


@pytest.mark.parametrize("sample", [SUPPORT, SUPPORT_STREAM], ids=lambda sample: sample.name)
def test_other_questions_end_well(sample: Sample, execute: Execute) -> None:
    question = "The kettle of order A-1007 is broken, I want my money back."
    outcome = execute([str(sample.script), question])
    assert outcome.exit_code == 0, outcome.stderr
    assert "refunded 89.90 EUR (standard, 100 %)" in outcome.stdout.splitlines()[-1]
    assert [line["action"] for line in outcome.ledger] == ["refund", "email", "close"]
