"""The sample runs, opened for reading."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tracer.store.reading import Store


@pytest.fixture
def store(sample_store: tuple[Path, dict[str, str]]) -> Iterator[Store]:
    with Store.open(sample_store[0]) as opened:
        yield opened


@pytest.fixture
def ids(sample_store: tuple[Path, dict[str, str]]) -> dict[str, str]:
    """Run ids by name, see `tests.support.runs`."""
    return sample_store[1]
