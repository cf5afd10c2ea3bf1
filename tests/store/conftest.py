from collections.abc import Iterator
from pathlib import Path

import pytest

from tracer.store.reading import Store
from tracer.store.writing import StoreWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traces.db"


@pytest.fixture
def writer(path: Path) -> Iterator[StoreWriter]:
    writer = StoreWriter(path)
    yield writer
    writer.close()


@pytest.fixture
def store(writer: StoreWriter) -> Iterator[Store]:
    with Store.open(writer.path) as store:
        yield store
