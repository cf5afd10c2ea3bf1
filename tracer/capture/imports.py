"""Patches a library right after it is imported, without importing it for the agent's sake."""

import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from threading import get_ident
from types import ModuleType
from typing import Any

from tracer.capture.guard import report

Patch = Callable[[ModuleType], None]

_patches: dict[str, list[Patch]] = {}  # by the name of the module


def _patch_all(name: str, module: ModuleType) -> None:
    for patch in _patches[name]:
        _patch(patch, module)


def _patch(patch: Patch, module: ModuleType) -> None:
    try:
        patch(module)
    except Exception as error:
        report(f"patching {module.__name__}", error)


class _Loader:
    """The library's own loader, followed by the patches."""

    # No `importlib.abc.Loader`: importing that costs 6 ms and adds nothing.
    def __init__(self, inner: Any, name: str) -> None:
        self._inner = inner
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._inner.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The module must look as if we had never been here.
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        module.__loader__ = self._inner
        self._inner.exec_module(module)
        _patch_all(self._name, module)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


class _Finder:
    """One for all modules that are waited for: two would ask each other."""

    def __init__(self) -> None:
        self._looking: set[tuple[int, str]] = set()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        # Another tool's finder that asks all of them comes back here.
        looking = (get_ident(), fullname)
        if fullname not in _patches or looking in self._looking:
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
                    loader: Any = _Loader(spec.loader, fullname)
                    spec.loader = loader
                return spec
        return None


_finder = _Finder()


def watch_imports(names: Iterable[str], patch: Patch) -> None:
    """Call `patch(module)` when one of the modules has been imported."""
    for name in names:
        _patches.setdefault(name, []).append(patch)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def when_loaded(names: Iterable[str], patch: Patch) -> None:
    """The same, at once for those that are loaded; once for each module."""
    done: set[int] = set()

    def once(module: ModuleType) -> None:
        if id(module) not in done:
            done.add(id(module))
            patch(module)

    names = tuple(names)
    watch_imports(names, once)
    for name in names:
        module = sys.modules.get(name)
        if module is not None and _is_loading(module):
            module = import_module(name)  # waits for another thread that is at it
        # Being loaded by this very thread, it is not whole yet.
        if module is not None and not _is_loading(module):
            _patch(once, module)


def _is_loading(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))
