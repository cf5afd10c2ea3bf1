"""Pages in a real browser: rules of accessibility, the content policy, widths, no scripts."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, running_server
from tests.support.runs import build_sample_store

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text("utf-8")
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
NAMES = [
    "list",
    "run",
    "failed",
    "fork run",
    "running",
    "hostile",
    "empty",
    "editor",
    "result",
    "compare",
    "choose",
    "overview",
    "find",
    "help",
    "missing",
    "history",
]


def path_of(name: str, ids: dict[str, str]) -> str:
    failed, forked = ids["failed"], ids["fork"]
    return {
        "list": "/runs",
        "run": f"/runs/{failed}/steps/4",
        "failed": f"/runs/{failed}/steps/9",
        "fork run": f"/runs/{forked}/steps/4",
        "running": f"/runs/{ids['running']}/steps/4",
        "hostile": f"/runs/{ids['hostile']}/steps/8",
        "empty": f"/runs/{ids['empty']}",
        "editor": f"/runs/{failed}/steps/7/fork",
        "result": f"/runs/{failed}/steps/5/fork",
        "compare": f"/compare?a={failed}&b={forked}",
        "choose": "/compare",
        "overview": "/overview?q=after:2026-09-01",
        "find": f"/runs/{failed}/find?q=lookup_order",
        "help": "/help",
        "missing": f"/runs/{failed}/steps/77",
        "history": f"/runs/{failed}/steps/7?history=1",
    }[name]


def open_all(page: Page) -> None:
    """Unfold everything, and wait for what that fetches."""
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    page.wait_for_timeout(200)


def violations(page: Page) -> list[Any]:
    """What axe-core finds, each with the elements concerned."""
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(document, rules)", RULES)
    return [
        (broken["id"], [node["html"][:160] for node in broken["nodes"]][:4])
        for broken in found["violations"]
    ]


# Colours are variables: what holds for these pages in the dark holds for the others.
DARK = ["list", "run", "failed", "fork run", "editor", "compare"]


@pytest.mark.parametrize(
    ("name", "theme"), [(n, "light") for n in NAMES] + [(n, "dark") for n in DARK]
)
def test_accessibility(window: Open, ids: dict[str, str], name: str, theme: str) -> None:
    page = window(color_scheme=theme).open(path_of(name, ids))
    open_all(page)
    assert violations(page) == []


@pytest.mark.parametrize("name", ["list", "fork run", "editor", "compare"])
def test_accessibility_in_forced_colours_and_narrow(
    window: Open, ids: dict[str, str], name: str
) -> None:
    page = window(forced_colors="active").open(path_of(name, ids))
    assert violations(page) == []
    page = window(viewport={"width": 320, "height": 640}).open(path_of(name, ids))
    assert violations(page) == []


def test_the_selection_is_seen_in_forced_colours(window: Open, ids: dict[str, str]) -> None:
    page = window(forced_colors="active").open(path_of("run", ids))
    row = page.locator("#steps [aria-current=step]")
    assert row.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"


def test_open_dialogs_and_menus_are_accessible(window: Open, ids: dict[str, str]) -> None:
    page = window().open(path_of("run", ids))
    page.keyboard.press("?")
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.locator("#more-moves summary").click()
    assert violations(page) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_page_fits_a_narrow_screen(window: Open, ids: dict[str, str], name: str) -> None:
    page = window(viewport={"width": 320, "height": 800}).open(path_of(name, ids))
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 320
    page.set_viewport_size({"width": 800, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 800


@pytest.mark.parametrize("name", ["list", "run", "editor", "compare"])
def test_larger_text_does_not_cut_the_page(window: Open, ids: dict[str, str], name: str) -> None:
    page = window().open(path_of(name, ids))
    page.evaluate("document.documentElement.classList.add('larger')")
    page.evaluate(
        "const s = new CSSStyleSheet(); s.replaceSync('html { font-size: 200% }');"
        "document.adoptedStyleSheets.push(s)"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440


def test_targets_are_large_enough(window: Open, ids: dict[str, str]) -> None:
    page = window().open(path_of("run", ids))
    small = page.evaluate(
        "() => [...document.querySelectorAll('button, .button, .move, .row, summary, input')]"
        ".map(e => [e, e.getBoundingClientRect()])"
        ".filter(([e, r]) => r.width && (r.height < 24 || r.width < 24)"
        " && !e.closest('.visually-hidden'))"
        ".map(([e]) => e.outerHTML.slice(0, 90))"
    )
    assert small == []


def test_hostile_content_does_nothing(window: Open, ids: dict[str, str]) -> None:
    watched = window()
    for n in range(1, 9):
        page = watched.open(f"/runs/{ids['hostile']}/steps/{n}")
        open_all(page)
        page.keyboard.press("j")
    watched.open(f"/runs/{ids['hostile']}/steps/1/fork")
    watched.open("/runs?q=<script>alert(1)</script>")
    watched.check()


def test_inline_code_would_have_been_stopped(window: Open) -> None:
    """The alarm of these tests rings when it should."""
    watched = window()
    page = watched.open("/help")
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        "document.body.append(s); const i = document.createElement('img');"
        "i.src = 'http://example.invalid/x.png'; document.body.append(i); }"
    )
    page.wait_for_timeout(300)
    with pytest.raises(AssertionError, match="Content Security Policy"):
        watched.check()
    assert page.evaluate("window.ran") is None
    watched.faults.clear()
    page.evaluate("window.violations.length = 0")


def test_reading_works_without_scripts(window: Open, ids: dict[str, str]) -> None:
    page = window(java_script_enabled=False).page
    page.goto(page.url.partition("/runs")[0] + "/runs")
    page.get_by_role("link", name="support_agent").first.click()
    page.locator("#go-first").click()
    expect(page.locator("#step-title .step-n")).to_have_text("1")
    page.locator("#go-next").click()
    expect(page.locator("#step-title .step-n")).to_have_text("2")
    page.locator("#steps a.row").nth(3).click()
    expect(page.locator("#step-title .step-n")).to_have_text("4")
    page.locator("#history summary").click()
    page.get_by_role("link", name="Show them").click()
    expect(page.get_by_text("You are the support agent of a lamp shop.").first).to_be_attached()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.url.endswith("/steps/4?history=1")
    page.get_by_role("link", name=re.compile("Re-execute from here")).click()
    page.get_by_role("button", name="Add a tool call").click()
    expect(page.locator("fieldset.call-edit")).to_have_count(2)


def test_addresses_survive_a_reload_and_another_window(window: Open, ids: dict[str, str]) -> None:
    first = window()
    page = first.open(f"/runs/{ids['failed']}/steps/2")
    for key in ("j", "j", "n"):
        page.keyboard.press(key)
        page.wait_for_timeout(200)
    page.wait_for_url("**/steps/7", timeout=30_000)
    address = page.url
    assert address.endswith("/steps/7")
    page.reload()
    expect(page.locator("#step-title .step-n")).to_have_text("7")
    again = window().open(address.partition("/runs")[1] + address.partition("/runs")[2])
    expect(again.locator("#step-title .step-n")).to_have_text("7")


def test_the_theme_is_kept(window: Open) -> None:
    watched = window(color_scheme="light")
    page = watched.open("/help")
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.wait_for_timeout(200)
    page = watched.open("/runs")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert background == "rgb(20, 23, 28)"


def test_folded_parts_come_when_opened(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/4")
    page.locator("#history summary").first.click()
    expect(page.locator("#history .message")).to_have_count(2)
    page.locator("#raw summary").click()
    expect(page.locator("#raw .wire")).to_have_count(2)
    page = window().open(f"/runs/{ids['hostile']}/steps/5")
    page.get_by_role("link", name="Show all").click()
    expect(page.locator(".piece")).to_have_count(1)
    page.get_by_role("link", name="Show more").click()
    expect(page.locator(".piece")).to_have_count(2)


def test_the_fork_editor_checks_while_one_types(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/7/fork")
    amount = page.locator("[id='call.0.f.amount']")
    amount.fill("24")
    expect(page.locator("#check .changes")).to_contain_text("24")
    expect(amount).to_be_focused()
    amount.fill("many")
    expect(page.locator("#check .problems")).to_contain_text("is not of type")
    page.get_by_role("button", name="Edit as JSON").click()
    box = page.locator("[id='call.0.json']")
    expect(box).to_have_value(re.compile('"amount": "many"'))
    box.fill('{"order_id": "A-1042"}')
    expect(page.locator("#check .problems")).to_contain_text("amount")
    page.get_by_role("button", name="Edit as form").click()
    expect(page.locator("[id='call.0.f.order_id']")).to_have_value("A-1042")
    page.get_by_role("button", name="Add a tool call").click()
    expect(page.locator("fieldset.call-edit")).to_have_count(2)
    tool = page.locator("[id='call.1.name']")
    tool.fill("check_policy")
    tool.press("Tab")
    expect(page.locator("[id='call.1.f.category']")).to_be_visible()
    page.get_by_role("button", name="Remove call 1").click()
    expect(page.locator("fieldset.call-edit")).to_have_count(1)
    page.get_by_role("radio", name="Fails").check()
    expect(page.locator("#failure")).to_be_visible()
    expect(page.locator("#text")).not_to_be_visible()
    expect(page.locator("#check")).to_contain_text("The answer is replaced by: Rate limit (429).")


def test_enter_in_a_field_starts_nothing(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/7/fork")
    page.locator("#reason").fill("why")
    page.locator("#reason").press("Enter")
    page.wait_for_timeout(400)
    assert page.url.endswith("/fork")
    expect(page.locator("#reason")).to_have_value("why")


def test_first_run_opens_by_itself(window: Open, tmp_path: Path) -> None:
    database = tmp_path / "new.db"
    with running_server(database) as server:
        page = window(server).page
        expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()
        assert violations(page) == []
        build_sample_store(database)
        # Whichever is the newest when it looks: of one without any step there is no step to open.
        page.wait_for_url(re.compile(r"/runs/[0-9a-f]{32}"), timeout=60_000)


def test_structure_of_the_pages(window: Open, ids: dict[str, str]) -> None:
    """One main landmark, one first heading, steps as a list of links with their place."""
    for name in NAMES:
        page = window().open(path_of(name, ids))
        assert page.locator("main").count() == 1, name
        assert page.locator("h1").count() == 1, name
        assert page.locator("html[lang=en]").count() == 1
    page = window().open(path_of("run", ids))
    item = page.locator("#s4")
    assert item.get_attribute("aria-posinset") == "4"
    assert item.get_attribute("aria-setsize") == "9"
    assert item.get_attribute("aria-level") == "2"
    snapshot = page.locator("#steps").aria_snapshot()
    assert snapshot.count("listitem") == 9
