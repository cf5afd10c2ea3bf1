"""What is shipped to the browser: vendored files as published, own ones small, one key table."""

import gzip
import hashlib
import json
import re

from starlette.testclient import TestClient

from tracer_ui import keys, rendering
from tracer_ui.outline import MOVES

VENDOR = rendering.STATIC / "vendor"
# sha256 of the files inside the npm package htmx.org 4.0.1
PUBLISHED = {
    "htmx-4.0.1.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "hx-sse-4.0.1.min.js": "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
    "htmx-LICENSE.txt": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
}
SCRIPT = (rendering.STATIC / "tracer.js").read_text("utf-8")
LIST_SCRIPT = (rendering.STATIC / "list.js").read_text("utf-8")
STYLE = (rendering.STATIC / "tracer.css").read_text("utf-8")


def test_vendored_files_are_as_published() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    assert found == PUBLISHED


def test_what_is_shipped_is_small() -> None:
    def packed(*names: str) -> int:
        return sum(len(gzip.compress((rendering.STATIC / name).read_bytes())) for name in names)

    assert packed("vendor/htmx-4.0.1.min.js", "vendor/hx-sse-4.0.1.min.js") <= 18_000
    assert packed("tracer.js") <= 6_000
    assert packed("list.js") <= 2_000
    assert packed("tracer.css") <= 10_000
    assert len(SCRIPT.splitlines()) < 300


def test_no_file_points_elsewhere() -> None:
    for text in (SCRIPT, LIST_SCRIPT, STYLE):
        addresses = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+[^\s\"')]*", text))
        assert addresses <= {"http://www.w3.org/2000/svg", "//www.w3.org/2000/svg"}
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_the_script_uses_nothing_the_policy_forbids() -> None:
    for forbidden in (
        "eval(",
        "new Function",
        ".innerHTML",
        ".outerHTML",
        "document.write",
        ".style.",
    ):
        assert forbidden not in SCRIPT + LIST_SCRIPT, forbidden


def test_colours_are_variables() -> None:
    outside = re.sub(r":root \{.*?\n\}", "", STYLE, count=1, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-f]{3,8}\b(?![^{]*\{)", outside) == []


def test_the_table_reaches_every_page(client: TestClient) -> None:
    page = client.get("/help").text
    for key in keys.TABLE:
        row = f'data-place="{key.place}" data-action="{key.command}" data-keys="'
        assert row in page, key
    assert page.count("<kbd>?</kbd>") >= 2


def test_no_key_means_two_things_in_one_place() -> None:
    for place in keys.PLACES:
        bound = [k for row in keys.TABLE if row.place in (place, "everywhere") for k in row.keys]
        assert len(bound) == len(set(bound)), place
    commands = [row.command for row in keys.TABLE]
    assert len(commands) == len(set(commands))


def test_no_key_of_the_browser_is_taken() -> None:
    for row in keys.TABLE:
        for key in row.keys:
            assert not re.fullmatch(r"F\d+|Control\+[a-z]", key)


def test_every_command_has_an_element_or_a_movement() -> None:
    templates = "".join(p.read_text() for p in (rendering.HERE / "templates").glob("*.html"))
    for row in keys.TABLE:
        as_element = f'keys("{row.command}")' in templates or f'("{row.command}", ' in templates
        as_movement = re.search(rf'\n\s+"?{row.command}"?: \(', SCRIPT + LIST_SCRIPT)
        assert as_element or as_movement, row.command


def test_stepping_commands_are_known_to_the_server() -> None:
    here = {row.command for row in keys.TABLE if row.place == "run"}
    assert here - set(MOVES) == {"asked", "fork", "compare", "detail"}


def test_htmx_is_told_to_keep_nothing() -> None:
    base = (rendering.HERE / "templates" / "base.html").read_text()
    config = re.search(r"name=\"htmx-config\" content='([^']+)'", base)
    assert config is not None
    assert json.loads(config[1])["history"] is False
