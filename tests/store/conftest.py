from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tracer.store.reading import Store
from tracer.store.writer import WriteQueue
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


@pytest.fixture
def make() -> Iterator[Callable[..., WriteQueue]]:
    """Makes queues that are closed at the end."""
    made: list[WriteQueue] = []

    def queue(*given: Any, **more: Any) -> WriteQueue:
        made.append(WriteQueue(*given, **more))
        return made[-1]

    yield queue
    for one in made:
        one.close(5)


@pytest.fixture
def queue(make: Callable[..., WriteQueue], path: Path) -> WriteQueue:
    queue: WriteQueue = make(path)
    return queue
