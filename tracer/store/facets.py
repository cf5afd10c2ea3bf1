"""What lists find a run by: rows of `facet`, written beside runs and steps, read as suggestions."""

import sqlite3
from fnmatch import fnmatchcase
from typing import Literal

Field = Literal["name", "agent", "tool", "model", "provider", "has", "tag"]

_ADD = "insert or ignore into facet (run, field, value) values (?, ?, ?)"
# Jumps from one value to the next: however many runs there are, only values are read.
_VALUES = (
    "with recursive each (value) as ("
    " select min(value) from facet where field = ?1 union all"
    " select (select min(value) from facet where field = ?1 and value > each.value)"
    " from each where each.value is not null)"
    " select value from each where value is not null limit ?2"
)
_EVERY = -1


def add(conn: sqlite3.Connection, run: int, field: Field, value: str | None) -> None:
    """Note that a run can be found by this, once; None is nothing."""
    if value is not None:
        conn.execute(_ADD, (run, field, value))


def of_step(
    conn: sqlite3.Connection,
    run: int,
    kind: str,
    name: str,
    model: str | None,
    provider: str | None,
) -> None:
    """What a step that starts adds."""
    match kind:
        case "agent" | "tool":
            conn.execute(_ADD, (run, kind, name))
        case "model":
            add(conn, run, "model", model)
            add(conn, run, "provider", provider)
        case "note":
            conn.execute(_ADD, (run, "has", "note"))


def rename(conn: sqlite3.Connection, run: int, name: str) -> None:
    """A run has another name."""
    remove(conn, run, "name")
    add(conn, run, "name", name)


def remove(conn: sqlite3.Connection, run: int, field: Field, value: str | None = None) -> None:
    """Take away one value, or all of a field."""
    if value is None:
        conn.execute("delete from facet where run = ? and field = ?", (run, field))
    else:
        conn.execute(
            "delete from facet where run = ? and field = ? and value = ?", (run, field, value)
        )


def values(conn: sqlite3.Connection, field: str, most: int = _EVERY) -> list[str]:
    """What runs can be found by in a field, in order."""
    return [value for (value,) in conn.execute(_VALUES, (field, most))]


def fitting(conn: sqlite3.Connection, field: str, patterns: tuple[str, ...]) -> list[str]:
    """The values that one of the patterns fits: any case, `*` stands for anything."""
    wanted = [_glob(pattern) for pattern in patterns]
    return [
        value
        for value in values(conn, field)
        if any(fnmatchcase(value.casefold(), pattern) for pattern in wanted)
    ]


def _glob(pattern: str) -> str:
    # Of fnmatch's signs only the star means something here.
    return pattern.casefold().replace("[", "[[]").replace("?", "[?]")
