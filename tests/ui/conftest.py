"""A client of the application over the sample runs, as a browser on this machine would be."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tracer_ui.app import create_app

TOKEN = "token-of-these-tests"
BASE = "http://127.0.0.1:4700"
SAME_ORIGIN = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}


def open_client(database: Path) -> TestClient:
    """A client that has opened the printed address."""
    client = TestClient(create_app(database, TOKEN), base_url=BASE, follow_redirects=False)
    assert client.get(f"/?token={TOKEN}").status_code == 303
    return client


@pytest.fixture(scope="session")
def client(sample_store: tuple[Path, dict[str, str]]) -> Iterator[TestClient]:
    """Logged in, over the sample runs (read only)."""
    with open_client(sample_store[0]) as opened:
        yield opened


@pytest.fixture(scope="session")
def ids(sample_store: tuple[Path, dict[str, str]]) -> dict[str, str]:
    """Run ids by name, see `build_sample_store`."""
    return sample_store[1]
