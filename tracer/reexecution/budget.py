"""What a re-execution may do for real: so many calls, tokens, dollars and minutes."""

import _thread
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

Spent = tuple[int, float | None]  # tokens and dollars of calls made for real, as far as known


@dataclass(frozen=True, slots=True)
class Ceilings:
    """None: no bound. `cost` in US dollars; unknown prices count as nothing, calls still count."""

    calls: int = 100
    tokens: int | None = None
    cost: float | None = None
    minutes: float | None = None

    def as_json(self) -> dict[str, Any]:
        """For the instructions of a child process."""
        return asdict(self)


class Budget:
    """Counts what happens for real. The caller holds the handler's lock."""

    def __init__(self, ceilings: Ceilings) -> None:
        self.ceilings = ceilings
        self.calls = 0
        self.spent: Callable[[], Spent] = lambda: (0, None)
        self._began: float | None = None
        self._lock = threading.Lock()
        self._waiting = 0  # questions that are open
        self._waits_since = 0.0
        self._waited = 0.0  # seconds so far that do not count

    def begin(self) -> None:
        """Things happen for real from now on."""
        if self._began is None:
            self._began = time.monotonic()

    def take(self) -> str | None:
        """One more call for real: why it may not be, or None."""
        ceilings = self.ceilings
        tokens, cost = self.spent()
        if self.calls >= ceilings.calls:
            return f"the limit of {ceilings.calls} live calls is used up (--max-live-calls)"
        if ceilings.tokens is not None and tokens >= ceilings.tokens:
            return f"the limit of {ceilings.tokens} tokens is used up (--max-tokens)"
        if ceilings.cost is not None and (cost or 0.0) >= ceilings.cost:
            return f"the limit of ${ceilings.cost:g} is used up (--max-cost)"
        if self.is_late():
            return self.late()
        self.calls += 1
        return None

    def is_late(self) -> bool:
        """Whether the time is up."""
        minutes, began = self.ceilings.minutes, self._began
        if minutes is None or began is None:
            return False
        return self._used(began) >= minutes * 60

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While this lasts no time is used up: somebody is asked."""
        with self._lock:
            if self._waiting == 0:
                self._waits_since = time.monotonic()
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if self._waiting == 0:
                    self._waited += time.monotonic() - self._waits_since

    def _used(self, began: float) -> float:
        """Seconds used up, without those in which somebody was asked."""
        now = time.monotonic()
        with self._lock:
            waits = now - self._waits_since if self._waiting else 0.0
            return now - began - self._waited - waits

    def late(self) -> str:
        """Says so."""
        return f"the limit of {self.ceilings.minutes:g} minutes is used up (--max-minutes)"

    def watch(self, on_late: Callable[[], None]) -> None:
        """Call this once when the time is up, from a thread of its own."""
        minutes = self.ceilings.minutes
        if minutes is None:
            return

        def wait() -> None:
            began = time.monotonic()
            while (left := minutes * 60 - self._used(began)) > 0:
                time.sleep(max(left, 0.05))
            on_late()

        # Not a `Thread`: those are numbered in the program's order, and this is none of its.
        _thread.start_new_thread(wait, ())
