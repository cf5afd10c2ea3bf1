"""Each template has a typed context: it reads what the dataclass offers, no more, no less."""

import dataclasses
import inspect
import re
import typing
from pathlib import Path
from typing import Any

import pytest
from jinja2 import meta, nodes
from starlette.testclient import TestClient

from tests.ui.conftest import SAME_ORIGIN
from tracer_ui import listnews, live, rendering
from tracer_ui.contexts import Context, Frame, PageContext
from tracer_ui.views import (
    actions,
    compare,
    errors,
    fork,
    labelling,
    overview,
    payloads,
    question,
    run,
    runs,
    starting,
    surroundings,
)

TEMPLATES = rendering.HERE / "templates"
MODULES = (
    actions, compare, errors, fork, labelling, overview, payloads, question, run, runs, starting,
    surroundings, live,
    listnews,
)  # fmt: skip
CONTEXTS = sorted(
    {
        found
        for module in MODULES
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Context) and found not in (Context, PageContext)
    },
    key=lambda found: found.__name__,
)


def source(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


def reached(name: str) -> set[str]:
    """A template and all it extends, includes and imports."""
    found, waiting = set[str](), [name]
    while waiting:
        here = waiting.pop()
        if here in found:
            continue
        found.add(here)
        tree = rendering.environment().parse(source(here))
        waiting += [other for other in meta.find_referenced_templates(tree) if other]
    return found


def variables(name: str) -> set[str]:
    """The variables a template needs from its context, macros and globals aside."""
    needed: set[str] = set()
    for each in reached(name):
        if each == "_macros.html":
            continue
        tree = rendering.environment().parse(source(each))
        needed |= meta.find_undeclared_variables(tree)
    return needed - set(rendering.environment().globals) - {"super"}


# Handed to includes by a loop, or set before one.
LOOP_VARIABLES = {"run", "change", "chunk", "row", "problem", "ui", "charts", "editor", "few"}


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda c: c.__name__)
def test_a_template_reads_exactly_its_context(context: type[Context]) -> None:
    fields = {field.name for field in dataclasses.fields(context)}
    needed = variables(context.template)
    assert needed - LOOP_VARIABLES <= fields
    assert fields <= needed, "fields nobody reads"


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda c: c.__name__)
def test_attributes_exist(context: type[Context]) -> None:
    """`detail.title` in a template is a field of `Detail`."""
    hints = typing.get_type_hints(context)
    for template in reached(context.template):
        tree = rendering.environment().parse(source(template))
        for access in tree.find_all(nodes.Getattr):
            if isinstance(access.node, nodes.Name) and access.node.name in hints:
                kind = hints[access.node.name]
                if dataclasses.is_dataclass(kind):
                    names = {field.name for field in dataclasses.fields(kind)}
                    assert access.attr in names, f"{template}: {access.node.name}.{access.attr}"


def test_every_template_is_used() -> None:
    used = set().union(*(reached(context.template) for context in CONTEXTS))
    assert used == {path.name for path in TEMPLATES.iterdir()}


def test_no_two_contexts_share_a_template() -> None:
    templates = [context.template for context in CONTEXTS]
    assert len(templates) == len(set(templates))


def test_what_is_rendered_is_the_context(
    client: TestClient, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real pages hand their template the dataclass's fields and nothing else."""
    seen: dict[str, set[str]] = {}
    original = Context.variables

    def watched(self: Context) -> dict[str, Any]:
        given = original(self)
        seen[type(self).__name__] = set(given)
        return given

    monkeypatch.setattr(Context, "variables", watched)
    failed, forked = ids["failed"], ids["fork"]
    base = f"/runs/{failed}/steps/4"
    for path in (
        "/runs",
        "/f/runs",
        "/f/runs/fresh",
        f"/f/runs/{failed}/kin",
        f"/runs/{failed}/label",
        "/help",
        "/overview?q=after:2020-01-01",
        "/nothing",
        "/f/nothing",
        "/compare",
        base,
        f"/f{base}",
        f"/f{base}/history",
        f"/f{base}/wire",
        f"/f{base}/part/in.0.0",
        f"{base}/fork",
        f"/runs/{failed}/find?q=lamp",
        f"/f/runs/{failed}/rows",
        f"/f/runs/{failed}/around",
        f"/compare?a={failed}&b={forked}",
        f"/runs/{ids['empty']}",
    ):
        client.get(path)
    for action in ("draft", "check"):
        client.post(f"/f{base}/fork/{action}", data={"do": "add"}, headers=SAME_ORIGIN)
    for context in CONTEXTS:
        if context.__name__ in seen:
            assert seen[context.__name__] == {f.name for f in dataclasses.fields(context)}
    assert len(seen) >= 19


def test_undefined_names_are_errors() -> None:
    with pytest.raises(Exception, match="is undefined"):
        rendering.environment().from_string("{{ nobody_gave_this }}").render()


@pytest.mark.parametrize("path", sorted(TEMPLATES.iterdir()), ids=lambda p: p.name)
def test_templates_are_clean(path: Path) -> None:
    """Nothing inline that the content policy would stop, and nothing marked safe."""
    text = path.read_text("utf-8")
    assert not re.search(r"\|\s*safe|autoescape|Markup", text)
    assert not re.search(r"\sstyle=|\son[a-z]+=|hx-on|javascript:|js:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"https?://", text)
    assert not re.search(r'hx-trigger="[^"]*\[', text)


def test_fragments_have_one_root_with_an_id() -> None:
    for name in ("_detail.html", "_run_head.html", "_fork_calls.html", "_run_row.html"):
        tags = re.findall(r"<([a-z]+)[^>]*\sid=", re.sub(r"{%.*?%}|{#.*?#}", "", source(name)))
        assert tags, name


def test_python_holds_no_html() -> None:
    for path in rendering.HERE.rglob("*.py"):
        found = re.search(r"</?(div|span|p|a|li|tr|td|h[1-6]|pre|script)\b[^>]*>", path.read_text())
        assert found is None, path


def test_only_one_module_imports_tracer() -> None:
    importing = {
        path.name
        for path in rendering.HERE.rglob("*.py")
        if re.search(r"^\s*(from|import) tracer(\.|\s)", path.read_text(), re.MULTILINE)
    }
    assert importing == {"api.py"}


def test_the_frame_is_in_every_page() -> None:
    for context in CONTEXTS:
        if issubclass(context, PageContext):
            assert typing.get_type_hints(context)["frame"] is Frame
            assert "base.html" in reached(context.template)
