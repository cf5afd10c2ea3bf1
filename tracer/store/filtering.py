"""A run query as SQL over `run`. Every value a person typed is a parameter, never part of it."""

import json
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tracer.core.querywords import DAYS, age_seconds, amount, iso
from tracer.core.runquery import RunQuery, Term
from tracer.store import facets, search

DELETED = "select run from label where deleted_ns is not null"
DURATION = "coalesce(ended_ns - started_ns, -1)"
TOKENS = "coalesce(input_tokens + output_tokens, input_tokens, output_tokens, -1)"
COST = "coalesce(cost_usd, -1)"  # unknown counts as less than nothing, which sorts it last

_AMOUNTS = {"cost": COST, "tokens": TOKENS, "duration": DURATION, "steps": "steps"}
_FEW = 2000  # rows up to which looking each up is quicker than reading the list in its order
_SECOND = 10**9

_HAS = {
    "fork": "run.id in (select parent_run from run where parent_run is not null"
    f" and key not in ({DELETED}))",
    "divergence": "divergences <> '[]'",
}
_IS = {
    "original": "parent_run is null",
    "fork": "(parent_run is not null and fork is not null)",
    "replay": "(parent_run is not null and fork is null)",
    "imported": "origin <> 'local'",
}


@dataclass(slots=True)
class Filter:
    """Conditions and their parameters. `led`: few rows fit one of them, which should lead;
    `numbers`: they compare what the index of numbers holds; `not_ok`: no run that is ok fits.
    """

    parts: list[str] = field(default_factory=list)
    parameters: list[object] = field(default_factory=list)
    led: bool = False
    numbers: bool = False
    not_ok: bool = False

    def bind(self, value: object) -> str:
        """The place of a parameter in the SQL."""
        self.parameters.append(value)
        return f"?{len(self.parameters)}"

    @property
    def where(self) -> str:
        """All conditions as one."""
        return " and ".join(self.parts) or "1"


def conditions(
    conn: sqlite3.Connection, query: RunQuery, *, now_ns: int, status: str = "status"
) -> Filter:
    """What must be true of a row. `status` is the SQL of a run's status.

    Deleted runs fit only a query that asks for them.
    """
    made = Filter()
    for term in query.terms:
        part = _part(conn, made, term, now_ns, status)
        made.parts.append(f"not ifnull({part}, 0)" if term.negated else part)
    if not query.asks("is", "deleted"):
        made.parts.append(f"+run.key not in ({DELETED})")
    return made


def add_words(conn: sqlite3.Connection, made: Filter, text: str) -> None:
    """Each word occurs somewhere in the run, as the old search option has it."""
    words = search.terms(text)
    made.parts += [_hits(conn, made, word, None) for word in words] or ["0"]


def _part(conn: sqlite3.Connection, made: Filter, term: Term, now_ns: int, status: str) -> str:
    match term.field:
        case "":
            query = search.index_query(term.values[0], phrase=term.phrase)
            return _hits(conn, made, query, term)
        case "status":
            return _status(made, term, status)
        case "has" | "is":
            return _any([_flag(conn, made, term, value) for value in term.values])
        case "id":
            return _any([_id(made, value) for value in term.values])
        case "after" | "before":
            sign = ">=" if term.field == "after" else "<"
            return f"started_ns {sign} {made.bind(moment_ns(term.values[0], now_ns))}"
        case "cost" | "tokens" | "duration" | "steps":
            return _amount(made, term)
        case _:
            return _facet(conn, made, term.field, term)


def _hits(conn: sqlite3.Connection, made: Filter, query: str, term: Term | None) -> str:
    if not query:
        return "0"
    count = "select count(*) from (select 1 from search where search match ? limit ?)"
    (found,) = conn.execute(count, (query, _FEW + 1)).fetchone()
    found_in = search.runs_with(made.bind(query))
    if term is not None:
        like = made.bind(f"%{_unlike(term.values[0])}%")
        found_in += f" union all select run from label where note like {like} escape '\\'"
    return _in(made, found_in, few=found <= _FEW, negated=term is not None and term.negated)


def _status(made: Filter, term: Term, status: str) -> str:
    wanted = {one for value in term.values for one in _statuses(value)}
    if "ok" not in wanted and not term.negated:
        made.not_ok = True
    places = ", ".join(made.bind(value) for value in sorted(wanted))
    return f"{status} in ({places})"


def _statuses(value: str) -> tuple[str, ...]:
    return ("error", "interrupted") if value == "failed" else (value,)


def _flag(conn: sqlite3.Connection, made: Filter, term: Term, value: str) -> str:
    if term.field == "is" and value in _IS:
        return _IS[value]
    if term.field == "has" and value in _HAS:
        return _HAS[value]
    alone = len(term.values) == 1
    if term.field == "is":
        labelled = f"select run from label where {value}_ns is not null"
        return _in(made, labelled, few=alone, negated=term.negated)
    if value == "tag":
        tagged = "select run from facet where field = 'tag'"
        return _in(made, tagged, few=alone and _few(conn, tagged, []), negated=term.negated)
    found = f"select run from facet where field = 'has' and value = {made.bind(value)}"
    if value == "note":  # a person's note counts as the program's does
        found += " union all select run from label where note <> ''"
    few = alone and _few(conn, found, made.parameters)
    return _in(made, found, few=few, negated=term.negated)


def _facet(conn: sqlite3.Connection, made: Filter, name: str, term: Term) -> str:
    # As one parameter, because a hostile file may have more names than SQLite takes parameters.
    values = made.bind(json.dumps(facets.fitting(conn, name, term.values)))
    found = (
        f"select run from facet where field = '{name}'"
        f" and value in (select value from json_each({values}))"
    )
    few = _few(conn, found, made.parameters)
    return _in(made, found, few=few, negated=term.negated)


def _few(conn: sqlite3.Connection, rows: str, parameters: list[object]) -> bool:
    count = f"select count(*) from (select 1 from ({rows}) limit {_FEW + 1})"
    (found,) = conn.execute(count, parameters).fetchone()
    return bool(found <= _FEW)


def _in(made: Filter, rows: str, *, few: bool, negated: bool) -> str:
    """The run is one of `rows`; a plus keeps SQLite from looking each of many up by its key."""
    if few and not negated:
        made.led = True
        return f"run.key in ({rows})"
    return f"+run.key in ({rows})"


def _id(made: Filter, value: str) -> str:
    start = search.clean(value.rstrip("*").lower())
    return f"(run.id >= {made.bind(start)} and run.id < {made.bind(start + chr(0x10FFFF))})"


def _amount(made: Filter, term: Term) -> str:
    made.numbers = True
    column = _AMOUNTS[term.field]
    scale = 10**6 if term.field == "duration" else 1  # the row has nanoseconds
    places = [made.bind((amount(term.field, value) or 0) * scale) for value in term.values]
    known = f"{column} >= 0"
    if term.sign == "..":
        return f"({known} and {column} between {places[0]} and {places[1]})"
    return f"({known} and {column} {term.sign or '='} {places[0]})"


def _any(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"


def _unlike(text: str) -> str:
    return search.clean(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def moment_ns(text: str, now_ns: int) -> int:
    """A time of a query in nanoseconds since the epoch, without a zone in that of this machine."""
    age = age_seconds(text)
    if age is not None:
        return now_ns - age * _SECOND
    if text in DAYS:
        now = datetime.fromtimestamp(now_ns / _SECOND).astimezone()
        day = now.date() - timedelta(days=DAYS[text])
        then: datetime | None = datetime(day.year, day.month, day.day).astimezone()
    else:
        then = iso(text)
    return 0 if then is None else round(then.timestamp()) * _SECOND
