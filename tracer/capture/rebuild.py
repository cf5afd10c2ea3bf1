"""Decoding a stored result with the return annotation of the user's current function.

Types come from the user's code, never from the file: a stored object becomes an instance only of
a class that the function itself names in its annotation.
"""

import dataclasses
import enum
import types
import typing
from collections.abc import Callable
from typing import Any

from tracer.capture.values import EnumMember, Fields, Opaque, decode


class CannotRebuild(ValueError):
    """The stored value holds an object that the function's annotation does not explain."""


def return_annotation(function: Callable[..., Any]) -> Any:
    """The resolved return annotation, or None when there is none or it can't be resolved."""
    try:
        return typing.get_type_hints(function).get("return")
    except Exception:  # names only imported for type checkers, and the like
        return None


def rebuild(data: bytes, annotation: Any) -> Any:
    """The value of tagged JSON, its objects rebuilt by `annotation`.

    Raises CannotRebuild when an object has no class in the annotation, or a class that has changed
    so much that it can't be made; ValueError for bad data.
    """
    try:
        return build(decode(data), annotation)
    except CannotRebuild:
        raise
    except Exception as error:  # the user's own classes are called here
        raise CannotRebuild(f"it can't be made again ({type(error).__name__}: {error})") from None


def build(value: Any, hint: Any) -> Any:
    """A decoded value with its objects rebuilt by a type hint. Raises CannotRebuild."""
    if isinstance(value, Opaque):
        raise CannotRebuild(f"a {value.class_name} could not be stored")
    if isinstance(value, Fields):
        return _build_object(value, hint)
    if isinstance(value, EnumMember):
        return _build_enum(value, hint)
    if isinstance(value, list):
        inner = _argument(hint, list, 0)
        return [build(item, inner) for item in value]
    if isinstance(value, set | frozenset):
        inner = _argument(hint, type(value), 0)
        return type(value)(build(item, inner) for item in value)
    if isinstance(value, tuple):
        hints = _arguments(hint, tuple)
        return tuple(
            build(item, hints[0] if len(hints) == 2 and hints[1] is ... else _at(hints, i))
            for i, item in enumerate(value)
        )
    if isinstance(value, dict):
        key_hint, inner = _argument(hint, dict, 0), _argument(hint, dict, 1)
        return {build(key, key_hint): build(item, inner) for key, item in value.items()}
    return value


def _build_enum(value: EnumMember, hint: Any) -> Any:
    for candidate in _candidates(hint):
        if not (isinstance(candidate, type) and issubclass(candidate, enum.Enum)):
            continue
        if candidate.__qualname__ != value.class_name:
            continue
        try:  # combined flags have no name
            return candidate[value.name]
        except KeyError:
            return candidate(value.value)
    raise CannotRebuild(f"the enum {value.class_name} is not in the function's annotation")


def _build_object(value: Fields, hint: Any) -> Any:
    for candidate in _candidates(hint):
        if not isinstance(candidate, type) or candidate.__qualname__ != value.class_name:
            continue
        hints = _field_hints(candidate)
        built = {name: build(item, hints.get(name)) for name, item in value.fields.items()}
        if dataclasses.is_dataclass(candidate):
            return _make_dataclass(candidate, built)
        if issubclass(candidate, tuple):
            return candidate(**built)
        if hasattr(candidate, "model_construct"):
            given = set(built) if value.given is None else set(value.given)
            return candidate.model_construct(_fields_set=given, **built)
    raise CannotRebuild(
        f"it holds a {value.class_name}, which the function's annotation does not name"
    )


def _make_dataclass(cls: type, values: dict[str, Any]) -> Any:
    # Field by field, not through __init__: what the constructor computes was already computed.
    made: Any = object.__new__(cls)
    for name, item in values.items():
        object.__setattr__(made, name, item)
    return made


def _field_hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except Exception:  # unresolvable forward references: fields then keep plain values
        return {}


def _candidates(hint: Any) -> list[Any]:
    """The classes a hint allows: members of unions, the inside of Annotated."""
    origin = typing.get_origin(hint)
    if origin is typing.Union or origin is types.UnionType:
        return [c for member in typing.get_args(hint) for c in _candidates(member)]
    if origin is typing.Annotated:
        return _candidates(typing.get_args(hint)[0])
    return [hint]


def _arguments(hint: Any, kind: type) -> tuple[Any, ...]:
    for candidate in _candidates(hint):
        origin = typing.get_origin(candidate)
        if isinstance(origin, type) and (issubclass(origin, kind) or issubclass(kind, origin)):
            return typing.get_args(candidate)
        if kind is list and isinstance(origin, type) and typing.get_args(candidate):
            return (typing.get_args(candidate)[0],)  # Iterator[X], Generator[X, ...], Sequence[X]
    return ()


def _argument(hint: Any, kind: type, index: int) -> Any:
    return _at(_arguments(hint, kind), index)


def _at(hints: tuple[Any, ...], index: int) -> Any:
    return hints[index] if index < len(hints) else None
