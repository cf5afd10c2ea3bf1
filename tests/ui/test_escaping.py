"""Recorded text is text, wherever it is shown."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from tests.support.run_builder import RunBuilder, call, result, text
from tests.ui.conftest import SAME_ORIGIN, open_client
from tracer.core.records import ErrorInfo
from tracer.store.labels import Labels
from tracer.store.writing import StoreWriter

EVIL = (
    '<script>alert(1)</script><img src=x onerror=alert(2)><hx-partial hx-target="body">x'
    "</hx-partial><a href=\"javascript:alert(3)\" hx-get='/theme' hx-trigger=load>go</a>"
    "\"'><svg onload=alert(4)>{{ 7*7 }}{% raw %}</textarea></pre></details><style>*{}</style>"
)
QUOTED = '"' + EVIL.replace('"', '\\"') + '"'  # as a value of a filter
OWN_SCRIPTS = re.compile(r"/static/((tracer|list)\.js|vendor/[a-z0-9.-]+\.min\.js)\?v=[0-9a-f]{12}")


class Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def assert_harmless(html: str) -> None:
    """No element, attribute or address in a page comes from the recording."""
    for tag, attributes in Page(html).tags:
        assert tag not in ("style", "iframe", "object", "embed", "base", "img"), tag
        if tag == "script":
            assert OWN_SCRIPTS.fullmatch(attributes.get("src") or ""), attributes
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, attributes)
            assert name != "style", (tag, attributes)
            if name in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
                assert re.match(r"[/#?]", value or ""), (tag, name, value)
                assert not (value or "").startswith("//"), (tag, name, value)
            if name == "hx-trigger":
                assert value != "load", attributes
    assert ">49<" not in html


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run made of nothing but hostile text, and a client."""
    path = tmp_path_factory.mktemp("evil") / "traces.db"
    writer = StoreWriter(path)
    fork = {"step": 1, "kind": EVIL, "after": EVIL, "reason": EVIL}
    parent = RunBuilder(writer, "p", EVIL, asked={EVIL: EVIL}).end("ok", EVIL)
    run = RunBuilder(writer, "evil", EVIL, asked={EVIL: EVIL}, parent_run=parent, fork=fork)
    tools = [
        {
            "name": EVIL,
            "description": EVIL,
            "parameters": {
                "type": "object",
                "properties": {EVIL: {"type": "string", "description": EVIL}},
                "required": [EVIL],
            },
        }
    ]
    error = ErrorInfo(EVIL, EVIL, f'Traceback\n  File "{EVIL}", line 1, in {EVIL}\n{EVIL}')
    with run.agent(EVIL, {EVIL: EVIL}, error=error):
        asked = call(EVIL, EVIL, {EVIL: EVIL, "deep": {EVIL: [EVIL]}}, EVIL)
        history = [text("system", EVIL), text(EVIL, EVIL)]
        run.model(history, asked, tools=tools, model=EVIL)
        run.model([*history, asked, result(EVIL, EVIL)], text("assistant", EVIL), tools=tools)
        run.tool(EVIL, {EVIL: EVIL}, {EVIL: EVIL})
        run.tool(EVIL, {EVIL: EVIL}, error=error)
        run.note(EVIL, **{EVIL: EVIL})
    run.end(
        "error",
        error=error,
        warnings=(EVIL,),
        divergences=({"n": 2, "kind": EVIL, "message": EVIL},),
    )
    writer.close()
    labels = Labels(path)
    labels.tag([run.id], [EVIL.replace(",", "").replace('"', "")[:40]])
    labels.note(run.id, EVIL)
    labels.save_filter(EVIL[:60], f"tool:{QUOTED}")
    with open_client(path) as client:
        yield client, run.id, parent


def pages(run: str, parent: str) -> list[str]:
    steps = [f"/runs/{run}/steps/{n}" for n in range(1, 7)]
    return [
        "/runs",
        "/runs?q=" + quote(EVIL),
        "/runs?q=" + quote(f"script tool:{QUOTED} tag:{QUOTED}"),
        f"/runs?open={parent}",
        f"/f/runs/{parent}/kin",
        f"/runs/{run}/label",
        *steps,
        *(f"/f{step}" for step in steps),
        f"/f/runs/{run}/rows?first=1",
        f"{steps[1]}/fork",
        f"{steps[3]}/fork",
        f"/f{steps[1]}/wire",
        f"/f{steps[1]}/part/in.0.0",
        f"/f{steps[2]}/history",
        f"/compare?a={parent}&b={run}",
        f"/compare?a={run}&b={run}&show=all",
        f"/runs/{run}/find?q=script",
        f"/runs/{run}/steps/{EVIL.replace('/', '')}",
        f"/compare?a={EVIL}&b={EVIL}",
    ]


def test_nothing_recorded_is_ever_markup(evil: tuple[TestClient, str, str]) -> None:
    client, run, parent = evil
    seen = 0
    for path in pages(run, parent):
        reply = client.get(path)
        assert reply.status_code in (200, 404, 422), (path, reply.status_code, reply.text[-600:])
        assert_harmless(reply.text)
        seen += reply.text.count("&lt;script&gt;alert(1)")
    assert seen > 100


def test_what_is_typed_is_never_markup(evil: tuple[TestClient, str, str]) -> None:
    client, run, _ = evil
    form = {
        "mode": "say",
        "text": EVIL,
        "calls": "2",
        "call.0.name": EVIL,
        "call.0.as": "json",
        "call.0.json": EVIL,
        "call.1.name": EVIL,
        "call.1.as": "form",
        "reason": EVIL,
        f"call.1.k.{EVIL}": "text",
        f"call.1.f.{EVIL}": EVIL,
        "program": EVIL,
        f"tool.{EVIL}": "stub",
        f"stub.{EVIL}": EVIL,
        "max_live": EVIL,
    }
    base = f"/runs/{run}/steps/2/fork"
    for path in (base, f"{base}/draft", f"/f{base}/draft", f"/f{base}/check"):
        reply = client.post(path, data=form, headers=SAME_ORIGIN)
        assert reply.status_code in (200, 422), reply.text[-600:]
        assert_harmless(reply.text)
        assert "&lt;script&gt;" in reply.text


def test_hx_attributes_stand_outside_recorded_text(evil: tuple[TestClient, str, str]) -> None:
    """Escaping is one wall, `hx-ignore` around recorded text the second."""
    client, run, _ = evil
    html = client.get(f"/runs/{run}/steps/2").text
    for place in re.finditer(r"&lt;script&gt;alert\(1\)", html):
        before = html[: place.start()]
        inside_tag = before.rfind("<") > before.rfind(">")
        inside_title = before.rfind("<title>") > before.rfind("</title>")
        assert inside_tag or inside_title or before.rfind("hx-ignore") > 0


def test_control_characters_are_shown_and_surrogates_survive(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    writer = StoreWriter(path)
    run = RunBuilder(writer, "x", "odd \x00\x1b[31m name")
    run.tool("t", {"a": "\x07bell \ud800 end\r\n"}, "\x00nul")
    run.end("ok")
    writer.close()
    with open_client(path) as client:
        html = client.get(f"/runs/{run.id}/steps/1").text
        assert "\x00" not in html
        assert "\x1b" not in html
        assert "␀nul" in html
        assert client.get(f"/runs/{run.id}/steps/1.json").status_code == 200
        assert client.get(f"/runs/{run.id}/steps/1/raw/input").status_code == 200
