"""Habits of this code base that no linter checks: size, docstrings, reasons beside lazy imports."""

import ast
import io
import statistics
import tokenize
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("tracer", "ui/tracer_ui")
SOURCES = sorted(chain.from_iterable((ROOT / folder).rglob("*.py") for folder in FOLDERS))
NAMES = [str(path.relative_to(ROOT)) for path in SOURCES]

MAX_LINES = 400
MEDIAN_LINES = 120
LONG_FUNCTION = 40  # lines that 95 of 100 functions stay under

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def test_files_are_small() -> None:
    sizes = {name: len(_lines(path)) for name, path in zip(NAMES, SOURCES, strict=True)}
    assert {name: size for name, size in sizes.items() if size > MAX_LINES} == {}
    assert statistics.median(sizes.values()) <= MEDIAN_LINES


def test_functions_are_short() -> None:
    lengths = [
        (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in _functions(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert statistics.quantiles(lengths, n=20)[-1] <= LONG_FUNCTION


@pytest.mark.parametrize("name", NAMES)
def test_public_names_say_what_they_are(name: str) -> None:
    """Every module, and every public class and function at its top, has a docstring."""
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{name} does not say what it owns"
    missing = [
        node.name
        for node in tree.body
        if isinstance(node, Function | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and not _overload(node)
    ]
    assert missing == []


def _overload(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(isinstance(d, ast.Name) and d.id == "overload" for d in decorators)


def _comments(text: str) -> set[int]:
    """Numbers of the lines that hold a comment."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0] for token in tokens if token.type == tokenize.COMMENT}


@pytest.mark.parametrize("name", NAMES)
def test_a_lazy_import_says_why(name: str) -> None:
    """An import inside a function has a reason on its line, or above the imports it stands in."""
    text = (ROOT / name).read_text(encoding="utf-8")
    comments = _comments(text)
    unexplained = []
    for function in _functions(ast.parse(text)):
        explained_to = 0
        for node in ast.walk(function):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            first, last = node.lineno, node.end_lineno or node.lineno
            near = {first - 1, *range(first, last + 1)}
            if comments & near or first - 1 == explained_to:
                explained_to = last
            else:
                unexplained.append(first)
    assert sorted(set(unexplained)) == []


def test_ui_is_no_package() -> None:
    """`ui/__init__.py` would install a package called `ui`, over a user's own."""
    assert not (ROOT / "ui" / "__init__.py").exists()
