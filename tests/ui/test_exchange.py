"""Export gives a bundle, import takes one in."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.ui.conftest import SAME_ORIGIN, open_client


def send(client: TestClient, data: bytes, name: str = "bug.tracer") -> tuple[int, str, str]:
    reply = client.post("/import", files={"bundle": (name, data)}, headers=SAME_ORIGIN)
    return reply.status_code, reply.headers.get("location", ""), reply.text


def test_a_run_travels_from_page_to_page(
    client: TestClient, ids: dict[str, str], tmp_path: Path
) -> None:
    bundle = client.get(f"/runs/{ids['fork']}/export")
    assert bundle.status_code == 200
    name = f'attachment; filename="support_agent-{ids["fork"][:8]}.tracer"'
    assert bundle.headers["content-disposition"] == name
    with open_client(tmp_path / "other.db") as other:
        assert "No runs yet" in other.get("/runs").text
        status, location, _ = send(other, bundle.content)
        assert (status, location) == (303, f"/runs/{ids['fork']}")
        page = other.get(other.get(location).headers["location"])
        assert "imported" in page.text
        compared = other.get(f"/compare?a={ids['failed']}&b={ids['fork']}")
        assert "First difference: step 4, edited." in compared.text
        again = send(other, bundle.content)
        assert again[0] == 303


@pytest.mark.parametrize(
    "data", [b"", b"not a bundle", b"PK\x03\x04" + b"\x00" * 90, b"\xff" * 5000]
)
def test_a_broken_file_is_explained_and_nothing_is_kept(tmp_path: Path, data: bytes) -> None:
    with open_client(tmp_path / "other.db") as client:
        status, _, text = send(client, data, "<b>mine</b>.tracer")
        assert status == 422
        assert "&lt;b&gt;mine&lt;/b&gt;.tracer" in text
        assert "tracer-import-" not in text
        assert client.get("/runs.json").json() == []


def test_no_file_chosen(client: TestClient) -> None:
    reply = client.post("/import", data={"other": "x"}, headers=SAME_ORIGIN)
    assert reply.status_code == 422
    assert "Choose a file" in reply.text


def test_exports_leave_nothing_behind(
    client: TestClient, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert client.get(f"/runs/{ids['failed']}/export").status_code == 200
    assert client.get("/runs/ffff/export").status_code == 404
    assert list(tmp_path.iterdir()) == []
