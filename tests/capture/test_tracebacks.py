"""A recorded exception raised again prints the traceback that the real one printed."""

import asyncio
import sys
import traceback

import pytest

import tracer
from tests.support.agents import Bench
from tracer.capture.tracebacks import raise_with


def _deeper(number: int) -> int:
    return 1 // (number - 3)


class Calculator:
    def divide(self, number: int) -> int:
        return sum(_deeper(n) for n in (number,)) + 1


@tracer.tool
def divide(number: int) -> int:
    return Calculator().divide(number)


@tracer.tool
async def divide_later(number: int) -> int:
    return Calculator().divide(number)


@tracer.agent
async def agent() -> list[str]:
    said = []
    for call in (divide, divide_later):
        try:
            came = call(3)
            if not isinstance(came, int):
                await came
        except ZeroDivisionError:
            said.append(traceback.format_exc())
    return said


def test_it_reads_as_recorded(bench: Bench) -> None:
    recorded = asyncio.run(agent())
    assert ["tracer/capture" in text for text in recorded] == [False, False]
    assert all("_deeper" in text and "number - 3" in text for text in recorded)
    again = bench.replay(agent)
    assert (again.verdict(), again.result) == ((0, None), recorded)


@pytest.mark.parametrize(
    "frames",
    [
        None,
        7,
        [],
        [["/etc/passwd", "f", 1, 1, 0, 5]],
        [[__file__, "f", "1", 1, 0, 5]],
        [[__file__, "f", 5, 1, 9, 5]],
        [[__file__]],
    ],
)
def test_frames_of_a_hostile_file_leave_the_exception(frames: object) -> None:
    error = ValueError("as recorded")
    with pytest.raises(ValueError, match="as recorded") as raised:
        raise_with(error, frames)
    assert raised.value is error
    files = {frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)}
    assert "/etc/passwd" not in files


def test_names_are_only_names() -> None:
    with pytest.raises(ValueError) as raised:
        raise_with(ValueError(), [[sys.modules[__name__].__file__, "import os; x", 1, 1, 0, 3]])
    assert raised.traceback[-1].name == "import os; x"
