"""The run list in a real browser: keys, selecting, folding, deleting and taking it back."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Server, running_server
from tests.browser.test_pages import violations
from tests.support.run_builder import RunBuilder
from tests.support.runs import build_sample_store
from tracer.store.writing import StoreWriter

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server over runs that these tests may delete."""
    path = tmp_path_factory.mktemp("list") / "traces.db"
    ids = build_sample_store(path)
    with running_server(path) as server:
        yield server, ids


def expect_focus(page: Page, run_id: str) -> None:
    """The row of a run has the focus, at once or soon."""
    expect(page.locator(f"#r{run_id} .run-link")).to_be_focused()


def focused(page: Page) -> str:
    """The id of the run whose row has the focus."""
    found = page.evaluate("document.activeElement.closest('.run-row')?.id.slice(1) || ''")
    return str(found)


def test_selecting_two_and_comparing_them(window: Open, ids: dict[str, str]) -> None:
    page = window().open("/runs?q=tool:lookup_order")
    told = page.locator("[data-selected]")
    page.keyboard.press("c")
    expect(page.locator("#status")).to_have_text("Select two runs first: x")
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(told).to_have_text("2 selected:")
    page.keyboard.press("x")
    expect(told).to_have_text("1 selected:")
    page.keyboard.press("x")
    page.keyboard.press("c")
    page.wait_for_url(re.compile(r"/compare\?a=[0-9a-f]{32}&b=[0-9a-f]{32}"))


def test_without_scripts(window: Open, ids: dict[str, str]) -> None:
    """Filter, sort, unfold, compare, tag: all of it is links and forms."""
    watched = window(java_script_enabled=False)
    page = watched.page
    page.goto(watched.server.base + "/runs")
    page.get_by_role("link", name="2 re-executions").click()
    expect(page.locator("tr.depth-1")).to_have_count(2)
    page.locator("#search").fill("status:failed lamp")
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("link", name="Steps").click()
    assert page.url.endswith("/runs?q=status%3Afailed+lamp&sort=steps")
    expect(page.locator("tr.run-row")).to_have_count(3)
    for at in (0, 1):
        page.locator("#rows input").nth(at).check()
    page.get_by_role("button", name="Compare two").click()
    expect(page).to_have_url(re.compile("/compare"))


def test_folding_by_keys_and_mouse(window: Open, ids: dict[str, str]) -> None:
    page = window().open("/runs")
    page.locator(f"#r{ids['failed']} .run-link").focus()
    kin = page.locator(".kin")
    page.keyboard.press("l")
    expect(page.locator("tr.depth-1")).to_have_count(2)
    expect(kin).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("j")
    assert focused(page) == ids["replay"]
    page.keyboard.press("h")
    expect(page.locator("tr.depth-1")).to_have_count(0)
    expect(kin).to_have_attribute("aria-expanded", "false")
    assert focused(page) == ids["failed"]
    kin.click()
    expect(page.locator("tr.depth-1")).to_have_count(2)
    kin.click()
    expect(page.locator("tr.depth-1")).to_have_count(0)


def test_pin_tag_note(window: Open, own: tuple[Server, dict[str, str]]) -> None:
    server, ids = own
    page = window(server).open("/runs")
    row = page.locator(f"#r{ids['failed']}")
    row.locator(".run-link").focus()
    page.keyboard.press("l")
    expect(page.locator("tr.depth-1")).to_have_count(2)
    page.keyboard.press("p")
    expect(row.locator(".pin")).to_have_attribute("aria-pressed", "true")
    assert focused(page) == ids["failed"]
    expect(row.locator(".kin")).to_have_attribute("aria-expanded", "true")
    page.goto(server.base + "/runs?q=is:pinned")
    expect(page.locator("tr.run-row")).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("t")
    page.locator("#tags").fill("refunds, to-fix")
    page.locator("#note").fill("the wrong policy")
    assert violations(page) == []
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"/runs\?q=is(:|%3A)pinned#r"))
    expect_focus(page, ids["failed"])
    expect(row.locator(".tag-own")).to_have_text(["refunds", "to-fix"])
    expect(row.locator(".own-note")).to_have_text("the wrong policy")
    page.keyboard.press("p")
    expect(row.locator(".pin")).to_have_attribute("aria-pressed", "false")
    assert violations(page) == []


def test_deleting_and_taking_it_back(window: Open, own: tuple[Server, dict[str, str]]) -> None:
    server, _ = own
    page = window(server).open("/runs?q=status:failed")
    rows = page.locator("tr.run-row")
    expect(rows).to_have_count(5)
    order = [str(row.get_attribute("id"))[1:] for row in rows.all()]
    page.locator(f"#r{order[1]} .run-link").focus()
    page.keyboard.press("d")
    expect(page.locator(".undone")).to_contain_text("1 run deleted.")
    expect(rows).to_have_count(4)
    expect_focus(page, order[2])  # the next one
    assert violations(page) == []
    page.keyboard.press("u")
    expect(rows).to_have_count(5)
    assert [str(row.get_attribute("id"))[1:] for row in rows.all()] == order
    expect(page.locator(".undone")).to_have_count(0)
    page.locator(f"#r{order[0]} input").check()
    page.locator(f"#r{order[4]} input").check()
    page.keyboard.press("d")
    expect(page.locator(".undone")).to_contain_text("2 runs deleted.")
    page.get_by_role("link", name="trash").click()
    expect(rows).to_have_count(2)
    page.locator(f"#r{order[0]} input").check()
    page.get_by_role("button", name="Bring back").click()
    expect(rows).to_have_count(1)
    page.get_by_text("Empty the trash").click()
    page.get_by_role("button", name="Delete all of it for good").click()
    page.wait_for_url("**/runs")
    page.goto(f"{server.base}/runs/{order[4]}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")


def test_a_run_under_way_stays(window: Open, own: tuple[Server, dict[str, str]]) -> None:
    server, _ = own
    page = window(server).open("/runs?q=status:running")
    page.keyboard.press("j")
    page.keyboard.press("d")
    expect(page.get_by_role("alert").first).to_contain_text("A run under way can't be deleted")
    expect(page.locator("tr.run-row")).to_have_count(1)


def test_a_filter_is_saved_and_removed(window: Open, own: tuple[Server, dict[str, str]]) -> None:
    server, _ = own
    page = window(server).open("/runs?q=tool:lookup_order&sort=cost")
    page.locator(".save-filter summary").click()
    page.locator("#filter-name").fill("lookups")
    page.locator("#filter-name").press("Enter")
    link = page.get_by_role("navigation", name="Saved filters").get_by_role("link")
    expect(link).to_have_text("lookups")
    expect(link).to_have_attribute("aria-current", "true")
    page.goto(server.base + "/runs")
    link.click()
    page.wait_for_url("**/runs?q=tool%3Alookup_order&sort=cost")
    page.locator(".save-filter summary").click()
    assert violations(page) == []
    page.get_by_role("button", name="Remove the saved filter lookups").click()
    expect(link).to_have_count(0)
    assert page.url.endswith("/runs?q=tool%3Alookup_order&sort=cost")


def test_a_bad_filter_is_said_beside_the_field(window: Open) -> None:
    page = window().open("/runs?q=stauts:error")
    field = page.locator("#search")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("there is no filter stauts"))
    assert violations(page) == []
    page.keyboard.press("/")
    field.fill("status:error")
    field.press("Enter")
    expect(page.locator("tr.run-row").first).to_be_visible()


def test_news_keep_selection_focus_and_what_is_unfolded(window: Open, tmp_path: Path) -> None:
    database = tmp_path / "traces.db"
    ids = build_sample_store(database)
    writer = StoreWriter(database)
    live = RunBuilder(writer, "live", "agent", asked={"q": "?"}, minute=30, pid=os.getpid())
    live.enter("agent", {"q": "?"})
    with running_server(database) as server:
        page = window(server).open("/runs?sort=started")
        row = page.locator(f"#r{live.id}")
        row.locator("input").check()
        page.locator(f"#r{ids['failed']} .run-link").focus()
        page.keyboard.press("l")
        expect(page.locator("tr.depth-1")).to_have_count(2)
        page.locator(f"#r{ids['fork']} input").check()
        page.locator(f"#r{ids['fork']} .run-link").focus()
        live.tool("look", {}, 1)
        expect(row.locator("td.num").first).to_have_text("2")
        live.end("ok", "done")
        expect(row.locator(".status-word")).to_have_text("ok")
        other = RunBuilder(writer, "new", "agent", minute=31, pid=os.getpid())
        other.tool("look", {}, 1)
        pill = page.locator("#new-runs")
        expect(pill).to_have_text("1 new run: show")
        assert focused(page) == ids["fork"]
        expect(page.locator("#rows input:checked")).to_have_count(2)
        pill.click()
        expect(page.locator(f"#r{other.id}")).to_be_visible()
        expect(pill).to_be_hidden()
        expect(row.locator("input")).to_be_checked()
        expect(page.locator("[data-selected]")).to_contain_text("selected:")
        other.end("error")  # the stream goes on from there
        expect(page.locator(f"#r{other.id} .status-word")).to_have_text("failed")
        expect(pill).to_be_hidden()
        writer.close()
