"""Layers hold, and each contract notices when it is broken."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tracer

ROOT = Path(__file__).parents[1]
LINT = (
    "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"
)

# Contract -> a line that breaks it, and the file it is added to.
BREACHES = {
    "A layer imports only layers below it": ("tracer/core/diff.py", "import tracer.store.reading"),
    "Nothing in tracer imports the web UI": ("tracer/cli/ui.py", "import tracer_ui.app"),
    "No import cycle": ("tracer/providers/wire.py", "import tracer.providers.openai_chat"),
    "The demo uses tracer as its users do": ("tracer/demo/shop.py", "import tracer.store.reading"),
    "Only the web UI loads a web server": ("tracer/cli/ls.py", "import starlette.routing"),
    "Only the store speaks SQL": ("tracer/cli/show.py", "import sqlite3"),
    "Only capture knows OpenTelemetry": (
        "tracer/reexecution/tape.py",
        "import opentelemetry.trace",
    ),
}
STRAY = ("tracer/stray.py", '"""A module in no layer."""')


def _lint(root: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path[:0] = ['.', 'ui']; {LINT}"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_layers_hold() -> None:
    code, said = _lint(ROOT)
    assert code == 0, said


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The source tree without tests, to be broken."""
    for name in ("tracer", "ui"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_notices_its_breach(copy: Path) -> None:
    for file, line in BREACHES.values():
        with open(copy / file, "a", encoding="utf-8") as source:
            source.write(f"\n{line}\n")
    code, said = _lint(copy)
    assert code != 0
    kept = [line for line in said.splitlines() if line.rstrip().endswith("KEPT")]
    assert kept == []
    for contract in BREACHES:
        assert f"{contract}" in said


def test_a_module_in_no_layer_is_noticed(copy: Path) -> None:
    (copy / STRAY[0]).write_text(STRAY[1])
    code, said = _lint(copy)
    assert code != 0
    assert "stray" in said


def _imports(path: Path) -> list[tuple[str, list[str]]]:
    """`(module, names)` of every import in a file; no names for `import module`."""
    found: list[tuple[str, list[str]]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.append((node.module, [alias.name for alias in node.names]))
    return found


@pytest.mark.parametrize("folder", ["ui/tracer_ui", "tracer/demo"])
def test_only_public_names_from_outside(folder: str) -> None:
    """The web UI and the demo see what users see: `import tracer`, `from tracer import name`."""
    own = folder.rsplit("/", 1)[-1]
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        for module, names in _imports(path):
            if module == "tracer":
                beyond = set(names) - set(tracer.__all__) - {own}
                assert not beyond, f"{path} imports {beyond}, which tracer does not export"
            elif module.startswith("tracer."):
                inner = module.split(".")[1]
                assert inner == own, f"{path} imports {module}, not a public name of tracer"


def test_public_names_are_there() -> None:
    for name in tracer.__all__:
        assert getattr(tracer, name) is not None
