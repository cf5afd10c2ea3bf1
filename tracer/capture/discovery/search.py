"""Finds functions of the user's own code by the names of tools."""

import gc
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from types import FunctionType, ModuleType
from typing import Any

from tracer.capture.callsite import is_user_file
from tracer.capture.discovery.trampoline import is_ours

_MOST_SCANS = 3  # of all objects, for one name: closures are found nowhere else
_MOST_ENTRIES = 1000
_scans: dict[str, int] = {}
_foreign: dict[str, int] = {}  # by name, the identity of modules that are not the user's


def functions_called(names: Collection[str]) -> dict[str, list[FunctionType]]:
    """By name: the functions of user code that a tool of that name may mean, each once, outermost
    wrapper only. All names are looked for in one pass: a model may be offered many.
    """
    found: dict[str, dict[int, FunctionType]] = {name: {} for name in names}
    for name, function in _in_modules(found.keys()):
        found[name][id(function)] = function
    missing = {name for name in names if not found[name] and _scans.get(name, 0) < _MOST_SCANS}
    for name in missing:
        _scans[name] = _scans.get(name, 0) + 1
    for name, function in _anywhere(missing) if missing else ():
        found[name][id(function)] = function
    return {name: _outermost(functions) for name, functions in found.items()}


def _outermost(found: dict[int, FunctionType]) -> list[FunctionType]:
    wrapped = {key: list(_wrapped_by(function)) for key, function in found.items()}
    inner = {id(one) for below in wrapped.values() for one in below}
    return [
        function
        for key, function in found.items()
        if key not in inner and not any(map(is_ours, wrapped[key]))
    ]


def function_named(module: str, path: str) -> FunctionType | None:
    """The function at a dotted path of a loaded module, None while there is none."""
    value: Any = sys.modules.get(module)
    for part in path.split("."):
        value = getattr(value, part, None)
    return _plain(value)


def described(function: FunctionType) -> str:
    """Where a function stands: "agent.py:12"."""
    code = function.__code__
    return f"{code.co_filename.rpartition('/')[2]}:{code.co_firstlineno}"


def _plain(value: Any) -> FunctionType | None:
    """The function behind a method, staticmethod or classmethod, when it is the user's."""
    inner: object = getattr(value, "__func__", value)
    if not isinstance(inner, FunctionType):
        return None
    if not is_user_file(inner.__code__.co_filename):
        return None
    return None if is_ours(inner) else inner


def _in_modules(names: Set[str]) -> Iterator[tuple[str, FunctionType]]:
    modules: list[tuple[str, object]] = list(sys.modules.items())  # which may hold anything
    for name, module in modules:
        if _foreign.get(name) == id(module):
            continue
        if not isinstance(module, ModuleType) or not _is_users(module):
            if name != "__main__":  # which may yet become a script
                _foreign[name] = id(module)
            continue
        for key, value in list(vars(module).items()):
            others = names
            if key in names:
                yield from _functions({key: value}, (key,))
                others = names - {key}
            if issubclass(type(value), type):
                # A class is looked at where it was made, not where it was imported; and without
                # asking it, because a metaclass may have its own way of answering.
                table = type.__getattribute__(value, "__dict__")
                if table.get("__module__") == module.__name__:
                    yield from _functions(table, others & table.keys())
            elif type(value) is dict and len(value) <= _MOST_ENTRIES:
                yield from _functions(value, others & value.keys())


def _functions(
    table: Mapping[str, Any], names: Iterable[str]
) -> Iterator[tuple[str, FunctionType]]:
    for name in names:
        function = _plain(table.get(name))
        if function is not None:
            yield name, function


def _is_users(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and is_user_file(file)


def _anywhere(names: Set[str]) -> Iterator[tuple[str, FunctionType]]:
    """Functions made inside functions: no module holds them."""
    for value in gc.get_objects():
        if type(value) is FunctionType and value.__name__ in names:
            yield from _functions({value.__name__: value}, (value.__name__,))


def _wrapped_by(function: FunctionType) -> Iterator[Any]:
    """What decorators that follow the custom (`functools.wraps`) put around."""
    seen: set[int] = set()
    wrapped: Any = vars(function).get("__wrapped__")
    while wrapped is not None and id(wrapped) not in seen:
        seen.add(id(wrapped))
        yield wrapped
        attributes = getattr(wrapped, "__dict__", {})
        wrapped = attributes.get("__wrapped__") if isinstance(attributes, Mapping) else None
