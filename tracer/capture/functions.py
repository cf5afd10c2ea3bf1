"""What a decorated function asks and gives: arguments by name, results as data."""

import inspect
import traceback
from collections.abc import Callable
from typing import Any

from tracer.capture.rebuild import CannotRebuild, rebuild, return_annotation
from tracer.capture.values import encode
from tracer.model.records import ErrorInfo, Fidelity

_MAX_TRACEBACK = 20_000
_BOUND = ("self", "cls")


class Parameters:
    """Names a function's arguments. The first parameter of a method (`self`) is left out."""

    def __init__(self, function: Callable[..., Any]) -> None:
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

    `exact`: equal when decoded with the function's return annotation; `lossy`: decodable, but
    equality could not be shown; `opaque`: can't be given back.
    """
    data, fidelity = encode(value)
    if fidelity != "lossy":
        return data, fidelity
    try:
        back = rebuild(data, return_annotation(function))
        return data, "exact" if type(back) is type(value) and back == value else "lossy"
    except CannotRebuild:
        return data, "opaque"
    except Exception:  # comparing the user's objects may do anything
        return data, "lossy"


def error_info(error: BaseException) -> ErrorInfo:
    """An exception as data; its traceback keeps its end when it is too long."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
    except Exception:  # a broken __str__ is the agent's business
        message = "<no message>"
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:
        text = ""
    return ErrorInfo(name, message, text[-_MAX_TRACEBACK:])
