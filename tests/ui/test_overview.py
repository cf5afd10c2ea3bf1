"""The overview page: what it links to, what it says of the unknown, and its JSON."""

import html
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from starlette.testclient import TestClient

from tests.support.run_builder import RunBuilder, text
from tests.ui.conftest import open_client
from tracer.store.writing import StoreWriter
from tracer_ui.charts import Amount, Place, bars, share

PAGE = "/overview?q=after:2026-09-01"


def links(page: str) -> list[str]:
    main = page.partition("<main")[2].partition("</main>")[0]
    return [html.unescape(href) for href in re.findall(r'<a[^>]* href="([^"]+)"', main)]


def test_every_link_of_the_page_leads_somewhere(client: TestClient, ids: dict[str, str]) -> None:
    found = set(links(client.get(PAGE).text))
    assert f"/runs/{ids['failed']}/steps/9" in found  # the latest failure of issue_refund
    for href in found:
        if href.startswith("/runs?"):
            assert client.get(href.replace("/runs?", "/runs.json?")).json(), href
        elif href.startswith("/runs/"):
            assert client.get(href).status_code == 200, href


def test_a_bar_lists_exactly_its_runs(client: TestClient) -> None:
    page = client.get(PAGE).text
    runs = page.partition('<svg class="bars"')[2].partition("</svg>")[0]
    titled = re.findall(r'href="([^"]+)"[^>]*><title>[^<]*: (\d+) runs?, (\d+) failed<', runs)
    assert sum(int(count) for _, count, _ in titled) == 7
    for href, count, _ in titled:
        query = parse_qs(urlsplit(html.unescape(href)).query)["q"][0]
        listed = client.get("/runs.json", params={"q": query}).json()
        assert len(listed) == int(count)


def test_the_default_is_the_last_30_days(client: TestClient) -> None:
    page = client.get("/overview").text  # the sample runs are older or newer with the clock
    assert "last 30 days" in page
    assert client.get("/overview.json").json()["query"] == "after:30d"
    assert client.get("/overview.json?q=before:1d").json()["query"] == "before:1d"


def test_a_wrong_filter_is_said(client: TestClient) -> None:
    page = client.get("/overview?q=cost:much")
    assert page.status_code == 422
    assert "is no amount" in page.text
    assert client.get("/overview.json?q=cost:much").status_code == 422


def test_json_says_the_same(client: TestClient) -> None:
    found = client.get("/overview.json?q=after:2026-09-01").json()
    assert (found["whole"]["runs"], found["whole"]["failed"]) == (7, 5)
    assert found["whole"]["start"].startswith("2026-09-21T14:")
    assert {tool["name"] for tool in found["failing"]} == {"issue_refund", "fails"}
    assert found["all_steps"] is True


def test_before_anything_is_recorded(tmp_path: Path) -> None:
    with open_client(tmp_path / "traces.db") as empty:
        assert "no run is recorded" in empty.get("/overview").text
        assert empty.get("/overview.json").json()["whole"]["runs"] == 0


def test_unknown_cost_is_never_nothing(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "traces.db")
    run = RunBuilder(writer, "one", "agent")
    run.model([text("user", "?")], text("assistant", "!"), cost=None)
    for _ in range(3):
        run.tool("look <b>", {"x": "<i>"}, 1)
    run.end("ok")
    writer.close()
    with open_client(tmp_path / "traces.db") as client:
        page = client.get(PAGE).text
    assert "<dt>Cost</dt><dd>unknown</dd>" in page
    assert "$0" not in page.partition("<main")[2]
    assert 'class="tone-unknown"' in page
    assert "3 times" in page
    assert "look &lt;b&gt;" in page
    assert "<b>" not in page
    assert "<i>" not in page


def test_bars_stand_on_each_other_within_the_drawing() -> None:
    stacked = Place("a", "", (Amount(3, "failed"), Amount(1, "ok")))
    drawn, width = bars([stacked, Place("b", "", (Amount(0, "ok"),), unknown=True)])
    assert width == 20
    low, high = drawn[0].pieces
    assert (low.y, low.height, high.y, high.height) == (25, 75, 0, 25)
    assert [piece.tone for piece in drawn[1].pieces] == ["unknown"]
    assert bars([])[0] == ()
    (front, back) = bars([Place("", "", (Amount(4, "p95"), Amount(1, "median")))], beside=True)[0][
        0
    ].pieces
    assert (front.height, back.height, back.y) == (100, 25, 75)


def test_a_share_is_part_of_a_hundred() -> None:
    assert [(p.x, p.width) for p in share([Amount(1, "failed"), Amount(3, "ok")], 8)] == [
        (0, 12.5),
        (12.5, 37.5),
    ]
    assert share([Amount(0, "ok")], 0) == ()
    endless = float("inf")
    assert share([Amount(endless, "cost")], endless)[0].width == 100
    assert bars([Place("", "", (Amount(endless, "cost"),))])[0][0].pieces[0].height == 100
