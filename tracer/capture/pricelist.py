"""Loads the price list beside the writer's thread: that costs a good part of a second, during
which a process that dies would lose the steps waiting to be written.

The list's package has an HTTP client imported for refreshing itself, which tracer never does. An
agent's SDK may look for that client among the loaded modules and find it half made by our thread,
so it is left out until somebody asks for it.
"""

import _thread
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from tracer.capture.guard import report
from tracer.capture.imports import watch_imports
from tracer.providers import pricing

_LIST = "genai_prices"
_REFRESH = f"{_LIST}.update_prices"


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
            _leave_out_client()
            pricing.load()
        except Exception as error:
            report("loading prices", error)
        self._loaded.set()
        then()


def _leave_out_client() -> None:
    if _LIST in sys.modules or _REFRESH in sys.modules:
        return
    asked: list[str] = []

    def stand_in(name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)
        asked.append(name)

    part = ModuleType(_REFRESH)
    part.__dict__["__getattr__"] = stand_in

    def tidy(package: ModuleType) -> None:
        # Still under the package's import lock: nobody sees it with the part that stood in.
        if sys.modules.get(_REFRESH) is part:
            del sys.modules[_REFRESH]
        for name in asked:
            package.__dict__.pop(name, None)
        package.__dict__["__getattr__"] = real

    def real(name: str) -> Any:
        if name in asked:
            return getattr(import_module(_REFRESH), name)
        raise AttributeError(f"module {_LIST!r} has no attribute {name!r}")

    watch_imports((_LIST,), tidy)
    sys.modules[_REFRESH] = part
