"""What happened around steps on the pages: there where it is, quiet where it isn't, escaped."""

from starlette.testclient import TestClient

SCRIPT = "<script>alert(1)</script>"


def test_the_step_page_shows_it(client: TestClient, ids: dict[str, str]) -> None:
    page = client.get(f"/runs/{ids['failed']}/steps/9").text
    for words in (
        "Output &amp; logs", "refunding A-1042", "standard error", "over the limit", "WARNING",
        "shop.refunds", "Touched", "/home/ana/shop/shop.db (2 times)", "Local variables",
        "issue_refund", "[redacted]",
    ):  # fmt: skip
        assert words in page, words
    assert page.index("Traceback") < page.index("Local variables") < page.index("refunding A-1042")


def test_quiet_where_nothing_happened(client: TestClient, ids: dict[str, str]) -> None:
    page = client.get(f"/runs/{ids['failed']}/steps/3").text
    assert "Output &amp; logs" not in page and "Touched" not in page
    assert "Local variables" not in page
    assert "Environment and output" not in client.get(f"/runs/{ids['fork']}/steps/3").text


def test_what_is_outside_any_step(client: TestClient, ids: dict[str, str]) -> None:
    page = client.get(f"/runs/{ids['failed']}/steps/9").text
    assert f"/f/runs/{ids['failed']}/around" in page
    fragment = client.get(f"/f/runs/{ids['failed']}/around").text
    for words in ("4be14be14be1 on main, with changes that are not committed", "SHOP_MODE",
                  "openai 1.2.3, shop 1.4", "shop 1.4 is ready"):  # fmt: skip
        assert words in fragment, words


def test_hostile_text_stays_text(client: TestClient, ids: dict[str, str]) -> None:
    for path in (f"/runs/{ids['hostile']}/steps/8", f"/f/runs/{ids['hostile']}/around"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert SCRIPT not in answer.text and "onerror=alert(2)>" not in answer.text
    page = client.get(f"/runs/{ids['hostile']}/steps/8").text
    assert "1,000,000,000 characters not kept" in page
    assert "49,9" in page and "lines folded" in page
    assert len(page) < 200_000


def test_the_twin_says_the_same(client: TestClient, ids: dict[str, str]) -> None:
    step = client.get(f"/runs/{ids['failed']}/steps/9.json").json()
    assert step["printed"][0] == {"stream": "out", "text": "refunding A-1042\n"}
    assert step["logs"][0]["text"] == "480.00 EUR is more than 24.00"
    assert step["touched"][0]["name"] == "/home/ana/shop/shop.db"
    assert step["locals"][0]["values"]["allowed"] == "24.0"
    run = client.get(f"/runs/{ids['failed']}.json").json()
    assert run["environment"]["packages"] == {"openai": "1.2.3", "shop": "1.4"}
    assert run["printed"] == [{"stream": "out", "text": "shop 1.4 is ready\n"}]
