"""Exceptions that tools raise are raised again with all an agent may look at."""

import asyncio
import json
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tracer
from tests.support.agents import Bench
from tracer.capture.exceptions import error_info, error_state, make_exception
from tracer.core.records import ErrorInfo
from tracer.errors import ReplayedError


class Refused(Exception):
    """Its constructor wants more than a text."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code
        self.reason = reason


class Outer:
    class Nested(ValueError):
        """A class inside a class."""


class Handle(Exception):
    """Carries what can't be stored."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.handle = object()


def _json_error() -> None:
    json.loads("{oops")


def _missing_file() -> None:
    Path("/no/such/file").read_text()


def _no_item() -> None:
    list[int]()[0]


def _decode() -> None:
    b"\xff".decode()


def _raise(error: BaseException) -> Callable[[], None]:
    def raises() -> None:
        raise error

    return raises


RAISERS: list[tuple[Callable[[], None], tuple[str, ...]]] = [
    (_raise(Refused(409, "no stock")), ("code", "reason", "args")),
    (_raise(KeyError("order")), ("args",)),
    (_raise(Outer.Nested("n")), ("args",)),
    (_raise(ValueError()), ("args",)),
    (_raise(ValueError("a", 2)), ("args",)),
    (_raise(SystemExit(3)), ("code",)),
    (_raise(TimeoutError()), ("args",)),
    (_raise(Handle("h")), ("args",)),
    (_json_error, ("msg", "doc", "pos", "lineno")),
    (_missing_file, ("errno", "strerror", "filename")),
    (_decode, ("encoding", "object", "start", "end", "reason")),
    (_no_item, ("args",)),
]


@pytest.mark.parametrize(("raiser", "fields"), RAISERS)
def test_a_recorded_exception_is_raised_again_as_it_was(
    bench: Bench, raiser: Callable[[], None], fields: tuple[str, ...]
) -> None:
    seen: list[Any] = []
    tool = tracer.tool(name="t")(raiser)

    @tracer.agent
    def agent() -> None:
        try:
            tool()
        except BaseException as error:
            seen.append([type(error), str(error), *(getattr(error, name) for name in fields)])
            # Somewhere an agent tells the model of it: this step's fingerprint holds the text.
            tracer.step(lambda said: None)(str(error))

    agent()
    assert bench.replay(agent).verdict() == (0, None)
    assert seen[0] == seen[1]


def test_an_exception_of_a_class_that_is_not_loaded_says_which(bench: Bench) -> None:
    error = ErrorInfo("shop.errors.NoStock", "none left", None)
    made = make_exception(error)
    assert isinstance(made, ReplayedError)
    assert str(made) == "shop.errors.NoStock: none left"


@pytest.mark.parametrize(
    "name",
    ["os.system", "builtins.eval", "eval", "subprocess.Popen", "not.loaded.Error", "", ".", "a..b",
     "builtins.BaseException", "GeneratorExit", "tracer.Store", "json.decoder.nothing"],
)  # fmt: skip
def test_a_hostile_name_raises_and_imports_nothing(name: str) -> None:
    made = make_exception(ErrorInfo(name, "x"), {"raised": '[["touch /tmp/x"], {}]'})
    assert type(made) is ReplayedError


@pytest.mark.parametrize(
    "raised", ["", "{", "[]", "null", "[1, 2]", '[["a"], {"$t": "opaque"}]', '[["a", "b"], 5]']
)
def test_damaged_state_falls_back_to_the_text(raised: str) -> None:
    made = make_exception(ErrorInfo("ValueError", "a"), {"raised": raised})
    assert type(made) is ValueError and str(made) == "a"


def test_what_can_not_be_made_again_is_not_faked() -> None:
    error = urllib.error.HTTPError("http://x/", 404, "gone", {}, None)  # type: ignore[arg-type]
    info, state = error_info(error), error_state(error)
    made = make_exception(info, state)
    assert str(made) in (str(error), f"urllib.error.HTTPError: {error}")
    error.close()


def test_a_broken_str_is_the_agents_business(bench: Bench) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("mute")

    @tracer.agent
    def agent() -> None:
        raise Mute

    with pytest.raises(Mute):
        agent()
    error = bench.run().error
    assert error is not None and error.message == "<no message>"


def test_a_cancelled_agent_is_stopped_not_failed(bench: Bench) -> None:
    @tracer.tool
    async def slow() -> None:
        await asyncio.sleep(30)

    @tracer.agent
    async def agent() -> None:
        await slow()

    async def main() -> None:
        task = asyncio.create_task(agent())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert bench.run().status == "stopped"
    assert bench.step("tool").status == "cancelled"
