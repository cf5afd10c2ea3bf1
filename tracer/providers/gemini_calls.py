"""Function calls that arrive in pieces: their arguments, told one JSON path at a time.

Vertex does so where a request sets `streamFunctionCallArguments`; without it calls are whole.
"""

import re
from typing import Any

from tracer.providers.gemini_names import drop, get, many
from tracer.providers.jsontext import JsonObject, as_dict

_STEP = re.compile(
    r"""\.([^.\[\]]+)|\[(\d{1,6})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]"""
)
_VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")
_MOST_STEPS = 50
_FARTHEST = 10_000  # an index beyond this is nonsense, and would cost memory


class OpenCall:
    """One function call under way; `take` every part of it, the first included."""

    def __init__(self) -> None:
        self._fields: JsonObject = {}
        self._call: JsonObject = {}
        self._args: JsonObject = {}
        self._texts: dict[str, list[str]] = {}

    def take(self, part: JsonObject, call: JsonObject) -> bool:
        """Takes a part and its call in; True when the call goes on."""
        self._fields.update(drop(part, "functionCall"))
        self._call.update(drop(call, "args", "partialArgs", "willContinue"))
        self._args.update(as_dict(call.get("args")))
        for piece in many(get(call, "partialArgs")):
            self._piece(as_dict(piece))
        return get(call, "willContinue") is True

    def _piece(self, piece: JsonObject) -> None:
        path = str(get(piece, "jsonPath") or "")
        name = next((name for name in _VALUES if get(piece, name) is not None), None)
        if name is None:
            return
        value = None if name == "nullValue" else get(piece, name)
        if name == "stringValue" and isinstance(value, str):
            # Joined at the end, because joining them anew is quadratic.
            self._texts.setdefault(path, []).append(value)
            value = ""
        put(self._args, path, value)

    def value(self) -> JsonObject:
        """The whole part."""
        for path, pieces in self._texts.items():
            put(self._args, path, "".join(pieces))
        return {"functionCall": {**self._call, "args": self._args}, **self._fields}


def put(into: JsonObject, path: str, value: Any) -> None:
    """Sets what `path` (`$.a[0].b`) names inside `into`; paths of another form are kept as keys."""
    steps = _steps(path)
    if steps is None:
        into[path] = value
        return
    holder: Any = into
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if following is None:
            new = value
        else:
            old = _at(holder, step)
            wanted = list if isinstance(following, int) else dict
            new = old if isinstance(old, wanted) else wanted()
        if isinstance(step, int):
            holder.extend([None] * (step + 1 - len(holder)))
        holder[step] = new
        holder = new


def _at(holder: Any, step: int | str) -> Any:
    if isinstance(step, int):
        return holder[step] if step < len(holder) else None
    return holder.get(step)


def _steps(path: str) -> list[int | str] | None:
    """The keys and indexes of a path, None when it is none that can be followed."""
    if not path.startswith("$") or len(path) == 1:
        return None
    steps: list[int | str] = []
    at = 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            return None
        name, index, single, double = match.groups()
        steps.append(int(index) if index is not None else name or single or double or "")
        at = match.end()
    is_odd = isinstance(steps[0], int) or len(steps) > _MOST_STEPS
    is_far = any(isinstance(step, int) and step > _FARTHEST for step in steps)
    return None if is_odd or is_far else steps
