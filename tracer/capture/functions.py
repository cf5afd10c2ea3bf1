"""What a decorated function asks and gives: arguments by name, results as data."""

import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from tracer.capture.rebuild import rebuild, return_annotation
from tracer.capture.values import Encoded, encode_whole
from tracer.core.records import Fidelity

_BOUND = ("self", "cls")


class Parameters:
    """Names a function's arguments. The first parameter of a method (`self`) is left out."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        try:
            self._signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):  # builtins without a signature
            self._signature = None
        names = list(self._signature.parameters) if self._signature is not None else []
        in_class = "." in getattr(function, "__qualname__", "").rpartition("<locals>.")[2]
        self._skip = names[0] if in_class and names and names[0] in _BOUND else None
        kinds = self._signature.parameters.values() if self._signature is not None else ()
        self._simple = self._signature is not None and all(
            p.kind is p.POSITIONAL_OR_KEYWORD for p in kinds
        )
        self._names = names

    @property
    def bound(self) -> str | None:
        """`self` or `cls` where that is the first parameter of a method."""
        return self._skip

    @property
    def names(self) -> list[str]:
        return [name for name in self._names if name != self._skip]

    def has(self, name: str) -> bool:
        return name in self.names

    def by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments given, by parameter name; a wrong call keeps what it has."""
        if self._simple and len(args) <= len(self._names):
            named = dict(zip(self._names, args, strict=False)) | kwargs
        elif self._signature is None:
            named = {f"arg{index}": value for index, value in enumerate(args)} | kwargs
        else:
            try:
                named = dict(self._signature.bind(*args, **kwargs).arguments)
            except TypeError:  # the function itself will complain, better than we could
                named = {f"arg{index}": value for index, value in enumerate(args)} | kwargs
        if self._skip is not None:
            named.pop(self._skip, None)
        return named

    def hints(self) -> dict[str, Any]:
        """The type of each argument as `by_name` gives it, where the annotations resolve."""
        try:
            found = typing.get_type_hints(self._function)
        except Exception:  # names only imported for type checkers, and the like
            return {}
        for name, parameter in (self._signature.parameters if self._signature else {}).items():
            hint: Any = found.get(name)
            if hint is not None and parameter.kind is parameter.VAR_POSITIONAL:
                found[name] = types.GenericAlias(tuple, (hint, ...))
            elif hint is not None and parameter.kind is parameter.VAR_KEYWORD:
                found[name] = types.GenericAlias(dict, (str, hint))
        return found

    def to_call(self, named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments by name back into a call. Raises TypeError when they don't fit any more."""
        if self._signature is None:
            return tuple(named.values()), {}
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for name, parameter in self._signature.parameters.items():
            if name not in named:
                continue
            value = named[name]
            if parameter.kind is parameter.VAR_POSITIONAL:
                args.extend(value)
            elif parameter.kind is parameter.VAR_KEYWORD:
                kwargs.update(value)
            elif parameter.kind is parameter.POSITIONAL_ONLY or (
                parameter.kind is parameter.POSITIONAL_OR_KEYWORD and not kwargs
            ):
                args.append(value)
            else:
                kwargs[name] = value
        unknown = [n for n in named if n not in self._signature.parameters]
        if unknown:
            raise TypeError(f"there is no parameter {unknown[0]!r} any more")
        return tuple(args), kwargs


def encode_result(value: Any, function: Callable[..., Any]) -> tuple[bytes, Fidelity]:
    """A result as tagged JSON, and how faithfully it can be given back.

    `exact`: the same when decoded with the function's return annotation; `lossy`: something comes
    back as its base class; `opaque`: can't be given back.
    """
    made = encode_whole(value)
    return made.data, fidelity_of(made, lambda: return_annotation(function))


def fidelity_of(made: Encoded, hint: Callable[[], Any]) -> Fidelity:
    """Whether what was encoded can be given back by a type hint: it is tried."""
    if made.fidelity != "lossy":
        return made.fidelity
    try:
        back = rebuild(made.data, hint())
    except ValueError:
        return "opaque"
    if encode_whole(back).data != made.data:  # a field was lost on the way
        return "opaque"
    return "lossy" if made.degraded else "exact"
