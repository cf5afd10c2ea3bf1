"""Tolerant JSON for hostile bodies: nothing read here can exhaust the stack when walked or written.

Endless nesting, giant numbers, NaN, lone surrogates and bytes that are no JSON come back as "not
readable" or as None, never as an exception of another kind than ValueError.
"""

import json
import math
from typing import Any

JsonObject = dict[str, Any]

MAX_DEPTH = 100


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _strictly_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("beyond the range of a number")
    return number


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for holder in level
            for child in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(child, dict | list)
        ]
        if not level:
            return True
    return False


# Made once: json.loads and json.dumps make one a call when given options.
_LENIENT = json.JSONDecoder(parse_float=_finite, parse_constant=lambda _: None)
_STRICT = json.JSONDecoder(parse_float=_strictly_finite, parse_constant=_no_constant)
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
_ASCII = json.JSONEncoder(separators=(",", ":"), default=str)
_SORTED = json.JSONEncoder(sort_keys=True, default=str)


def loads(data: bytes | str, *, strict: bool = False) -> Any:
    """The JSON value of `data`; NaN and infinities are read as None, or refused when `strict`.

    Raises ValueError for what can't be read, which includes nesting beyond `MAX_DEPTH`: whoever
    walks or writes the value again must not run out of stack.
    """
    try:
        text = data if isinstance(data, str) else data.decode(json.detect_encoding(data))
        value = (_STRICT if strict else _LENIENT).decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if isinstance(value, dict | list) and not _is_surely_shallow(text) and not _is_shallow(value):
        raise ValueError("nested too deeply")
    return value


def loads_at(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins at `start` of `text`, and the place behind it.

    Raises ValueError as `loads` does.
    """
    try:
        value, end = _LENIENT.raw_decode(text, start)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if isinstance(value, dict | list) and not _is_shallow(value):
        raise ValueError("nested too deeply")
    return value, end


def _is_surely_shallow(text: str) -> bool:
    return text.count("{") + text.count("[") <= MAX_DEPTH


def load_object(data: bytes | str) -> JsonObject | None:
    """The JSON object of `data`, None when it is none."""
    try:
        value = loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def dumps(value: Any) -> str:
    """Compact JSON, with characters outside ASCII as they are wherever UTF-8 can hold them."""
    text = _COMPACT.encode(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, legal in JSON as an escape
        return _ASCII.encode(value)
    return text


def canonical(value: Any) -> str:
    """Text that two values share exactly when they are the same JSON, whatever the key order."""
    return _SORTED.encode(value)


def same_json(left: Any, right: Any) -> bool:
    """Equality as JSON: unlike in Python, 1, 1.0 and true differ."""
    return canonical(left) == canonical(right)


def parse_arguments(raw: Any) -> Any:
    """Tool-call arguments as data: parsed where the text is JSON other than a string, else raw."""
    if not isinstance(raw, str):
        return raw
    try:
        value = loads(raw, strict=True)
    except ValueError:
        return raw
    return raw if isinstance(value, str) else value


def arguments_text(arguments: Any) -> str:
    """The wire text of tool-call arguments; text is passed on as it is, broken JSON included."""
    return arguments if isinstance(arguments, str) else dumps(arguments)


def as_dict(value: Any) -> JsonObject:
    """`value` when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """`value` when it is a list, else an empty one."""
    return value if isinstance(value, list) else []
