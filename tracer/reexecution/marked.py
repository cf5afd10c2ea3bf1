"""Values that the recording has only as marks, recognised where re-executed code asks for them.

Code that is run again may hold a secret before anything has shown that it is one: the recording
learned it from an answer, or had a function for it. Where the texts agree around a mark, what
stands in its place is that secret if the key says so. A mark by a key that isn't here is taken for
whatever stands there first, and from then on for nothing else.
"""

import json
from collections.abc import Iterator
from typing import Any

from tracer.capture.boundary import Call
from tracer.capture.secretkey import key
from tracer.capture.secrets import Secrets
from tracer.core.marks import MARK, key_name, mark
from tracer.core.records import Step
from tracer.reexecution.answers import Answers

HIDDEN = "(not shown, because the recorded text holds a redacted value)"


class Marked:
    """What the marks of one recording stand for here."""

    def __init__(self, answers: Answers, secrets: Secrets) -> None:
        self._answers = answers
        self._secrets = secrets
        self._here: dict[str, str] = {}  # marks of another key -> marks of ours
        self._there: dict[str, str] = {}

    def learn(self, step: Step, call: Call) -> bool:
        """Find out from a call what the marks in the recorded one stand for; whether it did."""
        stored = self._answers.stored(step)
        if stored is None or b"[redacted:" not in stored:
            return False
        asked = asked_bytes(call)
        before = self._secrets.version
        for old, new in _texts(_tree(stored), _tree(asked)):
            for its_mark, value in _aligned(old, new):
                self._found(its_mark, value)
        return self._secrets.version != before

    def _found(self, its_mark: str, value: str) -> None:
        is_mark = MARK.fullmatch(value) is not None
        ours = value if is_mark else mark(value.encode("utf-8", "surrogatepass"), key())
        if ours != its_mark and not is_ours(its_mark):
            here = self._here.setdefault(its_mark, ours)
            there = self._there.setdefault(ours, its_mark)
            if (here, there) == (ours, its_mark):
                self._secrets.alias(ours, its_mark)
        if not is_mark:
            self._secrets.remember(value)  # also another one: it must not be shown


def is_ours(its_mark: str) -> bool:
    """Whether a mark was made with the key of this database."""
    found = MARK.match(its_mark)
    return found is not None and found.group(1) == key_name(key())


def asked_bytes(call: Call) -> bytes:
    """What a call asks, as it would be stored."""
    if call.request is not None:
        return call.request.body
    return bytes(call.document) if call.document is not None else call.input or b""


def hidden(old: Any, new: Any) -> Any:
    """What is asked now, for a report: without texts whose recorded form has a mark that can't
    be told from the words around it."""
    if isinstance(new, dict) and isinstance(old, dict):
        return {name: hidden(old.get(name), item) for name, item in new.items()}
    if isinstance(new, list) and isinstance(old, list):
        return [hidden(old[at] if at < len(old) else None, item) for at, item in enumerate(new)]
    if not isinstance(old, str) or not MARK.search(old) or new is None:
        return new
    text = new if isinstance(new, str) else json.dumps(new)
    return new if MARK.search(text) else HIDDEN


def _tree(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")


def _texts(old: Any, new: Any) -> Iterator[tuple[str, str]]:
    """Texts at the same place of which the first has a mark."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name, item in old.items():
            if name in new:
                yield from _texts(item, new[name])
    elif isinstance(old, list) and isinstance(new, list):
        for one, other in zip(old, new, strict=False):
            yield from _texts(one, other)
    elif isinstance(old, str) and MARK.search(old) and old != new:
        if isinstance(new, str):
            yield old, new
        elif isinstance(new, int | float):
            yield old, json.dumps(new)


def _aligned(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Each mark of a text with what stands in its place in another; nothing if they don't fit."""
    words = [match.group() for match in MARK.finditer(old)]
    between = MARK.sub("\x00", old).split("\x00")
    if len(between) != len(words) + 1 or not new.startswith(between[0]):
        return
    found: list[str] = []
    at = len(between[0])
    for number, rest in enumerate(between[1:], 1):
        last = number == len(words)
        end = len(new) - len(rest) if last else new.find(rest, at + 1)
        if end <= at or not new.startswith(rest, end) or (not rest and not last):
            return
        found.append(new[at:end])
        at = end + len(rest)
    yield from zip(words, found, strict=True)
