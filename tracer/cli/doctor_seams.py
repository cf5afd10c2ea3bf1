"""Whether the frameworks found here still have what tracer patches; none is imported."""

import ast
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from tracer.capture.seams import SEAMS, Seam, said_changed

NAMES = tuple(dict.fromkeys(seam.distribution for seam in SEAMS))


def watched(name: str) -> tuple[bool, str]:
    """Of an installed framework: whether all that is patched in it is there, and what is recorded
    or what has changed."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return False, "not installed"
    seams = [seam for seam in SEAMS if seam.distribution == name]
    changed = [said_changed(seam, missing) for seam in seams if (missing := _missing(found, seam))]
    if changed:
        return False, "changed: " + "; ".join(dict.fromkeys(changed))
    what = " and ".join(dict.fromkeys(seam.what for seam in seams))
    if name == "mcp":
        return True, "calls of tools as steps; a server over stdio stops a replay, with the reason"
    return True, f"{what} as steps; what its models are asked, as their client is recorded"


def _missing(found: Distribution, seam: Seam) -> list[str]:
    """The targets that the source of this version does not define."""
    tree = _source(found, seam.module)
    if tree is None:
        return list(seam.targets)
    return [target for target in seam.targets if not _defines(tree, target.split("."))]


def _source(found: Distribution, module: str) -> ast.Module | None:
    base = Path(str(found.locate_file(module.replace(".", "/"))))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        try:
            return ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
    return None


def _defines(holder: ast.Module | ast.ClassDef, names: list[str]) -> bool:
    for node in ast.walk(holder) if isinstance(holder, ast.Module) else holder.body:
        if names[0] in _names(node):
            if len(names) == 1:
                return True
            return isinstance(node, ast.ClassDef) and _defines(node, names[1:])
    return False


def _names(node: ast.AST) -> list[str]:
    """What a statement binds."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []
