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

# Conditions that few rows may fit: the condition, and a query for the rows that fit it.
_OF_ROWS = {
    "has:divergence": "divergences <> '[]'",
    "is:fork": "parent_run is not null and fork is not null",
    "is:replay": "parent_run is not null and fork is null",
    "is:imported": "origin <> 'local'",
    "is:original": "parent_run is null",
}
_CHILDREN = f"from run as child where key not in ({DELETED}) and child.parent_run"


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
        """All conditions as one, those that ask other tables last."""
        return " and ".join(sorted(self.parts, key=lambda part: "select" in part)) or "1"


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
    word = made.bind(query)
    few = _few(conn, f"select rowid from search where search match {word}", made)
    rows = search.runs_with(word)
    if term is not None:  # what a person noted is not in the index
        like = made.bind(f"%{_unlike(term.values[0])}%")
        rows += f" union all select run from label where note like {like} escape '\\'"
    return _in(made, rows, few=few and not (term is not None and term.negated))


def _status(made: Filter, term: Term, status: str) -> str:
    wanted = {one for value in term.values for one in _statuses(value)}
    if ("ok" in wanted) == term.negated:
        made.not_ok = True
    places = ", ".join(made.bind(value) for value in sorted(wanted))
    return f"{status} in ({places})"


def _statuses(value: str) -> tuple[str, ...]:
    return ("error", "interrupted") if value == "failed" else (value,)


def _flag(conn: sqlite3.Connection, made: Filter, term: Term, value: str) -> str:
    leads = len(term.values) == 1 and not term.negated
    named = f"{term.field}:{value}"
    if named in _OF_ROWS:
        condition = _OF_ROWS[named]
        rows = f"select key from run where {condition}"
        few = leads and value != "original" and _few(conn, rows, None)
        return _in(made, rows, few=True) if few else f"({condition})"
    if named == "has:fork":
        rows = f"select key from run where id in (select parent_run {_CHILDREN} is not null)"
        few = leads and _few(conn, f"select 1 {_CHILDREN} is not null", None)
        return _in(made, rows, few=True) if few else f"exists (select 1 {_CHILDREN} = run.id)"
    if term.field == "is":  # people do not pin or delete by the ten thousand
        return _in(made, f"select run from label where {value}_ns is not null", few=leads)
    if value == "tag":
        return _of_facet(conn, made, "field = 'tag'", leads=leads)
    part = _of_facet(conn, made, f"field = 'has' and value = {made.bind(value)}", leads=False)
    if value == "note":  # a person's note counts as the program's does
        return f"({part} or +run.key in (select run from label where note <> ''))"
    return part


def _facet(conn: sqlite3.Connection, made: Filter, name: str, term: Term) -> str:
    # As one parameter, because a hostile file may have more names than SQLite takes parameters.
    values = made.bind(json.dumps(facets.fitting(conn, name, term.values)))
    condition = f"field = '{name}' and value in (select value from json_each({values}))"
    return _of_facet(conn, made, condition, leads=not term.negated)


def _of_facet(conn: sqlite3.Connection, made: Filter, condition: str, *, leads: bool) -> str:
    rows = f"select run from facet where {condition}"
    if _few(conn, rows, made if "?" in condition else None):
        return _in(made, rows, few=leads)
    return f"exists ({rows} and facet.run = run.key)"


def _few(conn: sqlite3.Connection, rows: str, made: Filter | None) -> bool:
    """Whether a query (whose last parameter is the last of `made`) gives few rows."""
    parameters = [] if made is None else made.parameters
    count = f"select count(*) from (select 1 from ({rows}) limit {_FEW + 1})"
    (found,) = conn.execute(count, parameters).fetchone()
    return bool(found <= _FEW)


def _in(made: Filter, rows: str, *, few: bool) -> str:
    """The run is one of `rows`. Few lead; a plus keeps SQLite from looking each of many up."""
    made.led = made.led or few
    return f"{'' if few else '+'}run.key in ({rows})"


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
