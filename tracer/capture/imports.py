"""Patches a library right after it is imported, without importing it for the agent's sake."""

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from threading import get_ident
from types import ModuleType
from typing import Any

from tracer.capture.guard import report

Patch = Callable[[ModuleType], None]


class _Loader:
    """The library's own loader, followed by the patch."""

    # No `importlib.abc.Loader`: importing that costs 6 ms and adds nothing.
    def __init__(self, inner: Any, patch: Patch) -> None:
        self._inner = inner
        self._patch = patch

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._inner.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The module must look as if we had never been here.
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        module.__loader__ = self._inner
        self._inner.exec_module(module)
        try:
            self._patch(module)
        except Exception as error:
            report(f"patching {module.__name__}", error)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


class _Finder:
    def __init__(self, names: Sequence[str], patch: Patch) -> None:
        self._names = set(names)
        self._patch = patch
        self._looking: set[tuple[int, str]] = set()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        # Another finder that asks all of them, of this kind or another tool's, comes back here.
        looking = (get_ident(), fullname)
        if fullname not in self._names or looking in self._looking:
            return None
        self._looking.add(looking)
        try:
            return self._found(fullname, path, target)
        finally:
            self._looking.discard(looking)

    def _found(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            if finder is self:
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    loader: Any = _Loader(spec.loader, self._patch)
                    spec.loader = loader
                return spec
        return None


def watch_imports(names: Sequence[str], patch: Patch) -> None:
    """Call `patch(module)` when one of the modules has been imported."""
    sys.meta_path.insert(0, _Finder(names, patch))
