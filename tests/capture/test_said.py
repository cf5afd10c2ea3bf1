"""Named fields in what a program prints, logs and has in variables."""

import logging
from collections.abc import Iterator

import pytest

import tracer
from tests.support.agents import Bench, bench
from tracer.capture import config
from tracer.capture.said import without_named
from tracer.capture.secrets import Secrets
from tracer.interchange.around import around

__all__ = ["bench"]
SECRET = "078-05-1120"


@pytest.fixture
def named(bench: Bench) -> Iterator[None]:
    tracer.init(redact=["ssn", "customer.pin"])
    yield
    config._config = None


@pytest.mark.parametrize(
    "text",
    [
        f'{{"ssn": "{SECRET}"}}',
        f"{{'ssn': '{SECRET}', 'a': 1}}",
        f"Customer(ssn='{SECRET}')",
        f"ssn={SECRET}, ok",
        f"SSN: {SECRET}",
        f'{{\\"ssn\\": \\"{SECRET}\\"}}',
        f'[{{"pin": {SECRET}}}]',
    ],
)
def test_a_field_is_found_however_it_is_written(named: None, text: str) -> None:
    found = without_named([{"text": text}], Secrets())
    said = found[0]["text"]
    assert SECRET not in said
    assert "[redacted:" in said
    before, _, after = text.partition(SECRET)
    assert said.startswith(before) and said.endswith(after)


@pytest.mark.parametrize("text", ["lessons=3", "assn: 4", "the ssn is not shown", "ssn", "ssn=''"])
def test_other_words_stay(named: None, text: str) -> None:
    assert without_named(text, Secrets()) == text


def test_nothing_of_it_is_stored(named: None, bench: Bench) -> None:
    @tracer.tool
    def work() -> None:
        # In no argument and no answer, so nothing else has shown that it is one.
        customer = {"ssn": SECRET}
        ssn = customer["ssn"]
        print(f"checking {customer}")
        logging.getLogger("shop").warning("bad ssn=%s", ssn)
        raise ValueError("no such customer")

    @tracer.agent
    def agent() -> None:
        work()

    with pytest.raises(ValueError, match="no such customer"):
        agent()
    with bench.store as store:
        run = store.find_run("last")
        found = [around(store, run.id, step.n) for step in store.steps(run.id)]
        kept = repr([(a.printed, a.logs, a.frames) for a in found])
    assert SECRET not in kept
    assert kept.count("[redacted") >= 4
