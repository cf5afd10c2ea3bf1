"""Finds a function of the user's own code by the name of a tool."""

import gc
import sys
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from tracer.capture.callsite import is_user_file
from tracer.capture.discovery.trampoline import is_ours

_MOST_SCANS = 3  # of all objects, for one name: closures are found nowhere else
_MOST_ENTRIES = 1000
_scans: dict[str, int] = {}


def functions_called(name: str) -> list[FunctionType]:
    """The functions of user code that a tool's name may mean, each once, outermost wrapper only."""
    found = {id(function): function for function in _in_modules(name)}
    if not found and _scans.get(name, 0) < _MOST_SCANS:
        _scans[name] = _scans.get(name, 0) + 1
        found = {id(function): function for function in _anywhere(name)}
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


def _in_modules(name: str) -> Iterator[FunctionType]:
    modules: list[object] = list(sys.modules.values())  # a program may put anything there
    for module in modules:
        if not isinstance(module, ModuleType) or not _is_users(module):
            continue
        for key, value in list(vars(module).items()):
            function = _plain(value) if key == name else _inside(value, name, module)
            if function is not None:
                yield function


def _inside(value: Any, name: str, module: ModuleType) -> FunctionType | None:
    """A method of a class of this module, or what a table gives for this name."""
    if isinstance(value, type):
        return _plain(vars(value).get(name)) if value.__module__ == module.__name__ else None
    if type(value) is dict and len(value) <= _MOST_ENTRIES and name in value:
        return _plain(value[name])
    return None


def _is_users(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and is_user_file(file)


def _anywhere(name: str) -> Iterator[FunctionType]:
    """Functions made inside functions: no module holds them."""
    for value in gc.get_objects():
        if type(value) is FunctionType and value.__name__ == name:
            function = _plain(value)
            if function is not None:
                yield function


def _wrapped_by(function: FunctionType) -> Iterator[Any]:
    """What decorators that follow the custom (`functools.wraps`) put around."""
    seen: set[int] = set()
    wrapped: Any = vars(function).get("__wrapped__")
    while wrapped is not None and id(wrapped) not in seen:
        seen.add(id(wrapped))
        yield wrapped
        attributes = getattr(wrapped, "__dict__", {})
        wrapped = attributes.get("__wrapped__") if isinstance(attributes, Mapping) else None
