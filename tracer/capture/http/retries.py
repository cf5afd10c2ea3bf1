"""Which requests repeat one that failed: the same question from the same place again.

SDKs and clients repeat by themselves, and few say so in a header.
"""

from typing import Any

from tracer.capture.boundary import ActiveRun, Call

_MOST = 500  # failed questions remembered in one run


class Retries:
    """The failed requests of one run that may be asked again."""

    def __init__(self) -> None:
        self._failed: dict[Any, int] = {}

    @classmethod
    def of(cls, run: ActiveRun) -> "Retries":
        """Those of a run."""
        if run.retries is None:
            run.retries = cls()
        kept: Retries = run.retries
        return kept

    def count(self, call: Call) -> int:
        """How often this was asked before in vain, one after the other; 0 for a first time."""
        return self._failed.get(_key(call), 0) if self._failed else 0

    def ended(self, call: Call, *, failed: bool) -> None:
        """A request came to its end."""
        if failed:
            if len(self._failed) >= _MOST:
                self._failed.clear()
            self._failed[_key(call)] = call.retry + 1
        elif self._failed:
            self._failed.pop(_key(call), None)


def _key(call: Call) -> Any:
    asked = call.request
    assert asked is not None
    return call.slot.path, call.callsite, asked.method, asked.url, hash(asked.body)
