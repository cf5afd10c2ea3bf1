"""The scalars of a JSON document with their places in its bytes, so that one can be replaced and
the rest stays as it was written."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    rb'[ \t\r\n]*+(?:("(?:[^"\\]++|\\.)*+")|([{}\[\]:,])|([^\s{}\[\]:,"]++))', re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string, number, `true`, `false` or `null` at `data[start:end]`; `text` is a string's
    content, else the token. `path` are the keys and indexes that lead to it."""

    path: Path
    start: int
    end: int
    text: str
    quoted: bool


def is_document(data: bytes) -> bool:
    """Whether data is a JSON object or array."""
    if data.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def scalars(data: bytes) -> Iterator[Scalar]:
    """The scalars of a JSON document, in order. Of what is no JSON, as far as it looks like it."""
    path: list[str | int] = []  # the name or index that each open container is at
    due: list[bool] = []  # whether the next string is a name
    for token in _TOKEN.finditer(data):
        quoted, sign, other = token.groups()
        if sign is not None:
            _move(path, due, sign)
            continue
        text = _content(quoted) if quoted is not None else other.decode("utf-8", "replace")
        if quoted is not None and due and due[-1]:
            path[-1] = text
            due[-1] = False
            continue
        start, end = token.span(1 if quoted is not None else 3)
        yield Scalar(tuple(path), start, end, text, quoted is not None)


def _move(path: list[str | int], due: list[bool], sign: bytes) -> None:
    if sign in b"{[":
        path.append("" if sign == b"{" else 0)
        due.append(sign == b"{")
    elif sign in b"}]":
        if path:
            path.pop()
            due.pop()
    elif sign == b"," and path:
        last = path[-1]
        due[-1] = not isinstance(last, int)
        if isinstance(last, int):
            path[-1] = last + 1


def _content(literal: bytes) -> str:
    try:
        return str(json.loads(literal))
    except ValueError:  # a control character, half an escape
        return literal[1:-1].decode("utf-8", "replace")


def literal(text: str) -> bytes:
    """A string as JSON."""
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")
