"""The clock and chance of a re-execution: what the recording read, scope by scope and in order.

What was read before the fork point is given again. Where the code reads more often than the
recording did, and after the fork point, the clock runs on from the last recorded moment that was
passed, and never back; random bytes are real then.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from tracer.capture.draws import INPUT
from tracer.core.draws import DrawKind, Drawn
from tracer.core.records import Run
from tracer.reexecution.handler import Answerer
from tracer.reexecution.likely import known_of
from tracer.store.reading import Store

_NEAR = 8  # how far ahead a draw of the size asked for is looked for
_STATES = ("random", "numpy")


class _Stream:
    """The values of one kind in one scope, each given once."""

    __slots__ = ("at", "begun", "drawn", "end")

    def __init__(self, drawn: Drawn, before: int | None) -> None:
        self.drawn = drawn
        self.at = 0
        self.begun = False
        # Those of after the fork point are not given again.
        count = len(drawn.places)
        if before is not None:
            count = sum(1 for place in drawn.places if place < before)
        self.end = count


class RecordedDraws:
    """Implements capture's `DrawSource` from what a run has recorded. Thread-safe.

    `before`: the place of the fork point in the run's sequence (None: all is given); `began`: when
    the run did, nanoseconds since the epoch; `offline` says whether the fork point is still ahead.
    """

    def __init__(
        self,
        recorded: Iterable[Drawn],
        before: int | None,
        began: int,
        offline: Callable[[], bool] = lambda: True,
    ) -> None:
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._states: dict[str, bytes] = {}
        self._input: deque[bytes] = deque()
        self._wanted_input = False
        for drawn in recorded:
            if drawn.path == INPUT:
                self._input.extend(map(_bytes, drawn.values))
            elif drawn.kind in _STATES:
                self._states[drawn.kind] = _bytes(drawn.values[0])
            else:
                self._streams[drawn.path, drawn.kind] = _Stream(drawn, before)
        self._offline = offline
        self._lock = threading.RLock()  # a signal handler may read in between
        self._moment = self._given = began
        self._passed_at = time.monotonic_ns()
        self._more: set[str] = set()
        self._withheld = 0

    def passed(self, moment: int) -> None:
        """This much of the recorded time has gone by."""
        with self._lock:
            if moment > self._running():
                self._moment, self._passed_at = moment, time.monotonic_ns()

    def _running(self) -> int:
        return self._moment + time.monotonic_ns() - self._passed_at

    def clock(self, path: str, now: int) -> int:
        """See `DrawSource`."""
        with self._lock:
            value: Any = self._next(path, "clock")
            if value is None:
                value = max(self._running(), self._given)
                self._was_more(path)
            self._given = max(self._given, value)
            self.passed(value)
            return int(value)

    def draw(self, path: str, kind: DrawKind, size: int) -> bytes | None:
        """See `DrawSource`."""
        with self._lock:
            value: Any = self._next(path, kind, size)
            if value is None:
                self._was_more(path)
            elif not value:
                self._withheld += 1
                return None
            return None if value is None else bytes(value)

    def state(self, kind: DrawKind) -> bytes | None:
        """See `DrawSource`."""
        return self._states.get(kind)

    def next_input(self, of: bytes = b"") -> bytes | None:
        """What was read of standard input next, also behind the fork point: what the user said then
        is said again. None when it is used up, or does not begin with a byte of `of`."""
        with self._lock:
            if of and (not self._input or self._input[0][:1] not in of):
                return None
            if self._input:
                return self._input.popleft()
            self._wanted_input = self._wanted_input or self.is_offline()
            return None

    def is_offline(self) -> bool:
        """Whether the fork point is still ahead, or nothing is to go live."""
        return self._offline()

    def _next(self, path: str, kind: str, size: int = 0) -> Any:
        stream = self._streams.get((path, kind))
        if stream is None:
            return None
        stream.begun = True
        values = stream.drawn.values
        for at in range(stream.at, min(stream.end, stream.at + _NEAR)):
            found = values[at]
            if isinstance(found, int) or not size or len(found) in (size, 0):
                stream.at = at + 1
                return found
        return None

    def _was_more(self, path: str) -> None:
        if self._offline():
            self._more.add(path or "the program's own code")

    def notes(self, *, whole: bool) -> list[str]:
        """What did not go as recorded, a sentence each. `whole`: it went on to its end."""
        found = []
        fewer = {
            path or "the program's own code"
            for (path, _), stream in self._streams.items()
            if whole and stream.begun and stream.at < stream.end
        }
        for places, how in ((self._more, "more"), (fewer - self._more, "less")):
            if places:
                found.append(
                    f"the clock or random values were read {how} often than recorded, in "
                    f"{_listed(places)}: what is read there may differ"
                )
        if self._wanted_input:
            found.append(
                "more was read of standard input than recorded: the program found its end there"
            )
        if self._withheld:
            found.append(
                f"{self._withheld} random values were left out when the run was exported: others "
                "were drawn"
            )
        return found


def draws_of(store: Store, run: Run, handler: Answerer) -> RecordedDraws | None:
    """Those of a run that is re-executed; `handler` is told what was recorded and tells how far it
    is. None where the clock was not recorded: then it is the real one, as it always was."""
    handler.recorded = known_of(run)
    if not handler.recorded.draws:
        return None
    fork = handler.rules.fork
    before = None if fork is None or handler.rules.after == "recorded" else fork.start_seq
    draws = RecordedDraws(store.draws(run.id), before, run.started_ns, handler.is_offline)
    handler.on_moment = draws.passed
    return draws


def _listed(places: set[str]) -> str:
    names = sorted(places)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _bytes(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else b""
