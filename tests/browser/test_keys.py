"""Keys in a real page: each leads where it says, none acts while one types."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tracer_ui import keys

pytestmark = pytest.mark.browser


def at(page: Page, n: int) -> None:
    """The focus is on step n: address, list, detail and what is read out agree."""
    page.wait_for_function("n => document.querySelector('#step')?.dataset.n === n", arg=str(n))
    expect(page).to_have_url(re.compile(rf"/steps/{n}$"))
    expect(page.locator("#steps [aria-current=step] .n")).to_have_text(str(n))
    expect(page.locator("#status")).to_contain_text(f"Step {n} of")
    expect(page).to_have_title(re.compile(rf"^Step {n} "))


# start, keys, where that leads in the run `failed` (see tests/support/runs.py)
STEPS = [
    (4, ["j"], 5),
    (4, ["ArrowDown"], 5),
    (4, ["k"], 3),
    (4, ["ArrowUp"], 3),
    (2, ["j", "j", "j", "k"], 4),
    (8, ["K"], 7),
    (1, ["l"], 2),
    (9, ["h"], 8),
    (9, ["ArrowLeft", "ArrowLeft"], 1),
    (8, ["ArrowRight"], 9),
    (1, ["e"], 9),
    (2, ["n"], 4),
    (7, ["N"], 4),
    (1, ["m"], 6),
    (2, ["M"], 6),
    (5, ["a"], 4),
    (4, ["a"], 5),
    (5, ["g", "g"], 1),
    (5, ["Home"], 1),
    (5, ["G"], 9),
    (5, ["End"], 9),
]


@pytest.mark.parametrize(("start", "pressed", "end"), STEPS)
def test_stepping(
    window: Open, ids: dict[str, str], start: int, pressed: list[str], end: int
) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/{start}")
    for key in pressed:
        page.keyboard.press(key)
    at(page, end)


def test_every_stepping_key_of_the_table_was_pressed() -> None:
    tested = {key for _, pressed, _ in STEPS for key in pressed}
    elsewhere = {"f", "c", "Enter", "E", "J", "g g"}
    for row in keys.TABLE:
        if row.place == "run":
            assert set(row.keys) <= tested | elsewhere, row


def test_over_and_errors_at_the_ends(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/7")
    page.keyboard.press("J")
    at(page, 8)
    page.keyboard.press("J")
    expect(page.locator("#status")).to_have_text("End of the recording")
    at_end = page.locator("#step").get_attribute("data-n")
    assert at_end == "8"
    page.keyboard.press("E")
    expect(page.locator("#status")).to_have_text("End of the recording")
    page.keyboard.press("G")
    at(page, 9)
    page.keyboard.press("j")
    expect(page.locator("#status")).to_have_text("End of the recording")
    page.keyboard.press("Home")
    at(page, 1)
    page.keyboard.press("k")
    expect(page.locator("#status")).to_have_text("Beginning of the recording")


def test_a_lone_g_goes_to_the_first_step_after_a_moment(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/5")
    page.keyboard.press("g")
    at(page, 1)


def test_a_held_key_loads_only_where_it_ends(window: Open, ids: dict[str, str]) -> None:
    watched = window()
    page = watched.open(f"/runs/{ids['failed']}/steps/1")
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.keyboard.down("j")
    for _ in range(7):
        page.keyboard.down("j")  # the browser marks these as repeats
    page.keyboard.up("j")
    at(page, 9)
    assert 1 <= sum("/f/" in url for url in loaded) <= 6


def test_nothing_happens_while_one_types(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/4")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("jkeGmf")
    expect(page.locator("#search")).to_have_value("jkeGmf")
    assert page.url.endswith("/steps/4")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).not_to_be_focused()
    page.keyboard.press("j")
    at(page, 5)


def test_search_finds_folded_text(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/4")
    page.keyboard.press("/")
    page.keyboard.type("lookup_order")
    page.keyboard.press("Enter")
    page.wait_for_url("**/find?q=lookup_order")
    page.locator(".hits a.row").first.click()
    page.wait_for_url(re.compile(r"/steps/\d$"))


def test_enter_goes_into_the_step_and_escape_back(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/4")
    page.keyboard.press("j")
    at(page, 5)
    expect(page.locator("#s5 > a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#step-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#s5 > a")).to_be_focused()
    page.keyboard.press("Escape")
    page.wait_for_url("**/runs")


def test_the_list_is_one_tab_stop(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/4")
    page.keyboard.press("j")
    at(page, 5)
    assert page.locator("#steps a.row[tabindex='0']").count() == 1
    assert page.locator("#steps a.row[tabindex='-1']").count() == 8


def test_the_help_dialog_is_the_table(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/4")
    page.keyboard.press("?")
    dialog = page.locator("#keys")
    expect(dialog).to_be_visible()
    for row in keys.TABLE:
        expect(dialog.get_by_text(row.label, exact=True).first).to_be_attached()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    assert page.url.endswith("/steps/4")


def test_back_and_forward(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/2")
    page.locator("#s7 > a").click()
    at(page, 7)
    page.keyboard.press("e")
    at(page, 9)
    page.go_back()
    at(page, 7)
    page.go_back()
    at(page, 2)
    page.go_forward()
    at(page, 7)
    page.reload()
    page.wait_for_function("() => document.querySelector('#step').dataset.n === '7'")


def test_fork_and_compare_keys(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['fork']}/steps/3")
    page.keyboard.press("j")
    at(page, 4)
    page.keyboard.press("f")
    page.wait_for_url("**/steps/4/fork")
    page.keyboard.press("Escape")
    page.wait_for_url("**/steps/4")
    page.keyboard.press("c")
    page.wait_for_url("**/compare?a=*&b=*")
    page.keyboard.press("0")
    expect(page.locator("#first")).to_be_focused()
    page.keyboard.press("n")
    expect(page.locator("#first")).not_to_be_focused()
    page.keyboard.press("N")
    expect(page.locator("#first")).to_be_focused()
    a = re.search(r"a=(\w+)", page.url)
    page.keyboard.press("s")
    page.wait_for_url(re.compile(rf"b={a[1] if a else ''}"))


def test_the_run_list_by_keys(window: Open, ids: dict[str, str]) -> None:
    page = window().open("/runs?q=lamp")
    page.keyboard.press("j")
    first = page.locator(".run-link").nth(0)
    expect(first).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert page.locator("input[name=run]:checked").count() == 2
    page.keyboard.press("c")
    page.wait_for_url("**/compare?a=*&b=*")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runs")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/steps/*")


def test_stepping_by_mouse(window: Open, ids: dict[str, str]) -> None:
    page = window().open(f"/runs/{ids['failed']}/steps/4")
    page.locator("#go-next").click()
    at(page, 5)
    page.locator("#go-next-error").click()
    at(page, 9)
    page.locator("#more-moves summary").click()
    page.locator("#go-out").click()
    at(page, 8)
    page.get_by_role("link", name="1 note, first: 6").click()
    at(page, 6)
    page.get_by_role("link", name="First error: step 9").click()
    at(page, 9)
    page.locator("#go-first").click()
    at(page, 1)
    command = page.locator(".foot-command code")
    expect(command).to_have_text(f"tracer show {ids['failed'][:8]} --step 1")


def test_pressing_with_ctrl_opens_a_tab(window: Open, ids: dict[str, str]) -> None:
    watched = window()
    page = watched.open(f"/runs/{ids['failed']}/steps/4")
    with watched.context.expect_page() as opened:
        page.locator("#s7 > a").click(modifiers=["Control"])
    opened.value.wait_for_url("**/steps/7")
    assert page.url.endswith("/steps/4")
