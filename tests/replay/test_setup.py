"""Agents whose arguments are no data: `@tracer.agent(setup=…)` makes them in a re-execution."""

import pytest

from tests.support.agents import said
from tests.support.processes import Desk, desk
from tests.support.servers import Numbered
from tracer.demo.model_server import ModelServer
from tracer.errors import CannotReplayError

__all__ = ["desk"]

AGENT = """
class Shop:
    def __init__(self, name):
        self.name, self.lock = name, threading.Lock()

    @tracer.agent(SETUP)
    def answer(self, question):
        return ask(f"{self.name}: {question}")

@tracer.agent(setup=lambda: {"shop": Shop("lamps")})
def agent(question, shop):
    return ask(f"{shop.name}? {question}") + ask("and?")

if __name__ == "__main__":
    shop = Shop("lamps")
    print(shop.answer("open") if sys.argv[1] == "method" else agent("open", shop))
"""


def _recorded(desk: Desk, server: ModelServer, how: str, setup: str) -> int:
    desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
    desk.load()
    desk.write("agent.py", AGENT.replace("SETUP", setup))
    done = desk.record("agent.py", how, how="plain")
    assert done.code == 0, done.err
    return server.request_count


@pytest.mark.parametrize("how", ["method", "function"])
def test_what_setup_gives_takes_the_place_of_what_could_not_be_stored(desk: Desk, how: str) -> None:
    with ModelServer(latency=False, brain=Numbered()) as server:
        asked = _recorded(desk, server, how, 'setup=lambda: {"self": Shop("lamps")}')
        assert desk.run().entry["kind"] == "function"
        came = desk.replay()
        assert (came.code, came.message) == (0, None)
        assert server.request_count == asked
        forked = desk.fork(said("Closed."), model_call=1, after="recorded")
        assert forked.code == 0, forked.message


def test_a_setup_that_fails_or_gives_something_else(desk: Desk) -> None:
    with ModelServer(latency=False, brain=Numbered()) as server:
        _recorded(desk, server, "method", "setup=lambda: {}[1]")
        came = desk.replay()
        assert came.code == 125 and came.message is not None
        assert "setup of Shop.answer fails (KeyError: 1)" in came.message
        _recorded(desk, server, "method", 'setup=lambda: {"self": Shop("tables")}')
        came = desk.replay()
        assert came.code == 3 and came.message is not None and "tables" in came.message


def test_without_one_the_refusal_names_it(desk: Desk) -> None:
    source = AGENT.replace("SETUP", "").replace("if __name__", "print(agent('x', Shop('a')))\nif 0")
    with ModelServer(latency=False, brain=Numbered()) as server:
        desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
        desk.load()
        desk.write("agent.py", source + "\nShop('b').answer('second')\n")
        assert desk.record("agent.py", how="plain").code == 0
        with pytest.raises(CannotReplayError, match=r"@tracer\.agent\(setup=…\)"):
            desk.replay()
