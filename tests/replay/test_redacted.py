"""A recording whose secrets were removed replays, tells another secret apart, and says what the
code is given in their place."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

import tracer
from tests.capture.test_redaction import everything
from tests.support.agents import Bench, said
from tests.support.servers import OddServer
from tracer.capture import config, redaction, secretkey
from tracer.errors import CannotReplayError
from tracer.reexecution.session import ReplaySpec, plan_with_entry
from tracer.store import keyfile
from tracer.store.reading import Store

CARD, OTHER = "4111222233334444", "5500667788990011"


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_registry", redaction._Registry())


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer() as running:
        yield running


class Shop:
    """An agent that has a card number of its own, and what it does with it."""

    def __init__(self, server: OddServer) -> None:
        self.card = CARD
        self.words = "my card is {}, all right?"

        @tracer.tool(redact=("card_number",))
        def charge(card_number: str) -> str:
            return "done"

        @tracer.agent
        def agent() -> str:
            charge(self.card)
            client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)
            asked: Any = [{"role": "user", "content": self.words.format(self.card)}]
            return str(
                client.chat.completions.create(model="m", messages=asked).choices[0].message.content
            )

        self.agent = agent


def warned(bench: Bench) -> list[str]:
    """What is known before the newest run is replayed."""
    with bench.store as store:
        return plan_with_entry(store, ReplaySpec("last"), {"kind": "in process"}).warnings


def nothing_of(bench: Bench, *words: str) -> bool:
    found = everything(bench.database)
    return not any(word.encode() in found for word in words)


def test_the_same_secret_matches_and_another_one_does_not(bench: Bench, server: OddServer) -> None:
    shop = Shop(server)
    shop.agent()
    assert bench.replay(shop.agent).verdict() == (0, None)
    recorded = bench.run().id
    shop.card = OTHER
    came = bench.replay(shop.agent, recorded)
    assert came.exit_code == 3
    assert re.fullmatch(
        r"step 2 \(tool charge\) asks for something else than recorded: card_number was "
        r'"\[redacted:([a-p]{12})\]", is "\[redacted:(?!\1)[a-p]{12}\]"',
        came.came.message or "",
    )
    assert came.came.divergences[0]["diff"][0]["path"] == "card_number"
    assert nothing_of(bench, CARD, OTHER)


def test_a_secret_that_the_recording_learned_later(bench: Bench, server: OddServer) -> None:
    """Here the model says it, so that the recording knows it from then on; the re-executed code,
    which is given a mark, holds it all the same."""

    @tracer.tool(redact=("card_number",))
    def charge(card_number: str) -> str:
        return "done"

    seen = [CARD]

    @tracer.agent
    def agent() -> str:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)
        said = client.chat.completions.create(model="m", messages=[]).choices[0].message.content
        charge(str(said))
        asked: Any = [{"role": "user", "content": f"the card is {seen[0]}, is it?"}]
        return str(client.chat.completions.create(model="m", messages=asked).id)

    server.odd = lambda exchange: exchange.say(CARD)
    agent()
    assert bench.replay(agent).verdict() == (0, None)
    seen[0] = OTHER
    came = bench.replay(agent)
    assert came.exit_code == 3
    assert "messages[0].parts[0].content was" in (came.came.message or "")
    shown = f"{came.came.message}{came.came.divergences}"
    assert OTHER not in shown and CARD not in shown
    assert OTHER.encode() not in everything(bench.database)


def test_the_users_function_in_a_replay(
    bench: Bench, server: OddServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(server)
    tracer.init(redact=lambda text: re.sub(r"\d{16}", "", text))
    shop.agent()
    assert nothing_of(bench, CARD)
    recorded = bench.run().id
    assert bench.replay(shop.agent, recorded).verdict() == (0, None)
    monkeypatch.setattr(config, "_config", None)  # the function is gone: the key still tells
    assert bench.replay(shop.agent, recorded).verdict() == (0, None)
    shop.card, shop.words = OTHER, "my card is {}, all right? Yes!"
    came = bench.replay(shop.agent, recorded)
    assert came.exit_code == 3 and nothing_of(bench, CARD, OTHER)


def test_without_the_key(bench: Bench, server: OddServer) -> None:
    """What is elsewhere: equal values stay equal, but whether they are the recorded ones can't be
    told, and that is said before."""
    shop = Shop(server)
    shop.agent()
    keyfile.path_of(bench.database).unlink()
    secretkey._key = None
    shop.card = OTHER
    warnings = warned(bench)
    assert any("redacted with a key that isn't here" in warning for warning in warnings)
    assert bench.replay(shop.agent).verdict() == (0, None)
    shop.words = shop.words.replace("{}", "{} and not " + CARD)
    assert bench.replay(shop.agent).exit_code == 3
    assert nothing_of(bench, OTHER)


def test_a_bundle_elsewhere(bench: Bench, server: OddServer, tmp_path: Path) -> None:
    shop = Shop(server)
    shop.agent()
    with bench.store as store:
        tracer.export_bundle(store, "last", tmp_path / "run.tracer")
    other = tmp_path / "other" / "traces.db"
    other.parent.mkdir()
    tracer.import_bundle(tmp_path / "run.tracer", other)
    tracer.init(db=other)
    elsewhere = Bench(other)
    assert elsewhere.replay(shop.agent).verdict() == (0, None)
    assert CARD.encode() not in everything(other)


def test_what_the_code_is_given_is_said_before(bench: Bench, server: OddServer) -> None:
    @tracer.tool(effect="read", redact=("result.token",))
    def login(user: str) -> dict[str, str]:
        return {"user": user, "token": "tok-5544332211"}

    @tracer.agent(redact=("password",))
    def agent(password: str) -> str:
        token = login("ana")["token"]
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)
        asked: Any = [{"role": "user", "content": f"token {token}, {len(token) > 0}"}]
        client.chat.completions.create(model="m", messages=asked)
        return f"{token} ends in {token[-4:]}"

    agent("correct horse")
    assert nothing_of(bench, "tok-5544332211", "correct horse")
    given, gave = (warning for warning in warned(bench) if "redacted" in warning)
    assert given.startswith("what the run was given was redacted, so the program is given [reda")
    assert gave == (
        "step 2 (tool login) gave what was redacted: the code is given [redacted…] in its place, "
        "and what it computes from that differs"
    )
    came = bench.replay(agent)
    assert came.exit_code == 0 and came.came.divergences == []
    # What the code made of the secret itself can't be the same, and that is not passed over.
    assert "the agent's result differs" in (came.came.message or "")
    assert came.result.startswith("[redacted:")
    forked = bench.fork(
        agent, said("other"), model_call=1, after="recorded", run=came.run.parent_run
    )
    assert forked.exit_code == 0


def test_a_number_that_was_redacted_is_refused(bench: Bench) -> None:
    @tracer.tool(redact=("result",))
    def pin() -> int:
        return 739166

    @tracer.agent
    def agent() -> int:
        return pin() + 1

    assert agent() == 739167
    with pytest.raises(CannotReplayError, match=r"step 2 \(tool pin\) returned a number that was"):
        bench.replay(agent)


def test_recordings_from_before_still_replay(bench: Bench, server: OddServer) -> None:
    key = "ghp_" + "a1B2" * 9
    tracer.init(redact=False)

    @tracer.agent
    def agent() -> str:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)
        asked: Any = [{"role": "user", "content": f"use {key}"}]
        return str(client.chat.completions.create(model="m", messages=asked).id)

    agent()
    recorded = bench.run().id
    tracer.init(redact=True)
    came = bench.replay(agent, recorded)
    assert came.verdict() == (0, None)
    with Store.open(bench.database) as store:
        step = next(s for s in store.steps(came.run.id) if s.kind == "model")
        request = store.request(step)
    assert request is not None and key.encode() not in request.body
