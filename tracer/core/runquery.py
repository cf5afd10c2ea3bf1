"""The language that lists of runs are filtered with: words, and `field:value` with `-` for "not".

`status:error tool:refund model:gpt* cost:>0.1 "exact phrase" -is:fork`: every term must fit.
A list of values (`status:error,stopped`) fits with any of them, `*` in a value stands for
anything. The web UI and the commands read it alike. Pure: nothing here knows runs or the time.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tracer.core.querywords import AMOUNTS, MOMENTS, amount, check_moment
from tracer.errors import UsageError

__all__ = [
    "AMOUNTS",
    "CHOICES",
    "FIELDS",
    "ORDERS",
    "PATTERNS",
    "QueryError",
    "RunOrder",
    "RunQuery",
    "Term",
    "parse",
    "parse_order",
]

Sign = Literal["", ">", ">=", "<", "<=", ".."]
OrderBy = Literal["started", "duration", "cost", "tokens", "steps"]

CHOICES: dict[str, tuple[str, ...]] = {
    "status": ("ok", "error", "running", "interrupted", "stopped", "failed"),
    "has": ("error", "note", "fork", "divergence", "tag"),
    "is": ("pinned", "original", "fork", "replay", "imported", "deleted"),
}
PATTERNS = ("name", "agent", "tool", "model", "provider", "tag", "id")
ORDERS: tuple[OrderBy, ...] = ("started", "duration", "cost", "tokens", "steps")
FIELDS = (*CHOICES, *PATTERNS, *AMOUNTS, *MOMENTS)

LONGEST = 2000  # characters of a query
_MOST_TERMS = 40
_FIELD = re.compile(r"([A-Za-z][A-Za-z_-]*):(?!//)")
_AMOUNT = re.compile(r'(>=|<=|>|<|=|)([^\s"]*)')
_SIGNS: dict[str, Sign] = {"": "", "=": "", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
_BARE = re.compile(r'[^\s"]+')
_BARE_ITEM = re.compile(r'[^\s",]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')


class QueryError(UsageError):
    """A filter that means nothing; the sentence names it and says how it would be right."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. `field` "" = words of the text: one value, `phrase` if it was quoted.

    `sign` is only set for amounts; ".." has two values, both included.
    """

    field: str
    values: tuple[str, ...]
    sign: Sign = ""
    phrase: bool = False
    negated: bool = False

    def __str__(self) -> str:
        minus = "-" if self.negated else ""
        if not self.field:
            word = self.values[0]
            return minus + (_quoted(word) if self.phrase else word)
        if self.sign == "..":
            return f"{minus}{self.field}:{'..'.join(self.values)}"
        return f"{minus}{self.field}:{self.sign}{','.join(map(_written, self.values))}"


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Conditions that must all be true. `str` writes the query that `parse` reads as the same."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    def __bool__(self) -> bool:
        return bool(self.terms)

    def without(self, term: Term) -> "RunQuery":
        """The query with one condition less."""
        return RunQuery(tuple(one for one in self.terms if one != term))

    def plus(self, term: Term) -> "RunQuery":
        """The query with one condition more, once."""
        return RunQuery((*self.without(term).terms, term))

    def asks(self, field: str, value: str) -> bool:
        """Whether a term asks for exactly this (`is:deleted`)."""
        return any(
            term.field == field and value in term.values and not term.negated for term in self.terms
        )


@dataclass(frozen=True, slots=True)
class RunOrder:
    """How a list is sorted: the largest (newest) first, or with `up` exactly the other way round.

    `str` is what an address or option says: `cost`, `cost-up`.
    """

    by: OrderBy = "started"
    up: bool = False

    def __str__(self) -> str:
        return f"{self.by}-up" if self.up else self.by


def parse_order(text: str) -> RunOrder:
    """The order an address or option names; "" = newest first. Raises QueryError."""
    name, dash, up = text.strip().lower().partition("-")
    for by in ORDERS:
        if by == (name or "started") and (not dash or up == "up"):
            return RunOrder(by, up=bool(dash))
    raise QueryError(
        f"runs can't be sorted by {_shown(text)}: write {', '.join(ORDERS)}, with -up behind it "
        "for the smallest first"
    )


def parse(text: str) -> RunQuery:
    """The query a person typed. Raises QueryError, one sentence with the remedy."""
    if len(text) > LONGEST:
        raise QueryError(f"the filter has {len(text):,} characters; {LONGEST:,} are the most")
    terms = tuple(dict.fromkeys(_terms(_spaced(text))))
    if len(terms) > _MOST_TERMS:
        raise QueryError(f"the filter has {len(terms)} terms; {_MOST_TERMS} are the most")
    return RunQuery(terms)


def _spaced(text: str) -> str:
    """Without control characters, at which the index would stop, and halves of characters."""
    return "".join(" " if unicodedata.category(char) in ("Cc", "Cs") else char for char in text)


def _terms(text: str) -> Iterator[Term]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        negated = text[at] == "-" and at + 1 < len(text) and not text[at + 1].isspace()
        term, at = _term(text, at + negated)
        yield replace(term, negated=negated)


def _term(text: str, at: int) -> tuple[Term, int]:
    if text[at] == '"':
        value, at = _in_quotes(text, at)
        return _words(value, phrase=True), at
    found = _FIELD.match(text, at)
    ends = found is None or found.end() == len(text) or text[found.end()].isspace()
    if found is not None and (found[1].lower() in FIELDS or not ends):
        return _filter(text, found[1].lower(), found.end())
    # "KeyError:" is what somebody pasted, not a filter.
    bare = _BARE.match(text, at)
    assert bare is not None
    return _words(bare[0], phrase=False), bare.end()


def _words(text: str, *, phrase: bool) -> Term:
    if not any(char.isalnum() for char in text):
        raise QueryError(f"{_shown(text)} holds no letter or digit to search for; leave it out")
    return Term("", (text,), phrase=phrase)


def _filter(text: str, field: str, at: int) -> tuple[Term, int]:
    if field not in FIELDS:
        near = difflib.get_close_matches(field, FIELDS, 1)
        remedy = f"write {near[0]}:" if near else f"there are {', '.join(FIELDS)}"
        raise QueryError(
            f"there is no filter {_shown(field)}: {remedy}, or put double quotes around text to "
            "search for"
        )
    if field in AMOUNTS:
        return _amount(text, field, at)
    values, at = _values(text, field, at)
    if field in MOMENTS:
        return Term(field, (_moment(field, values),)), at
    if field in CHOICES:
        values = tuple(value.lower() for value in values)
        for value in values:
            if value not in CHOICES[field]:
                some = ", ".join(CHOICES[field])
                raise QueryError(f"{field}:{_shown(value)} fits no run: {field} is one of {some}")
    return Term(field, tuple(dict.fromkeys(values))), at


def _amount(text: str, field: str, at: int) -> tuple[Term, int]:
    found = _AMOUNT.match(text, at)
    given = "" if found is None else found[2]
    low, dots, high = given.partition("..")
    sign: Sign = "" if found is None else _SIGNS[found[1]]
    values = (low, high) if dots and not sign else (given,)
    if any(amount(field, value) is None for value in values):
        shown = "" if found is None else _shown(found[0])
        raise QueryError(f"{field}:{shown} is no amount: write {AMOUNTS[field]}")
    end = at if found is None else found.end()
    return Term(field, values, ".." if len(values) == 2 else sign), end


def _moment(field: str, values: tuple[str, ...]) -> str:
    if len(values) > 1 or not check_moment(values[0]):
        raise QueryError(
            f"{field}:{_shown(','.join(values))} is no time: write {field}:2026-11-01, "
            f"{field}:2026-11-01T14:30, {field}:today or how long ago, as in {field}:7d"
        )
    return values[0].lower() if not values[0][0].isdigit() else values[0]


def _values(text: str, field: str, at: int) -> tuple[tuple[str, ...], int]:
    """The list of values from `at` on, and where it ends."""
    found: list[str] = []
    while True:
        if at < len(text) and text[at] == '"':
            value, at = _in_quotes(text, at)
        else:
            bare = _BARE_ITEM.match(text, at)
            value, at = ("", at) if bare is None else (bare[0], bare.end())
        if not value.strip():
            raise QueryError(f"{field}: has no value; write {_example(field)}")
        found.append(value)
        if at >= len(text) or text[at] != ",":
            return tuple(found), at
        at += 1


def _in_quotes(text: str, at: int) -> tuple[str, int]:
    found = _QUOTED.match(text, at)
    if found is None:
        raise QueryError(
            f"the quotation mark before {_shown(text[at + 1 :])} is not closed; "
            "put one at the end of the phrase"
        )
    return _ESCAPED.sub(r"\1", found[1]), found.end()


def _example(field: str) -> str:
    if field in CHOICES:
        return f"{field}:{CHOICES[field][0]}"
    return f"{field}:7d" if field in MOMENTS else f'{field}:word or {field}:"two words"'


def _written(value: str) -> str:
    return value if _BARE_ITEM.fullmatch(value) else _quoted(value)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
