"""What a run read of the clock and of chance, as a bundle carries it: `[path, kind, hex]`.

A random value that may be a key is left out when secrets are removed, unless it stands in the run
anyway, as text: then it is needed, and no secret.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast, get_args

from tracer.core.draws import DrawKind, Drawn, pack, unpack
from tracer.core.records import JSON
from tracer.interchange.reading_json import Fields

_MOST_SOUGHT = 64  # each is looked for in every payload
_LEAST_BYTES = 4  # fewer are no secret, and stand in every text


class Withheld:
    """The draws of a run that may be secret, until their text is met in what it sent or got."""

    def __init__(self, recorded: Iterable[Drawn], *, keep: bool) -> None:
        self._keep = keep
        values = {
            value
            for drawn in recorded
            if drawn.kind == "secret"
            for value in drawn.values
            if isinstance(value, bytes) and len(value) >= _LEAST_BYTES
        }
        self._sought = {} if len(values) > _MOST_SOUGHT else {v: _texts(v) for v in sorted(values)}
        self._secret = values

    def met(self, data: bytes) -> None:
        """A payload that leaves with the run."""
        for value, texts in list(self._sought.items()):
            if any(text in data for text in texts):
                del self._sought[value]
                self._secret.discard(value)

    @property
    def count(self) -> int:
        """How many are left out."""
        return len(self._secret)

    def without(self, drawn: Drawn) -> Drawn:
        """The draws as they leave."""
        if drawn.kind != "secret" or self._keep:
            return drawn
        kept = tuple(b"" if value in self._secret else value for value in drawn.values)
        return replace(drawn, values=kept)


def _texts(value: bytes) -> tuple[bytes, ...]:
    """How programs write bytes: `token_hex`, `token_urlsafe`, base64."""
    plain = base64.b64encode(value).rstrip(b"=")
    return value.hex().encode(), base64.urlsafe_b64encode(value).rstrip(b"="), plain


def draws_json(drawn: Sequence[Drawn], withheld: Withheld) -> list[JSON]:
    """All of a run, in an order that depends on nothing else."""
    ordered = sorted(drawn, key=lambda one: (one.path, one.kind))
    return [[one.path, one.kind, pack(withheld.without(one)).hex()] for one in ordered]


def read_draws(section: Fields) -> list[Drawn]:
    """Those of a run in a bundle; none in one that was written before there were any."""
    if section.any("draws") is None:
        return []
    found = []
    for item in section.list("draws"):
        if not (isinstance(item, list) and len(item) == 3):
            raise section.damaged("a draw is no [path, kind, hex]")
        path, kind, packed = item
        if not isinstance(path, str) or kind not in get_args(DrawKind):
            raise section.damaged("a draw is of no known kind")
        try:
            drawn = unpack(path, cast(DrawKind, kind), bytes.fromhex(packed))
        except (ValueError, TypeError):
            raise section.damaged("a draw is cut short") from None
        if not all(
            isinstance(v, bytes) or abs(v) < 1 << 63 for v in (*drawn.values, *drawn.places)
        ):
            raise section.damaged("a draw is out of range")
        found.append(drawn)
    return found
