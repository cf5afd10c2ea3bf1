"""A call with other arguments than its code gave, as somebody chose in a re-execution.

What was not touched stays the very object it was; the rest is made of JSON, in the class of what
was there. Of a framework's method the arguments of the tool are looked for among its own.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tracer.capture.calls import Call
from tracer.capture.functions import Parameters
from tracer.capture.rebuild import CannotRebuild, build
from tracer.capture.values import decode, encode_whole, plain

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Editor = Callable[[dict[str, Any], list[str]], None]
_OTHERWISE = "answer in its place instead"


def editor(
    call: Call,
    parameters: Parameters,
    named: Mapping[str, Any],
    given: Arguments,
    method: Arguments | None,
) -> Editor | None:
    """What changes the arguments of a function's call, `named`; None where they can't be.

    `given`: what it was called with; `method`: what a framework's method was, instead.
    """
    if call.document is not None or call.kind not in ("tool", "step"):
        return None
    if method is not None and not _is_found(named, method):
        return None

    def edit(changes: dict[str, Any], removed: list[str]) -> None:
        hints = parameters.hints()
        made = {
            name: _value(name, value, named.get(name), hints.get(name))
            for name, value in changes.items()
        }
        if method is not None:
            call.edited = _in_method(named, made, removed, method)
        else:
            call.edited = _to_call(parameters, named, made, removed, given)
        kept = {name: value for name, value in named.items() if name not in removed}
        call.given = encode_whole(kept | made)

    return edit


def _value(name: str, value: Any, before: Any, hint: Any) -> Any:
    """A value of JSON, in the class of what it takes the place of. Raises ValueError."""
    data = encode_whole(before).data
    tree = json.loads(data)
    tagged = isinstance(tree, dict) and "$t" in tree
    if not tagged and plain(data) == tree:
        return value
    if type(before) in (tuple, set, frozenset) and isinstance(value, list):
        items = json.loads(encode_whole([*before]).data)
        if plain(json.dumps(items).encode()) == items:  # of plain data itself
            made: Any = type(before)(value)
            return made
    try:
        if not (tagged and tree.get("$t") == "object" and isinstance(value, dict)):
            raise CannotRebuild("only whole objects and plain data can be edited")
        old = plain(data)
        fields = {key: item for key, item in value.items() if old.get(key, _OTHERWISE) != item}
        tree["v"] = {**tree["v"], **json.loads(encode_whole(fields).data)}
        return build(decode(json.dumps(tree).encode()), type(before) if hint is None else hint)
    except (CannotRebuild, TypeError, AttributeError) as error:
        kind = type(before).__name__
        raise ValueError(
            f"{name} is a {kind}, which can't be made of JSON ({error}): {_OTHERWISE}"
        ) from None


def _to_call(
    parameters: Parameters,
    named: Mapping[str, Any],
    made: Mapping[str, Any],
    removed: list[str],
    given: Arguments,
) -> Arguments:
    all_named = {name: value for name, value in named.items() if name not in removed} | dict(made)
    args, kwargs = given
    bound = parameters.bound
    if bound is not None:
        all_named[bound] = args[0] if args else kwargs[bound]
    try:
        return parameters.to_call(all_named)
    except TypeError as error:
        raise ValueError(f"{error}: name parameters of the function") from None


def _is_found(named: Mapping[str, Any], method: Arguments) -> bool:
    """Whether a tool's arguments stand somewhere in those of the method that runs it."""
    args, kwargs = method
    if any(_holds(value, named) for value in (*args, *kwargs.values())):
        return True
    return all(name in kwargs or _place(value, args) is not None for name, value in named.items())


def _in_method(
    named: Mapping[str, Any], made: Mapping[str, Any], removed: list[str], method: Arguments
) -> Arguments:
    """The method's arguments with the tool's changed in them."""
    args, kwargs = method
    whole = {name: value for name, value in named.items() if name not in removed} | dict(made)
    if any(_holds(value, named) for value in (*args, *kwargs.values())):
        changed = tuple(_with(value, named, whole) for value in args)
        return changed, {key: _with(value, named, whole) for key, value in kwargs.items()}
    listed, words = list(args), dict(kwargs)
    for name in removed:
        if name not in words:
            raise ValueError(f"{name} can't be left out here: {_OTHERWISE}")
        del words[name]
    for name, value in made.items():
        place = None if name in words or name not in named else _place(named[name], args)
        if place is None:
            words[name] = value
        else:
            listed[place] = value
    return tuple(listed), words


def _holds(value: Any, named: Mapping[str, Any]) -> bool:
    """Whether this is a tool's arguments, all of them: as an object, or as its JSON text."""
    if isinstance(value, str):
        if not value.lstrip().startswith("{"):
            return False
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return False
    return isinstance(value, dict) and value == named


def _with(value: Any, named: Mapping[str, Any], whole: dict[str, Any]) -> Any:
    if not _holds(value, named):
        return value
    return json.dumps(whole, ensure_ascii=False) if isinstance(value, str) else dict(whole)


def _place(value: Any, args: tuple[Any, ...]) -> int | None:
    """Where a value stands among positional arguments; None where it does not, or twice."""
    places = [index for index, item in enumerate(args) if item is value]
    return places[0] if len(places) == 1 else None
