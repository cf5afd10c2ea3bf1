"""Random bytes of the system, as the program draws them: `os.urandom` (so `secrets`, `uuid4`,
`SystemRandom`, numpy's `default_rng()`), the time and node of a `uuid1`, seeds of `Random()`.
"""

import os
import random
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

from tracer.capture.ambient.reads import drawn
from tracer.capture.ambient.swap import Builtin, stand_in_for
from tracer.capture.codeswap import trampoline, twin_of

_SEED_BYTES = 32
_real: dict[str, Any] = {}


def switches() -> list[Builtin]:
    """The functions of `os` that draw, to be switched. Raises Unswitchable."""
    made = []
    for name, call in (("urandom", _urandom), ("getrandom", _getrandom)):
        function = getattr(os, name, None)
        if function is not None:
            made.append(Builtin(function, stand_in_for(function.__self__, call)))
            _real[name] = made[-1].real
    return made


def uuid_switches() -> list[Builtin]:
    """The same of what `uuid1` asks, once that module is loaded."""
    function = getattr(sys.modules.get("_uuid"), "generate_time_safe", None)
    if function is None or "generate_time_safe" in _real:
        return []
    made = Builtin(function, stand_in_for(function.__self__, _generate_time_safe))
    _real["generate_time_safe"] = made.real
    return [made]


def _urandom(_: Any, *args: Any, **kwargs: Any) -> Any:
    if kwargs or len(args) != 1 or type(args[0]) is not int or args[0] <= 0:
        return _real["urandom"](*args, **kwargs)
    found = drawn(args[0], lambda: _bytes("urandom", args[0]))
    return _bytes("urandom", args[0]) if found is None else found


def _getrandom(_: Any, *args: Any, **kwargs: Any) -> Any:
    if kwargs or len(args) != 1 or type(args[0]) is not int or args[0] <= 0:
        return _real["getrandom"](*args, **kwargs)
    found = drawn(args[0], lambda: _bytes("getrandom", args[0]))
    return _bytes("getrandom", args[0]) if found is None else found


def _bytes(name: str, size: int) -> bytes:
    made: bytes = _real[name](size)
    return made


def _generate_time_safe(_: Any, *args: Any, **kwargs: Any) -> Any:
    real = _real["generate_time_safe"]
    if args or kwargs:
        return real(*args, **kwargs)
    found = drawn(0, lambda: _time_and_node(*real()), "uuid")
    if found is None:
        return real()
    return found[:16], None if len(found) < 17 else found[16] - 128


def _time_and_node(made: bytes, safe: int | None) -> bytes:
    return made if safe is None else made + bytes([safe + 128])


class Seeding:
    """`Random.seed()` without a seed, which draws one in C; switched with the others."""

    def __init__(self) -> None:
        function: Any = random.Random.seed
        self._function: FunctionType = function
        self._before = function.__code__
        self._after = trampoline(self._before, _seeding(twin_of(function)))

    def on(self) -> None:
        self._function.__code__ = self._after

    def off(self) -> None:
        self._function.__code__ = self._before


def _seeding(real: Callable[..., Any]) -> Callable[..., Any]:
    def seed(generator: Any, a: Any = None, *args: Any, **kwargs: Any) -> Any:
        if a is None:
            found = drawn(_SEED_BYTES, lambda: _bytes("urandom", _SEED_BYTES), "bytes")
            a = None if found is None else int.from_bytes(found, "big")
        return real(generator, a, *args, **kwargs)

    return seed
