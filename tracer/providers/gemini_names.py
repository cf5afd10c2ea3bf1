"""Keys of Google's JSON: lowerCamelCase on the wire, snake_case where people and proxies write it.

Google's servers read both. Everything here is given the first spelling and finds either.
"""

import re
from functools import cache
from typing import Any

from tracer.providers.jsontext import JsonObject

_HUMP = re.compile(r"(?=[A-Z])")


@cache
def _snake(name: str) -> str:
    return _HUMP.sub("_", name).lower()


def named(source: JsonObject, name: str) -> str:
    """The spelling of `name` that `source` uses; `name` where it uses none."""
    other = _snake(name)
    return other if other in source and name not in source else name


def get(source: JsonObject, name: str) -> Any:
    """What stands under `name`, None when nothing does."""
    return source.get(named(source, name))


def drop(source: JsonObject, *names: str) -> JsonObject:
    """A copy of `source` that lacks `names` in either spelling."""
    dropped = {spelling for name in names for spelling in (name, _snake(name))}
    return {key: value for key, value in source.items() if key not in dropped}


def many(value: Any) -> list[Any]:
    """A repeated field: Google's servers read one object as a list of one."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict | str) else []
