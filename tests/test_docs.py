"""Documents can't drift: what they quote is compared with, or run as, the real thing."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frameworks import matrix
from tracer.cli.main import COMMANDS
from tracer.demo.local_models import ANTHROPIC, OPENAI
from tracer.store import connection
from tracer.store.migrations import schema_sql

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/limits.md")
_SCHEMA = re.compile(r"(<!-- schema -->\n).*(<!-- /schema -->)", re.DOTALL)
_RUN = re.compile(r"<!-- run by tests/test_docs.py -->\n```sh\n(.*?)```", re.DOTALL)


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_gold_schema(tmp_path: Path) -> None:
    conn = connection.connect(tmp_path / "empty.db")
    block = f"```sql\n{schema_sql(conn)}```\n"
    conn.close()
    text = _read("ARCHITECTURE.md")
    wanted = _SCHEMA.sub(lambda match: match[1] + block + match[2], text)
    if os.environ.get("TRACER_GOLD") == "accept":
        (ROOT / "ARCHITECTURE.md").write_text(wanted, encoding="utf-8")
        return
    assert text == wanted, "the schema in ARCHITECTURE.md is not that of the migrations: make gold"


def test_the_commands_of_the_readme_do_what_it_says(tmp_path: Path) -> None:
    (script,) = _RUN.findall(_read("README.md"))
    assert script.count("tracer ") == 3
    environment = {n: v for n, v in os.environ.items() if n not in (*OPENAI, *ANTHROPIC)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # The first command is of an agent that fails; what follows runs all the same.
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "RefundMismatch: refunded 480.00" in done.stdout
    assert "refunded 24.00 EUR" in done.stdout
    assert re.search(r"tracer diff [0-9a-f]{8} [0-9a-f]{8}$", done.stderr.strip())
    amounts = [line for line in (tmp_path / "demo_ledger.jsonl").read_text().splitlines()]
    assert len(amounts) == 6


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_and_targets_exist(name: str) -> None:
    """Only what stands in code counts: prose may say "tracer is"."""
    text = _read(name)
    code = " ".join(re.findall(r"`[^`\n]+`|```sh\n.*?```", text, re.DOTALL))
    assert set(re.findall(r"\btracer ([a-z]+)\b", code)) <= set(COMMANDS)
    targets = set(re.findall(r"^([a-z]+):", _read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b", code)) <= targets


def test_readme_names_every_command() -> None:
    named = set(re.findall(r"`tracer ([a-z]+)", _read("README.md")))
    assert named == set(COMMANDS)


def _said(tree: ast.AST) -> Iterator[str]:
    """Texts of a source file, with `…` where a value is put in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_limits_quote_what_is_said() -> None:
    quotes = re.findall(r"^ *> (.+)$", _read("docs/limits.md"), re.MULTILINE)
    assert len(quotes) > 12
    said = {
        text
        for path in (ROOT / "tracer").rglob("*.py")
        for text in _said(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert [quote for quote in quotes if not any(quote in text for text in said)] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", _read(name)):
        assert (ROOT / target).exists()


def test_gold_the_tables_of_the_readme_are_those_of_the_matrix() -> None:
    text = wanted = _read("README.md")
    blocks = matrix.blocks(json.loads(matrix.RESULTS.read_text("utf-8")))
    for name, block in blocks.items():
        before, begin, rest = wanted.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        assert begin and end, f"README has no {name}"
        wanted = before + begin + block + end + after
    if os.environ.get("TRACER_GOLD") == "accept":
        (ROOT / "README.md").write_text(wanted, encoding="utf-8")
        return
    assert text == wanted, "the tables in README.md are not those of results.json: make gold"
