"""What is done to runs from the list, as a browser without scripts does it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.support.runs import build_sample_store
from tests.ui.conftest import SAME_ORIGIN, open_client
from tests.ui.test_pages import listed, words
from tracer.store.labels import LONGEST_NOTE, MOST_TAGS, Labels

ACTIONS = [
    *(f"/labels/{name}" for name in ("pin", "tag", "delete", "restore", "empty")),
    "/f/labels/pin",
    "/filters",
    "/filters/remove",
]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, dict[str, str]]]:
    """A client over runs that may be changed."""
    path = tmp_path_factory.mktemp("labels") / "traces.db"
    ids = build_sample_store(path)
    with open_client(path) as client:
        yield client, ids


def send(client: TestClient, path: str, **form: object) -> str:
    """Send a form; gives the address it leads to."""
    reply = client.post(path, data=form, headers=SAME_ORIGIN)
    assert reply.status_code == 303, reply.text[-500:]
    return str(reply.headers["location"])


@pytest.mark.parametrize("path", [*ACTIONS, "/runs/{failed}/label"])
def test_only_our_own_pages_may_do_anything(
    own: tuple[TestClient, dict[str, str]], path: str
) -> None:
    client, ids = own
    form = {"run": ids["failed"], "one": ids["failed"], "tags": "x", "name": "x", "q": "x"}
    path = path.format(**ids)
    for headers in ({}, {"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        assert client.post(path, data=form, headers=headers).status_code == 403
    if path in ACTIONS:
        assert client.get(path).status_code == 405
    assert len(listed(client.get("/runs").text)) == 5
    assert "tag-own" not in client.get("/runs").text


def test_pinning(own: tuple[TestClient, dict[str, str]]) -> None:
    client, ids = own
    run, other = ids["failed"], ids["empty"]
    back = send(client, "/labels/pin", one=run, next="/runs?q=lamp&said=select")
    assert back == f"/runs?q=lamp#r{run}"
    send(client, "/labels/pin", run=[run, other], pinned="1", next="/runs")
    pinned = listed(client.get("/runs?q=is:pinned").text)
    assert {found for found, _ in pinned} == {run, other}
    row = client.post("/f/labels/pin", data={"one": run, "next": "/runs"}, headers=SAME_ORIGIN)
    assert 'aria-pressed="false"' in row.text
    assert "2 re-executions" in row.text
    send(client, "/labels/pin", run=[other], pinned="0")
    assert not listed(client.get("/runs?q=is:pinned").text)


def test_tags_and_note(own: tuple[TestClient, dict[str, str]]) -> None:
    client, ids = own
    run = ids["failed"]
    send(client, "/labels/tag", run=[run, ids["empty"]], tag="slow, to-fix")
    page = client.get(f"/runs/{run[:8]}/label", headers={"Referer": "http://127.0.0.1:4700/runs"})
    assert page.headers["location"] == f"/runs/{run}/label"
    referer = {"Referer": "http://127.0.0.1:4700/runs?q=tag:slow"}
    page = client.get(f"/runs/{run}/label", headers=referer)
    assert 'value="slow to-fix"' in page.text
    assert 'name="next" value="/runs?q=tag:slow"' in page.text
    foreign = {"Referer": "http://evil.example/runs?q=x"}
    elsewhere = client.get(f"/runs/{run}/label", headers=foreign).text
    assert 'name="next" value="/runs"' in elsewhere
    send(client, f"/runs/{run}/label", tags="to-fix <b>", note="one\ntwo <i>", pinned="1")
    text = words(client.get("/runs?q=tag:to-fix").text)
    assert "one two <i>" in text
    assert [run for run, _ in listed(client.get("/runs?q=tag:slow").text)] == [ids["empty"]]
    send(client, f"/runs/{run}/label", tags="", note="")
    assert listed(client.get("/runs?q=tag:to-fix").text) == [(ids["empty"], "0")]
    for form, sentence in (
        ({"tags": "x" * 41}, "can't be a tag: write one word of up to 40 characters"),
        ({"tags": " ".join(f"t{n}" for n in range(MOST_TAGS + 1))}, "a run takes 20 tags"),
        ({"note": "x" * (LONGEST_NOTE + 1)}, "a note takes 2,000 characters"),
    ):
        reply = client.post(f"/runs/{run}/label", data=form, headers=SAME_ORIGIN)
        assert (reply.status_code, sentence in words(reply.text)) == (422, True)
    assert client.post("/runs/ff/label", data={}, headers=SAME_ORIGIN).status_code == 404


def test_deleting_undoing_emptying(own: tuple[TestClient, dict[str, str]]) -> None:
    client, ids = own
    gone = [ids["hostile"], ids["interrupted"]]
    back = send(client, "/labels/delete", run=[*gone, ids["running"]], next="/runs?q=status:failed")
    assert re.fullmatch(r"/runs\?q=status%3Afailed&deleted=\d+&said=running", back)
    page = client.get(back).text
    assert "2 runs deleted." in words(page)
    assert "A run under way can't be deleted" in words(page)
    assert not set(gone) & {run for run, _ in listed(page)}
    found = re.search(r'name="deleted" value="(\d+)"', page)
    assert found is not None
    assert send(client, "/labels/restore", deleted=found[1], next=back) == "/runs?q=status%3Afailed"
    assert set(gone) <= {run for run, _ in listed(client.get("/runs").text)}
    assert "deleted." not in words(client.get(back).text)  # there is nothing left to undo
    send(client, "/labels/delete", run=gone[0])
    assert "Trash" in words(client.get("/runs?q=is:deleted").text)
    send(client, "/labels/empty", next="/runs")
    assert client.get(f"/runs/{gone[0]}").status_code == 404
    assert "The trash is empty" in client.get("/runs?q=is:deleted").text


@pytest.mark.parametrize("action", ["pin", "tag", "delete", "restore"])
def test_nothing_selected(own: tuple[TestClient, dict[str, str]], action: str) -> None:
    client, _ = own
    for run in ([], ["nonsense", "' or 1"]):
        back = send(client, f"/labels/{action}", run=run, tag="x", next="/runs?sort=cost")
        assert back == "/runs?sort=cost&said=select"
    assert "Select a run first." in client.get(back).text
    assert send(client, f"/labels/{action}", next="//evil.example/x").startswith("/evil.example")


def test_saved_filters(own: tuple[TestClient, dict[str, str]]) -> None:
    client, _ = own
    name = '<b>"quoted"</b>'
    send(client, "/filters", name=name, q="  status:error  lamp ", sort="cost", next="/runs")
    page = client.get("/runs").text
    assert 'href="/runs?q=status%3Aerror+lamp&amp;sort=cost"' in page
    assert "<b>" not in page
    for form in ({"name": " ", "q": "x"}, {"name": "x", "q": "stauts:x"}, {"name": "x" * 61}):
        assert client.post("/filters", data=form, headers=SAME_ORIGIN).status_code == 422
    send(client, "/filters/remove", name=name)
    assert "Saved filters" not in client.get("/runs").text


def test_a_list_whose_runs_all_lie_in_the_trash(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    ids = build_sample_store(path)
    with open_client(path) as client:
        Labels(path).delete([run for name, run in ids.items() if name != "running"])
        Labels(path).pin([], pinned=True)
        page = client.get("/runs?q=is:deleted").text
        assert len(listed(page)) == 6
        assert 'aria-label="Pin run' not in page
