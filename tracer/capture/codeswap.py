"""Exchanges the code of a function: every reference to it then runs the other code."""

import inspect
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

_PLACE = "\0tracer: what is called instead"
_TARGET = "_tracer_target_"
_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Unwatchable(ValueError):
    """A function whose code can't be exchanged."""


def twin_of(function: FunctionType) -> FunctionType:
    """A function with the same code, closure and looks."""
    twin = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    twin.__qualname__ = function.__qualname__
    twin.__module__ = function.__module__
    twin.__doc__ = function.__doc__
    twin.__annotations__ = function.__annotations__
    vars(twin).update(vars(function))
    return twin


def trampoline(code: CodeType, call: Callable[..., Any]) -> CodeType:
    """Code with the signature and kind of `code` that hands its arguments to `call`."""
    signature, arguments = _parameters(code)
    called = f"{_TARGET}({arguments})"
    free = code.co_freevars
    lines = ["def outer():"]
    lines += [f" {name} = None" for name in free]
    kind = "async def" if code.co_flags & _ASYNC else "def"
    # Free variables must be as many as before; naming them where nothing runs is enough.
    named = f"if 0: ({', '.join(free)},)\n  " if free else ""
    lines.append(f" {kind} inner({signature}):\n  {named}{_TARGET} = {_PLACE!r}")
    lines.append(f"  {_body(code, called)}")
    module = compile("\n".join(lines), code.co_filename, "exec", dont_inherit=True)
    made = _inner(_inner(module, "outer"), "inner")
    if len(made.co_freevars) != len(free):
        raise Unwatchable(f"its closure has {len(free)} variables")
    return made.replace(
        co_consts=tuple(call if value == _PLACE else value for value in made.co_consts),
        co_name=code.co_name,
        co_qualname=code.co_qualname,
        co_firstlineno=code.co_firstlineno,
        co_freevars=free,
    )


def _body(code: CodeType, called: str) -> str:
    if code.co_flags & inspect.CO_ASYNC_GENERATOR:
        return (
            f"{_TARGET} = {called}\n  try:\n   async for _tracer_item_ in {_TARGET}:\n"
            f"    yield _tracer_item_\n  finally:\n   await {_TARGET}.aclose()"
        )
    if code.co_flags & inspect.CO_GENERATOR:
        return f"return (yield from {called})"
    return f"return {'await ' if code.co_flags & inspect.CO_COROUTINE else ''}{called}"


def _parameters(code: CodeType) -> tuple[str, str]:
    """The parameter list of a function, and the same names as arguments of a call."""
    names = list(code.co_varnames)
    positional = names[: code.co_argcount]
    keyword = names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    at = code.co_argcount + code.co_kwonlyargcount
    signature, arguments = positional[:], positional[:]
    if code.co_posonlyargcount:
        signature.insert(code.co_posonlyargcount, "/")
    if code.co_flags & inspect.CO_VARARGS:
        signature.append(f"*{names[at]}")
        arguments.append(f"*{names[at]}")
        at += 1
    elif keyword:
        signature.append("*")
    signature += keyword
    arguments += [f"{name}={name}" for name in keyword]
    if code.co_flags & inspect.CO_VARKEYWORDS:
        signature.append(f"**{names[at]}")
        arguments.append(f"**{names[at]}")
    return ", ".join(signature), ", ".join(arguments)


def _inner(code: CodeType, name: str) -> CodeType:
    return next(
        value for value in code.co_consts if isinstance(value, CodeType) and value.co_name == name
    )
