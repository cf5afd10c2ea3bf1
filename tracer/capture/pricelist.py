"""Loads the price list beside the writer's thread: that costs a good part of a second, during
which a process that dies would lose the steps waiting to be written."""

import _thread
import threading
from collections.abc import Callable

from tracer.capture.guard import report
from tracer.providers import pricing


class PriceList:
    """Says when prices can be had without delay. Loaded once a process, when first asked for."""

    def __init__(self) -> None:
        self._starting = _thread.allocate_lock()
        self._loaded = threading.Event()

    def ready(self, then: Callable[[], None]) -> bool:
        """Whether it is loaded; if not, it will be, and `then` is called (on its thread)."""
        if self._loaded.is_set():
            return True
        if self._starting.acquire(blocking=False):
            # Not `threading`: its threads are numbered, patched and waited for by others.
            _thread.start_new_thread(self._load, (then,))
        return False

    def wait(self, timeout: float) -> None:
        """Wait until a load that was started has ended."""
        if self._starting.locked():
            self._loaded.wait(timeout)

    def _load(self, then: Callable[[], None]) -> None:
        try:
            pricing.load()
        except Exception as error:
            report("loading prices", error)
        self._loaded.set()
        then()
