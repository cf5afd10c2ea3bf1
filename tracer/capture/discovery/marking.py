"""Functions of a script that are named by hand, watched from where they are defined."""

import ast
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from tracer.capture.discovery.trampoline import is_watched, watch
from tracer.capture.guard import report

MARK = "__tracer_watched__"  # a name in the script's globals, while it is defined


def marked(tree: ast.Module, names: Sequence[str]) -> ast.Module:
    """The program with a mark on the functions of these dotted names; lines stay as they are."""
    for name in names:
        body: Any = tree.body
        *classes, last = name.split(".")
        for outer in classes:
            body = next(
                (n.body for n in body if isinstance(n, ast.ClassDef) and n.name == outer), []
            )
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == last:
                # The innermost decorator: others may hand on something that is no function.
                node.decorator_list.append(ast.copy_location(ast.Name(MARK, ast.Load()), node))
    return ast.fix_missing_locations(tree)


def watched_as_defined(function: Callable[..., Any]) -> Callable[..., Any]:
    """The mark: the same function, watched."""
    try:
        if isinstance(function, FunctionType) and not is_watched(function):
            watch(function, function.__name__)
    except Exception as error:
        report("watching a tool", error)
    return function
