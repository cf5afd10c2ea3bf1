"""What `@tracer.tool(validate=True, idempotency_key=...)` adds to a tool."""

import functools
import inspect
import typing
from collections.abc import Callable, Hashable
from typing import Any

from tracer.capture.functions import Parameters
from tracer.errors import TracerError, UsageError

Key = str | tuple[str, ...] | Callable[..., Hashable]


class ToolArgumentError(TracerError, TypeError):
    """Raised in the agent by a tool with `validate=True` that was given the wrong types."""


def make_key(given: Key, parameters: Parameters) -> Callable[[dict[str, Any]], Hashable]:
    """The function that gives a call's idempotency key from its arguments by name.

    `given` is a parameter's name, several names, or a function of the arguments.
    """
    if callable(given):
        return lambda named: given(**named)
    names = (given,) if isinstance(given, str) else tuple(given)
    unknown = [name for name in names if not parameters.has(name)]
    if unknown:
        raise UsageError(
            f"idempotency_key={unknown[0]!r} is no parameter of the tool: name one of "
            f"{', '.join(parameters.names)}"
        )
    return lambda named: tuple(repr(named.get(name)) for name in names)


def validated(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its arguments checked against its annotations before it runs.

    Nothing is converted: what doesn't fit raises ToolArgumentError, which names the argument.
    """
    check = _Checker(function)
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def stream(*args: Any, **kwargs: Any) -> Any:
            check(args, kwargs)
            async for item in function(*args, **kwargs):
                yield item

        return stream
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            check(args, kwargs)
            return await function(*args, **kwargs)

        return awaited
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generated(*args: Any, **kwargs: Any) -> Any:
            check(args, kwargs)
            return (yield from function(*args, **kwargs))

        return generated

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        check(args, kwargs)
        return function(*args, **kwargs)

    return called


class _Checker:
    """Checks calls of one function. Its adapters are made at the first call, when all names that
    annotations mention exist."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._parameters = Parameters(function)
        self._adapters: dict[str, Any] | None = None

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._adapters is None:
            self._adapters = self._make_adapters()
        name = self._function.__name__
        for argument, value in self._parameters.by_name(args, kwargs).items():
            adapter = self._adapters.get(argument)
            if adapter is None:
                continue
            try:
                adapter.validate_python(value, strict=True)
            except ValueError as error:
                said = str(error).splitlines()[1:2] or [str(error)]
                shown = repr(value)[:80]
                raise ToolArgumentError(
                    f"{name}: argument {argument}={shown} does not fit: {said[0].strip()}"
                ) from None

    def _make_adapters(self) -> dict[str, Any]:
        from pydantic import TypeAdapter  # costs 0.1 s; only tools that ask for it pay

        hints = typing.get_type_hints(self._function)
        hints.pop("return", None)
        return {name: TypeAdapter(hint) for name, hint in hints.items()}
