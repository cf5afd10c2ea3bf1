"""What must not be stored of one run: finds it in texts, JSON and bodies, and puts marks there.

Three passes can find a secret: the forms of well-known keys and the credentials of this machine
(over the bytes), values remembered while the run lasts (likewise), and what the user named or has
a function for (over the texts of a JSON document). The last costs most and is left out where
nothing asks for it.
"""

import base64
import binascii
import dataclasses
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tracer.capture import config, redact
from tracer.capture.bodies import Bodies
from tracer.capture.recordwords import fields_of, is_record, words_of
from tracer.capture.redaction import (
    Calls,
    all_names,
    called,
    calls_in,
    matches,
    names_at,
    names_of_arguments,
)
from tracer.capture.secretkey import key
from tracer.core.changes import changes
from tracer.core.jsonspans import Scalar, is_document, literal, scalars
from tracer.core.marks import MARK, REDACTED, Edit, apply_pieces, in_order, mark
from tracer.core.secretforms import find_secrets

SHORTEST = 6  # characters of a value that is also removed where nothing names it
_ALONE = 10  # shorter ones only where they stand alone
_MOST = 500
_REMEMBERED = 2000
_STRUCTURE = frozenset(
    (
        *("type", "role", "object", "finish_reason", "stop_reason", "status", "event"),
        *("$t", "c", "encoding", "format"),
    )
)
_WORD = re.compile(r"[\w./-]{1,40}", re.ASCII)
_CODED = (b";base64,", b'"$t":"byte', b'"data":', b'"bytes":')
_CODE = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")
_CODE_WITHIN = 40  # bytes between the sign of base64 and its beginning
_DIGITS = 12  # of a number that user's functions get as text


class Secrets:
    """The secrets of one run. Thread-safe."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, str] = OrderedDict()  # value -> its mark
        self._aliases: dict[str, str] = {}  # marks of ours -> the marks that are stored instead
        self._made: OrderedDict[tuple[str, str], str] = OrderedDict()  # user's functions
        self.version = 0
        self.lock = threading.RLock()
        self.bodies = Bodies(self)

    def remember(self, value: str) -> None:
        """Remove a value wherever it turns up from now on; too short a one isn't kept."""
        with self.lock:
            if len(value) < SHORTEST or "[redacted" in value or value in redact.known():
                return
            if value in self._values:
                return
            self._values[value] = self.mark(value)
            self.version += 1
            if len(self._values) > _MOST:
                self._values.popitem(last=False)

    def alias(self, own: str, other: str) -> None:
        """Store another mark where ours would stand: a recording's, made with a key of its own."""
        with self.lock:
            self._aliases[own] = other
            self._values = OrderedDict(
                (value, other if its_mark == own else its_mark)
                for value, its_mark in self._values.items()
            )
            self.version += 1

    def mark(self, value: str) -> str:
        """What is stored instead of a value."""
        return self._values.get(value) or self._mark_of(value.encode("utf-8", "surrogatepass"))

    def _mark_of(self, secret: bytes) -> str:
        made = mark(secret, key())
        return self._aliases.get(made, made)

    def text(self, words: str, place: str = "text") -> str:
        """A text without its secrets."""
        data = words.encode("utf-8", "surrogatepass")
        clean = self.clean(data, place)
        return words if clean is data else clean.decode("utf-8", "surrogatepass")

    def value(self, data: bytes, place: str, names: tuple[str, ...] = ()) -> bytes:
        """A stored value (JSON, also a text or number alone) without its secrets."""
        if data[:1] in (b"{", b"["):
            return self.clean(data, place, names)
        for scalar in scalars(data):
            if scalar.quoted:
                text = self.text(scalar.text, place)
                return data if text == scalar.text else literal(text)
            return self._scalar(scalar, place, names) or data
        return data

    def clean(
        self, data: bytes, place: str, names: tuple[str, ...] = (), *, calls: Calls = ()
    ) -> bytes:
        """Text, JSON or a body without its secrets; the same object where it holds none."""
        made = self.clean_pieces([data], place, names, calls=calls)[0]
        return data if made == data else made

    def clean_pieces(
        self,
        pieces: Sequence[bytes],
        place: str,
        names: tuple[str, ...] = (),
        *,
        calls: Calls = (),
    ) -> list[bytes]:
        """The same for what came in pieces: a secret is replaced in the piece it begins in."""
        made = list(pieces)
        if calls:
            names = (*names, *names_of_arguments(b"".join(pieces), calls))
        for _ in range(3):  # what one pass finds by its name stands elsewhere too
            before = self.version
            made = apply_pieces(made, in_order(self._found(b"".join(made))))
            whole = b"".join(made)
            if self.asks(whole, names):
                made = apply_pieces(made, self._in_texts(whole, place, names))
            if self.version == before:
                break
        return made

    def without_forms(self, pieces: Sequence[bytes]) -> list[bytes]:
        """The same for what only bytes tell: forms of keys, credentials, remembered values."""
        whole = b"".join(pieces)
        return apply_pieces(pieces, in_order(self._found(whole, in_lines=True)))

    def record(self, value: Any) -> Any:
        """A store's record without what bytes tell, at any depth.

        Payloads are left: they were cleaned before.
        """
        # Looked at in one go, because most hold nothing.
        words = "\n".join(words_of(value)).encode("utf-8", "surrogatepass")
        return value if next(self._found(words), None) is None else self._record(value)

    def _record(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.plain(value)
        if isinstance(value, dict):
            return {key: self._record(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._record(item) for item in value)
        if not is_record(value):
            return value
        changed = {name: new for name, old in fields_of(value) if (new := self._record(old)) != old}
        return dataclasses.replace(value, **changed) if changed else value

    def plain(self, words: str) -> str:
        """A text without what bytes tell."""
        if len(words) < SHORTEST:
            return words
        data = words.encode("utf-8", "surrogatepass")
        edits = in_order(self._found(data))
        return words if not edits else apply_pieces([data], edits)[0].decode("utf-8", "replace")

    def asks(self, data: bytes, names: Sequence[str] = ()) -> bool:
        """Whether the texts of a document have to be looked at one by one."""
        wished = config.get().redact
        if wished.calls or names or any(self._numbers(data)):
            return True
        looked_for = (*wished.names, *all_names())
        if not looked_for:
            return False
        lower = data.lower()
        return any(name.rpartition(".")[2].encode() in lower for name in looked_for)

    def holds(self, data: bytes) -> bool:
        """Whether something has to be removed, as far as bytes tell."""
        return self.asks(data) or next(self._found(data), None) is not None

    def tree(self, value: Any, place: str) -> Any:
        """JSON data as a function of the user's leaves it; the rest is `record`'s."""
        return self._tree(value, place) if config.get().redact.calls else value

    def _tree(self, value: Any, place: str) -> Any:
        if isinstance(value, str):
            return self.text(value, place)
        if isinstance(value, dict):
            return {
                key: item if key in _STRUCTURE else self._tree(item, place)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return type(value)(self._tree(item, place) for item in value)
        return value

    def _found(self, data: bytes, *, in_lines: bool = False) -> Iterator[Edit]:
        """Credentials, remembered values, and what has the form of a key."""
        yield from redact.edits(data)
        for value, its_mark in list(self._values.items()):
            if value.isdigit() and (in_lines or is_document(data)):
                continue  # a number of JSON can't become a bare mark
            for start, end in _places(data, value):
                yield Edit(start, end, its_mark.encode())
        if not config.get().redact.forms:
            return
        for secret in find_secrets(data):
            old = data[secret.start : secret.end]
            if b"[redacted" not in old:
                yield Edit(secret.start, secret.end, self._mark_of(old).encode())
        yield from self._in_base64(data)

    def _in_base64(self, data: bytes) -> Iterator[Edit]:
        """Texts that are written in base64; pictures are left as they are."""
        for sign in _CODED:
            at = data.find(sign)
            while at >= 0:
                at += len(sign)
                found = _CODE.search(data, at, at + _CODE_WITHIN)
                if found is not None:
                    whole = _CODE.match(data, found.start())
                    assert whole is not None
                    coded = whole.group()
                    clean = self._recoded(coded)
                    if clean is not None:
                        yield Edit(whole.start(), whole.end(), clean)
                    at = whole.end()
                at = data.find(sign, at)

    def _recoded(self, coded: bytes) -> bytes | None:
        try:
            plain = base64.b64decode(coded, validate=True)
            plain[:200].decode("ascii")
        except (binascii.Error, ValueError):
            return None
        clean = apply_pieces([plain], in_order(self._found(plain)))[0]
        return base64.b64encode(clean) if clean != plain else None

    def _numbers(self, data: bytes) -> Iterator[str]:
        for value in list(self._values):
            if value.isdigit() and value.encode() in data:
                yield value

    def _in_texts(self, data: bytes, place: str, names: tuple[str, ...]) -> list[Edit]:
        """Edits of the texts of a document, or of the one text that data is."""
        if not is_document(data):
            said = data.decode("utf-8", "surrogateescape")
            made = self._one(said, place, names)
            if made == said:
                return []
            return [Edit(0, len(data), made.encode("utf-8", "surrogateescape"))]
        found = list(scalars(data))
        names = (*names, *config.get().redact.names)
        inside = calls_in(found)
        edits: list[Edit] = []
        for scalar in found:
            new = self._scalar(scalar, place, (*names, *names_at(scalar.path, inside)))
            if new is not None:
                edits.append(Edit(scalar.start, scalar.end, new))
        return edits

    def _scalar(self, scalar: Scalar, place: str, names: tuple[str, ...]) -> bytes | None:
        text = scalar.text
        if names and matches(scalar.path, names):
            if not text or text in ("true", "false", "null") or "[redacted" in text:
                return None
            self.remember(text)
            said = self.mark(text)
            if scalar.path[-1] == "v" and _CODE.fullmatch(text.encode("utf-8", "replace")):
                said = base64.b64encode(said.encode()).decode()  # stored bytes stay bytes
            return literal(said)
        if not scalar.quoted:
            if text in self._values:
                return literal(self.mark(text))
            if not (config.get().redact.calls and text.isdigit() and len(text) >= _DIGITS):
                return None
        elif scalar.path and scalar.path[-1] in _STRUCTURE and _WORD.fullmatch(text):
            return None
        made = self._one(text, place, names)
        return None if made == text else literal(made)

    def _one(self, text: str, place: str, names: tuple[str, ...]) -> str:
        """One text: a document inside it, or words for the user's functions."""
        data = text.encode("utf-8", "surrogatepass")
        if is_document(data):
            pieces = apply_pieces([data], in_order(self._found(data)))
            edits = self._in_texts(pieces[0], place, names)
            return apply_pieces(pieces, edits)[0].decode("utf-8", "surrogatepass")
        if self._values or REDACTED not in text:
            clean = apply_pieces([data], in_order(self._found(data)))[0]
            text = clean.decode("utf-8", "surrogatepass")
        for call in config.get().redact.calls:
            text = self._by_user(call, text, place)
        return text

    def _by_user(self, call: Callable[[str, str], str], text: str, place: str) -> str:
        if not text or MARK.fullmatch(text):
            return text
        asked = (f"{id(call)} {place}", text)
        with self.lock:
            made = self._made.get(asked)
            if made is None:
                given = called(call, text, place)
                made = self.mark(text) if given is None else self._marked(text, given)
                self._made[asked] = made
                if len(self._made) > _REMEMBERED:
                    self._made.popitem(last=False)
        return made

    def _marked(self, before: str, after: str) -> str:
        """What the user's function wrote, with a mark behind each part that it took away."""
        out: list[str] = []
        for old, new in changes(before, after):
            out.append(new)
            if old != new and old and "[redacted" not in old:
                out.append(self.mark(old))
        return "".join(out)


def _places(data: bytes, value: str) -> Iterator[tuple[int, int]]:
    for form in redact.written(value):
        at = data.find(form)
        while at >= 0:
            end = at + len(form)
            if len(value) >= _ALONE or _stands_alone(data, at, end):
                yield at, end
            at = data.find(form, end)


def _stands_alone(data: bytes, start: int, end: int) -> bool:
    before, after = data[start - 1 : start], data[end : end + 1]
    if after.isalnum() and data[end - 1 : end].isalnum():
        return False
    escaped = data[max(0, start - 6) : start].rfind(b"\\") >= 0  # as the n of a new line is
    return escaped or not (before.isalnum() and data[start : start + 1].isalnum())


_runs: OrderedDict[str, Secrets] = OrderedDict()
_MOST_RUNS = 1000


def of_run(run_id: str) -> Secrets:
    """The secrets of a run under way."""
    found = _runs.get(run_id)
    if found is None:
        found = _runs.setdefault(run_id, Secrets())
        if len(_runs) > _MOST_RUNS:
            _runs.popitem(last=False)
    return found


def forget(run_id: str) -> None:
    """The run has ended, and its end is written."""
    _runs.pop(run_id, None)


__all__ = ["Secrets", "forget", "of_run"]
