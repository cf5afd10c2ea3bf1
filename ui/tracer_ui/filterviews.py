"""What stands around a run list: quick filters, terms to take away or to add, sortable heads."""

from dataclasses import dataclass
from typing import Literal

from tracer_ui.api import QueryError, RunOrder, RunQuery, SavedFilter, Store, Term, parse_order
from tracer_ui.asked import Asked
from tracer_ui.jsonlines import clip

_OFFERED = 12  # values of one field


@dataclass(frozen=True, slots=True)
class Choice:
    """A link to the list with another filter; `on`: it is in force."""

    words: str
    href: str
    on: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Filters of one field."""

    label: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """A column to sort by. `way` is its `aria-sort`, "" where the list isn't sorted by it."""

    label: str
    href: str
    way: Literal["", "ascending", "descending"]


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved filter."""

    name: str
    href: str
    on: bool


@dataclass(frozen=True, slots=True)
class Filters:
    """All of it. `terms` are the links that take one condition away, `base` the page filtered."""

    quick: tuple[Choice, ...]
    terms: tuple[Choice, ...]
    groups: tuple[Group, ...]
    saved: tuple[Saved, ...]
    base: str


_QUICK = (
    ("Failed", Term("status", ("failed",))),
    ("Running", Term("status", ("running",))),
    ("Forks", Term("is", ("fork",))),
    ("Pinned", Term("is", ("pinned",))),
)
_FIXED = (
    ("State", ("status",), ("ok", "error", "interrupted", "stopped")),
    ("Has", ("has",), ("error", "note", "fork", "divergence", "tag")),
    ("Is", ("is",), ("original", "replay", "imported", "deleted")),
    ("Since", ("after",), ("1h", "today", "7d", "30d")),
)
_FOUND: tuple[tuple[str, Literal["name", "agent", "tool", "model", "tag"]], ...] = (
    ("Tag", "tag"),
    ("Name", "name"),
    ("Tool", "tool"),
    ("Model", "model"),
    ("Agent", "agent"),
)
_HEADS = (
    ("Started", RunOrder("started")),
    ("Steps", RunOrder("steps")),
    ("Time", RunOrder("duration")),
    ("Tokens", RunOrder("tokens")),
    ("Cost", RunOrder("cost")),
)


def filters(store: Store, asked: Asked) -> Filters:
    """What can be filtered by, and what is."""
    query = asked.query
    return Filters(
        quick=(
            Choice("All", asked.filtered(RunQuery()), not asked.text),
            *(_toggle(asked, words, term) for words, term in _QUICK),
        ),
        terms=tuple(
            Choice(clip(str(term), 60), asked.filtered(query.without(term))) for term in query.terms
        ),
        groups=tuple(group for group in (*_fixed(asked), *_found(store, asked)) if group.choices),
        saved=tuple(_saved(asked, kept) for kept in store.saved_filters()),
        base=asked.base,
    )


def heads(asked: Asked) -> dict[str, Head]:
    """The sortable columns by what they sort; a second click turns the order round."""
    found = {}
    for label, down in _HEADS:
        now = asked.order
        way: Literal["", "ascending", "descending"] = ""
        if now.by == down.by:
            way = "ascending" if now.up else "descending"
        order = RunOrder(down.by, up=True) if now == down else down
        found[str(down.by)] = Head(label, asked.sorted(order), way)
    return found


def _toggle(asked: Asked, words: str, term: Term) -> Choice:
    on = term in asked.query.terms
    query = asked.query.without(term) if on else asked.query.plus(term)
    return Choice(words, asked.filtered(query), on)


def _fixed(asked: Asked) -> list[Group]:
    return [
        Group(label, tuple(_toggle(asked, value, Term(field, (value,))) for value in values))
        for label, (field,), values in _FIXED
    ]


def _found(store: Store, asked: Asked) -> list[Group]:
    return [
        Group(
            label,
            tuple(
                _toggle(asked, clip(value, 40), Term(field, (value,)))
                for value in store.facets(field, _OFFERED)
                if value.strip()
            ),
        )
        for label, field in _FOUND
    ]


def _saved(asked: Asked, kept: SavedFilter) -> Saved:
    try:
        order = parse_order(kept.order)
    except QueryError:  # only a hand can have written it
        order = RunOrder()
    on = asked.text == kept.query and asked.order == order
    return Saved(kept.name, Asked(kept.query, RunQuery(), order, "", asked.base).path(), on)
