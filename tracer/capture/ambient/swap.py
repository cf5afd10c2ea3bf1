"""Functions written in C, switched over to functions of ours in place.

`time.time` stays the very object it is, so every reference to it is switched, also one imported
long before (`from time import time`), and it still prints, compares and pickles as it did. The
object's method table is exchanged for one that says "call what you are bound to", and what it is
bound to is a stand-in of ours: CPython's own `PyObject_Call` is such a method. Nothing of this is
compiled, and an exception passes as from any other function.
"""

import ctypes
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, ModuleType
from typing import Any

_VARARGS_KEYWORDS = 0x0001 | 0x0002
_HEAD = object.__basicsize__
_api = ctypes.pythonapi
# By item, because attributes of `pythonapi` are shared with whoever else uses them.
_increment = _api["Py_IncRef"]
_increment.argtypes, _increment.restype = [ctypes.py_object], None
_new = _api["PyCFunction_NewEx"]
_new.argtypes, _new.restype = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p], ctypes.py_object
_CALL = ctypes.cast(_api["PyObject_Call"], ctypes.c_void_p).value


class _Table(ctypes.Structure):
    """PyMethodDef."""

    name: Any
    flags: int
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("method", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_void_p),
    )


# What follows the head of a PyCFunctionObject: table, self, module, weak references, vectorcall.
_Words = ctypes.c_void_p * 5


class Unswitchable(TypeError):
    """A function, or an interpreter, that is built otherwise than expected."""


def supported() -> bool:
    """Whether this interpreter is built as expected: CPython with its global lock."""
    with_lock: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return sys.implementation.name == "cpython" and with_lock()


class Builtin:
    """A function written in C that can be switched over to `stand_in`, and back.

    `real` is a function of its own that goes on doing what the original does. Raises Unswitchable.
    """

    def __init__(self, function: BuiltinFunctionType, stand_in: object) -> None:
        self._function = function  # kept alive: its memory is written to
        self._words = _words_of(function)
        before = list(self._words)
        self.real: Any = _new(before[0], function.__self__, before[2])
        table = _table_like(_Table.from_address(before[0]))
        _for_ever(stand_in)
        self._before = before[0], before[1], before[4]
        self._after = ctypes.addressof(table), id(stand_in), None

    def on(self) -> None:
        """Calls go to the stand-in from now on."""
        self._write(self._after)

    def off(self) -> None:
        """And to the original again."""
        self._write(self._before)

    def _write(self, given: tuple[int | None, int | None, int | None]) -> None:
        table, bound, vectorcall = given
        words = self._words
        # In one go, so that no thread finds it half done: the lock isn't given up in between.
        words[:] = [table, bound, words[2], words[3], vectorcall]


def bound(function: BuiltinFunctionType, stand_in: object) -> BuiltinFunctionType:
    """A function that looks like `function`, and calls `stand_in`. Raises Unswitchable."""
    words = _words_of(function)
    table = _table_like(_Table.from_address(words[0]))
    made: BuiltinFunctionType = _new(ctypes.addressof(table), stand_in, None)
    return made


def stand_in_for(module: ModuleType, call: Callable[..., Any]) -> ModuleType:
    """What a module's function is bound to instead of the module: `call(self, ...)` is called."""
    # A module, because functions print and pickle by it.
    members = {"__call__": call, "__getattr__": lambda _, name: getattr(module, name)}
    made: ModuleType = type("module", (ModuleType,), members)(module.__name__)
    return made


def _words_of(function: BuiltinFunctionType) -> Any:
    if not supported() or type(function) is not BuiltinFunctionType:
        raise Unswitchable(f"{function!r} is no function of CPython's")
    words = _Words.from_address(id(function) + _HEAD)
    if words[1] != id(function.__self__) or not words[0]:
        raise Unswitchable(f"{function!r} is laid out otherwise")
    name = _Table.from_address(words[0]).name
    if not name or ctypes.string_at(name) != function.__name__.encode():
        raise Unswitchable(f"{function!r} has another table")
    return words


def _table_like(original: _Table) -> _Table:
    table = _Table()
    table.name, table.doc = original.name, original.doc
    table.method, table.flags = _CALL, _VARARGS_KEYWORDS
    _for_ever(table)
    return table


def _for_ever(kept: object) -> None:
    """Never freed: the interpreter may call it while it takes itself apart."""
    _increment(kept)
