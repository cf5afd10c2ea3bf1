"""Fixtures of the wire format tests."""

from collections.abc import Iterator

import pytest

from .server import LocalServer, serving


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A local model server whose `answer` the test sets."""
    with serving() as running:
        yield running
