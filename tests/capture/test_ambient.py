"""Reading the clock and drawing of chance inside a run: nothing the agent sees is another."""

# ruff: noqa: DTZ002, DTZ003, DTZ005, DTZ011, TID251

import copy
import datetime as dates
import os
import pickle
import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from time import time as imported_before
from types import BuiltinFunctionType
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tracer
from tests.support.agents import Bench
from tracer.capture.ambient import whose
from tracer.capture.draws import MOST_READS

NOW = datetime.now  # bound before the first run, maybe
FUNCTIONS: dict[str, Any] = {
    "time": time.time,
    "time_ns": time.time_ns,
    "strftime": time.strftime,
    "localtime": time.localtime,
    "urandom": os.urandom,
}
LOOKS = {name: (repr(f), f.__doc__, f.__module__, f.__qualname__) for name, f in FUNCTIONS.items()}


class Mine(datetime):
    """A class of the program's own."""


def inside(look: Callable[[], None]) -> None:
    """Run something in a run, and again outside of it."""

    @tracer.agent
    def agent() -> None:
        look()

    agent()
    look()


def test_functions_are_what_they_were(bench: Bench) -> None:
    def look() -> None:
        for name, function in FUNCTIONS.items():
            assert getattr(os if name == "urandom" else time, name) is function
            assert type(function) is BuiltinFunctionType
            looks = (repr(function), function.__doc__, function.__module__, function.__qualname__)
            assert looks == LOOKS[name]
            assert pickle.loads(pickle.dumps(function)) is function
            assert copy.deepcopy(function) is function
        assert time.time is imported_before
        for method in (datetime.now, datetime.utcnow, date.today, Mine.now, NOW):
            assert type(method) is BuiltinFunctionType and "built-in method" in repr(method)
        assert datetime.now.__qualname__ == "datetime.now"
        assert pickle.loads(pickle.dumps(datetime.now))() <= datetime.now()
        assert dates.datetime is datetime and type(datetime.now()) is datetime
        assert type(Mine.now()) is Mine and type(date.today()) is date
        assert type(datetime.today()) is datetime

    inside(look)


def test_errors_are_the_functions_own(bench: Bench) -> None:
    calls: list[tuple[Callable[[], Any], type[Exception]]] = [
        (lambda: time.time(1), TypeError),  # type: ignore[call-arg]
        (lambda: time.strftime(3), TypeError),  # type: ignore[arg-type]
        (lambda: time.gmtime("x"), TypeError),  # type: ignore[arg-type]
        (lambda: time.localtime(float("inf")), OverflowError),
        (lambda: datetime.now("x"), TypeError),  # type: ignore[arg-type]
        (lambda: datetime.now(UTC, UTC), TypeError),  # type: ignore[call-arg]
        (lambda: datetime.now(zone=UTC), TypeError),  # type: ignore[call-arg]
        (lambda: os.urandom(-1), ValueError),
        (lambda: os.urandom(size=5), TypeError),  # type: ignore[call-arg]
        (lambda: os.urandom("x"), TypeError),  # type: ignore[arg-type]
    ]

    def look() -> None:
        for call, error in calls:
            with pytest.raises(error):
                call()
        assert time.gmtime(0).tm_year == 1970 and time.strftime("%Y", time.gmtime(0)) == "1970"
        assert time.asctime(time.gmtime(0)) == "Thu Jan  1 00:00:00 1970"
        assert os.urandom(0) == b"" and len(os.urandom(5)) == 5

    inside(look)


def test_values_are_real(bench: Bench) -> None:
    def look() -> None:
        before = time.clock_gettime_ns(time.CLOCK_REALTIME) // 1000 * 1000
        read = [
            int(time.time() * 1e9) + 1000,
            time.time_ns(),
            round(datetime.now(UTC).timestamp() * 1e6) * 1000,
            round(datetime.now().timestamp() * 1e6) * 1000,
            round(datetime.now(timezone(timedelta(hours=-7))).timestamp() * 1e6) * 1000,
            round(datetime.utcnow().replace(tzinfo=UTC).timestamp() * 1e6) * 1000,
        ]
        after = time.clock_gettime_ns(time.CLOCK_REALTIME) + 2000
        assert all(before <= one <= after for one in read)
        assert read[2:] == sorted(read[2:])
        assert time.time() - 2 < time.mktime(time.localtime()) <= time.time()
        assert time.strftime("%Y-%m-%d") in (str(date.today()), str(datetime.today().date()))
        assert uuid.uuid1() != uuid.uuid1() and uuid.uuid1().is_safe in uuid.SafeUUID
        assert random.Random().random() != random.Random().random()

    inside(look)


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_moment_is_the_same_to_the_microsecond(us: int) -> None:
    made = datetime.fromtimestamp(us / 1e6, UTC)
    assert made == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def test_a_loop_that_looks_at_the_clock_is_bounded(bench: Bench) -> None:
    @tracer.agent
    def agent() -> None:
        for _ in range(MOST_READS + 50):
            time.time()

    agent()
    (drawn,) = [one for one in bench.store.draws(bench.run().id) if one.kind == "clock"]
    assert len(drawn.values) == MOST_READS
    (warning,) = bench.run().warnings
    assert warning.startswith("one part of the program read the clock very often")


def test_what_is_kept_and_where(bench: Bench) -> None:
    @tracer.tool
    def look() -> float:
        return time.time()

    @tracer.agent
    def agent() -> None:
        time.time()
        look()
        uuid.uuid4()
        os.urandom(3)
        time.monotonic()
        time.gmtime(0)
        token = jwt.encode({"exp": 4_000_000_000}, "k" * 32, algorithm="HS256")
        jwt.decode(token, "k" * 32, algorithms=["HS256"])  # looks at the program's clock

    before = random.getstate()
    agent()
    kept = {(d.path, d.kind): len(d.values) for d in bench.store.draws(bench.run().id)}
    assert kept == {
        ("agent1", "clock"): 2,
        ("agent1/tool1", "clock"): 1,
        ("agent1", "bytes"): 1,
        ("agent1", "secret"): 1,
    }
    assert random.getstate() == before


@pytest.mark.parametrize(
    ("file", "programs"),
    [
        ("/home/me/agent.py", True),
        ("/x/site-packages/crewai/utilities/prompts.py", True),
        ("/x/site-packages/httpx/_client.py", False),
        ("/x/site-packages/google/auth/jwt.py", False),
        ("/x/site-packages/google/adk/agents/base.py", True),
        ("/x/site-packages/botocore/auth.py", False),
        (os.path.join(os.path.dirname(os.__file__), "logging", "__init__.py"), False),
        (os.path.join(os.path.dirname(os.__file__), "tempfile.py"), False),
        (whose.__file__, False),
    ],
)
def test_whose_read_it_is(file: str, programs: bool) -> None:
    code = compile("found = is_programs(frame())", file, "exec")
    names: dict[str, Any] = {"is_programs": whose.is_programs, "frame": __import__("sys")._getframe}
    exec(code, names)
    assert names["found"] is programs
