"""What the user wants removed beyond what tracer knows: names of fields, functions of their own.

`tracer.init(redact=…)` and TRACER_REDACT say it for everything, `@tracer.tool(redact=…)` for the
calls of one function, wherever a model asks for them.
"""

import inspect
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from tracer.capture.guard import announce
from tracer.core.jsonspans import Scalar
from tracer.errors import UsageError

Redact = Callable[..., str]
RESULT = "result"  # what a function returns
EVERY = "*"  # each text and number of a document
Calls = Sequence[tuple[Any, tuple[str, ...]]]  # arguments of tool calls, names secret in them
_ARGUMENTS = frozenset({"arguments", "input", "args", "parameters"})  # where calls have them
_PLACES = ("place", "where", "kind")


@dataclass(frozen=True, slots=True)
class Wishes:
    """`names` of JSON fields (lower case, dotted for a place), `calls` that get each text.

    `forms`: whether what looks like a well-known key is removed.
    """

    names: tuple[str, ...] = ()
    calls: tuple["Callable[[str, str], str]", ...] = ()
    forms: bool = True

    @property
    def fields(self) -> tuple[str, ...]:
        """The names without the places before them."""
        return tuple(dict.fromkeys(name.rpartition(".")[2] for name in self.names))


NOTHING = Wishes()


def wishes(given: Any) -> Wishes:
    """What `redact=` says: a function, names, both in a sequence, or False. Raises UsageError."""
    if isinstance(given, bool):
        return Wishes(forms=given)
    if isinstance(given, str):
        return _of_words(given)
    items: list[Any] = list(given) if isinstance(given, Iterable) else [given]
    names: list[str] = []
    calls: list[Callable[[str, str], str]] = []
    for item in items:
        if isinstance(item, str):
            names.append(item.lower())
        elif callable(item):
            calls.append(_adapted(item))
        else:
            raise UsageError(
                f"redact={item!r}: give a function of a text, names of fields, or False"
            )
    return Wishes(tuple(names), tuple(calls))


def _of_words(text: str) -> Wishes:
    """TRACER_REDACT: names and `module:function`, comma separated; `off` for no forms."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    names = tuple(word.lower() for word in words if ":" not in word and word != "off")
    calls = tuple(_Named(word) for word in words if ":" in word)
    return Wishes(names, calls, "off" not in words)


class _Named:
    """A function that is loaded when it is first needed, because its module may be the program's
    own. One that can't be loaded lets nothing through: who asked for it has something to hide."""

    def __init__(self, word: str) -> None:
        self._word = word
        self._call: Callable[[str, str], str] | None = None

    def __call__(self, text: str, place: str) -> str:
        if self._call is None:
            module, _, name = self._word.partition(":")
            found: Any = import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
            self._call = _adapted(found)
        return self._call(text, place)


def _adapted(function: Redact) -> Callable[[str, str], str]:
    """The function as one of text and place; it is told the place if it asks for it."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some builtins have none
        parameters = []
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    second = positional[1] if len(positional) > 1 else None
    if second is not None and (second.default is second.empty or second.name in _PLACES):
        return function
    return lambda text, place: function(text)


def called(call: Callable[[str, str], str], text: str, place: str) -> str | None:
    """What a user's function makes of a text; None where it fails, which is said once."""
    try:
        made: object = call(text, place)
        if isinstance(made, str):
            return made
        fault = f"returned {type(made).__name__}, not str"
    except Exception as error:  # its text may hold the very secret
        fault = f"raised {type(error).__name__}"
    announce(
        "redact",
        f"tracer: the redact function {fault}; what it failed on is stored as redacted: mend it",
    )
    return None


@dataclass(slots=True)
class _Registry:
    """Names by tool, agent or step, as their decorators say."""

    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    every: tuple[str, ...] = ()  # all of them, the last word of each


_registry = _Registry()


def register(function: str, names: Any) -> None:
    """What is secret in the calls of a function. Raises UsageError for what is no name."""
    if not names:
        return
    given = (names,) if isinstance(names, str) else tuple(names)
    if not all(isinstance(name, str) and name for name in given):
        raise UsageError(f"redact={names!r}: give names of parameters, or 'result'")
    lower = tuple(name.lower() for name in given)
    _registry.names[function] = tuple(dict.fromkeys((*_registry.names.get(function, ()), *lower)))
    every = {name.rpartition(".")[2] for names in _registry.names.values() for name in names}
    _registry.every = tuple(every - {RESULT})


def names_of(function: str) -> tuple[str, ...]:
    """What is secret in the calls of a function of that name."""
    return _registry.names.get(function, ())


def all_names() -> tuple[str, ...]:
    """The last words of the names of all functions."""
    return _registry.every


def functions() -> dict[str, tuple[str, ...]]:
    """All functions with secret parameters."""
    return _registry.names


def matches(path: Sequence[str | int], names: Sequence[str]) -> bool:
    """Whether a place in a JSON document has one of the names, or stands inside what has."""
    if not names:
        return False
    if EVERY in names:
        return True
    steps = [step.lower() for step in path if isinstance(step, str)]
    for name in names:
        if "." not in name:
            if name in steps:
                return True
            continue
        parts = name.split(".")
        shown = [step for step in steps if step != "v"]  # what tags of stored values add
        count = len(parts)
        if any(shown[at : at + count] == parts for at in range(len(shown) - count + 1)):
            return True
    return False


def names_of_arguments(data: bytes, calls: Calls) -> tuple[str, ...]:
    """What is secret in a document that is the arguments of one of these tool calls."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return ()
    return tuple(name for arguments, names in calls if arguments == value for name in names)


def calls_in(found: list[Scalar]) -> dict[tuple[str | int, ...], tuple[str, ...]]:
    """Where a document has calls of tools with secret parameters, by the place of the call."""
    known = _registry.names
    if not known:
        return {}
    return {
        scalar.path[:-1]: known[scalar.text]
        for scalar in found
        if scalar.quoted and scalar.path[-1:] == ("name",) and scalar.text in known
    }


def names_at(
    path: tuple[str | int, ...], inside: dict[tuple[str | int, ...], tuple[str, ...]]
) -> tuple[str, ...]:
    """What is secret at a place in a document with these calls."""
    for at in range(len(path)):
        names = inside.get(path[:at])
        if names is not None and path[at] in _ARGUMENTS:
            return names
    return ()
