"""Patches on import: several for one module, and beside finders of other tools."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tracer.capture.imports import watch_imports


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module nobody has imported yet."""
    (tmp_path / "watched_library.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield "watched_library"
    sys.modules.pop("watched_library", None)


def test_two_patches_of_one_module(library: str) -> None:
    seen: list[str] = []

    def noting(word: str) -> None:
        watch_imports([library], lambda module: seen.append(f"{word} {module.__name__}"))

    for word in ("first", "second", "third"):
        noting(word)
    module = importlib.import_module(library)
    assert module.value == 1
    assert seen == ["first watched_library", "second watched_library", "third watched_library"]
    assert type(module.__loader__).__name__ == "SourceFileLoader"
    assert module.__spec__ is not None
    assert module.__spec__.loader is module.__loader__


def test_beside_a_finder_that_asks_all_others(library: str) -> None:
    """As import hooks of other tools do, which would come back here."""
    seen: list[ModuleType] = []

    class Asking:
        def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
            finders: list[Any] = list(sys.meta_path) if name == library else []
            others = (finder for finder in finders if finder is not self)
            found = (finder.find_spec(name, path, target) for finder in others)
            return next((spec for spec in found if spec is not None), None)

    watch_imports([library], seen.append)
    sys.meta_path.insert(1, Asking())
    watch_imports([library], seen.append)
    importlib.import_module(library)
    assert [module.__name__ for module in seen] == [library] * 2
