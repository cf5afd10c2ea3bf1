"""What a program read of the clock and drew of chance, scope by scope, and its packed form.

`clock` values are nanoseconds since the epoch; the others are bytes: `bytes` (ids, seeds of random
generators), `secret` (drawn through `secrets`, or plainly from the system), `uuid` (the time and
node of a uuid1), `random` and `numpy` (the state of the module's generator when the run began).
The path `?input` holds what was read of standard input (`capture.ambient.stdin`), as `bytes`.
An empty `secret` stands for one that was left out of a bundle.
"""

from dataclasses import dataclass
from typing import Literal

from tracer.core import varints

DrawKind = Literal["clock", "bytes", "secret", "uuid", "random", "numpy"]
MAX_DRAWS = 1_000_000  # of one kind in one scope, in a file


@dataclass(frozen=True, slots=True)
class Drawn:
    """Values of one kind in one scope, in order; `places`: the last number that the run's sequence
    had given when each was drawn, so what comes before and after a step is known."""

    path: str
    kind: DrawKind
    values: tuple[int | bytes, ...]
    places: tuple[int, ...]


def pack(drawn: Drawn) -> bytes:
    """The values and places in few bytes."""
    packed = bytearray()
    before = last = 0
    for value, place in zip(drawn.values, drawn.places, strict=True):
        varints.put(packed, varints.zigzag(place - last))
        last = place
        if isinstance(value, bytes):
            varints.put(packed, len(value))
            packed += value
        else:
            varints.put(packed, varints.zigzag(value - before))
            before = value
    return bytes(packed)


def unpack(path: str, kind: DrawKind, packed: bytes) -> Drawn:
    """What `pack` was given. Raises ValueError for anything else."""
    times: list[int] = []
    drawn: list[bytes] = []
    places: list[int] = []
    at = last = now = 0
    while at < len(packed):
        if len(places) >= MAX_DRAWS:
            raise ValueError("too many draws")
        step, at = varints.get(packed, at)
        last += varints.unzigzag(step)
        places.append(last)
        number, at = varints.get(packed, at)
        if kind == "clock":
            now += varints.unzigzag(number)
            times.append(now)
            continue
        if at + number > len(packed):
            raise ValueError("a draw is cut short")
        drawn.append(packed[at : at + number])
        at += number
    return Drawn(path, kind, tuple(times if kind == "clock" else drawn), tuple(places))
