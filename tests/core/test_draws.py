"""The packed form of what a run read of the clock and of chance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.core.draws import Drawn, pack, unpack

MOMENTS = st.integers(-(2**63), 2**63)
PLACES = st.integers(0, 2**40)


@given(st.lists(st.tuples(MOMENTS, PLACES)))
def test_the_clock_round_trips(read: list[tuple[int, int]]) -> None:
    values, places = (tuple(column) for column in zip(*read, strict=True)) if read else ((), ())
    drawn = Drawn("agent1/t2", "clock", values, places)
    assert unpack("agent1/t2", "clock", pack(drawn)) == drawn


@given(st.lists(st.tuples(st.binary(max_size=300), PLACES)))
def test_bytes_round_trip(read: list[tuple[bytes, int]]) -> None:
    drawn = Drawn("", "secret", tuple(v for v, _ in read), tuple(p for _, p in read))
    assert unpack("", "secret", pack(drawn)) == drawn


@given(st.binary(max_size=200), st.sampled_from(["clock", "bytes"]))
def test_anything_else_is_refused_or_read(packed: bytes, kind: str) -> None:
    try:
        drawn = unpack("", kind, packed)  # type: ignore[arg-type]
    except ValueError:
        return
    assert unpack("", kind, pack(drawn)) == drawn  # type: ignore[arg-type]


def test_reads_of_a_loop_take_few_bytes() -> None:
    began = 1_790_000_000_000_000_000
    moments = tuple(range(began, began + 1000 * 40_000, 40_000))
    assert len(pack(Drawn("", "clock", moments, (7,) * 1000))) < 5000


def test_a_draw_that_is_cut_short() -> None:
    with pytest.raises(ValueError, match="cut short"):
        unpack("", "bytes", pack(Drawn("", "bytes", (b"12345678",), (1,)))[:-1])
