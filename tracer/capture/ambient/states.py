"""The generators that the modules `random` and `numpy.random` share: their state when a run began,
kept once the program has drawn from them, and put back where a re-execution begins.
"""

import random
import struct
import sys
from typing import Any

from tracer.capture.draws import Draws
from tracer.core.draws import DrawKind

_WORDS = struct.Struct("<625I")
_GAUSS = struct.Struct("<d")
_REST = struct.Struct("<qqd")  # numpy: position, whether a normal number is left, that number
_NUMPY = "numpy.random"


class States:
    """The states one run began with."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._began: dict[DrawKind, bytes] = {}
        self._found: dict[DrawKind, bytes] = {}  # to be put back when a re-execution is over
        self.begin("random")
        if _NUMPY in sys.modules:
            self.begin("numpy")

    def begin(self, kind: DrawKind) -> None:
        """From here on this generator belongs to the run."""
        found = _get(kind)
        if found is None:
            return
        source = self._draws.source
        if source is not None:
            self._found[kind] = found
            recorded = source.state(kind)
            if recorded is not None:
                _set(kind, recorded)
                found = recorded
        self._began[kind] = found

    def look(self) -> None:
        """Keep the states of those the program has drawn from by now."""
        for kind, began in list(self._began.items()):
            if _get(kind) != began:
                del self._began[kind]
                self._draws.was(kind, began)

    def end(self) -> None:
        """The run is over: what a re-execution in this process has put back is undone."""
        for kind, state in self._found.items():
            _set(kind, state)


def _get(kind: DrawKind) -> bytes | None:
    """The state of a generator as bytes; None where it is of another sort than expected."""
    if kind == "random":
        version, words, gauss = random.getstate()
        if version != 3 or len(words) != 625:
            return None
        return _WORDS.pack(*words) + (b"" if gauss is None else _GAUSS.pack(gauss))
    module: Any = sys.modules.get(_NUMPY)
    state: Any = module.get_state() if hasattr(module, "get_state") else ("",)
    if state[0] != "MT19937":
        return None
    return bytes(state[1].astype("<u4").tobytes() + _REST.pack(*state[2:]))


def _set(kind: DrawKind, state: bytes) -> None:
    """Put a state back. Raises struct.error or ValueError for one that is none."""
    if kind == "random":
        words = _WORDS.unpack(state[: _WORDS.size])
        gauss = state[_WORDS.size :]
        random.setstate((3, words, _GAUSS.unpack(gauss)[0] if gauss else None))
        return
    module: Any = sys.modules[_NUMPY]
    numpy: Any = sys.modules["numpy"]
    words = numpy.frombuffer(state[: -_REST.size], dtype="<u4").astype("u4")
    module.set_state(("MT19937", words, *_REST.unpack(state[-_REST.size :])))
