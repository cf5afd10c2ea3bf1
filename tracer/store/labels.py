"""What a person puts on runs in the list (pins, tags, notes, the trash), and saved filters."""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tracer.core.runquery import parse, parse_order
from tracer.errors import UsageError
from tracer.store import connection, facets, search
from tracer.store.failures import store_error
from tracer.store.listing import read

LONGEST_NOTE = 2000
LONGEST_TAG = 40
MOST_TAGS = 20
_LONGEST_NAME = 60
_MOST_SAVED = 50


@dataclass(frozen=True, slots=True)
class RunLabel:
    """What a person put on a run. `deleted_ns`: since when it lies in the trash."""

    pinned: bool = False
    note: str = ""
    tags: tuple[str, ...] = ()
    deleted_ns: int | None = None


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A list to come back to; `query` and `order` as in the address of the list."""

    name: str
    query: str
    order: str


def of_runs(conn: sqlite3.Connection, run_ids: Iterable[str]) -> dict[str, RunLabel]:
    """The labels of those runs that have any."""
    rows = conn.execute(
        "select id, pinned_ns, coalesce(note, ''), deleted_ns,"
        " (select json_group_array(value) from facet where run = run.key and field = 'tag')"
        " from run left join label on label.run = run.key"
        " where id in (select value from json_each(?1))"
        " and (label.run is not null or exists"
        " (select 1 from facet where facet.run = run.key and field = 'tag'))",
        (json.dumps(list(run_ids)),),
    )
    return {
        run_id: RunLabel(pinned is not None, note, tuple(sorted(json.loads(tags))), deleted)
        for run_id, pinned, note, deleted, tags in rows
    }


def saved(conn: sqlite3.Connection) -> list[SavedFilter]:
    """The saved filters, by name."""
    rows = conn.execute("select name, query, sort from saved_filter order by name")
    return [SavedFilter(*row) for row in rows]


def thrown_away(conn: sqlite3.Connection, deleted_ns: int) -> int:
    """How many runs were thrown away together at that time, and still are."""
    sql = "select count(*) from label where deleted_ns = ?"
    return int(conn.execute(sql, (deleted_ns,)).fetchone()[0])


class Labels:
    """Changes labels and saved filters of one database. Each method is one transaction.

    Raises StoreError when the file can't be written, UsageError for what can't be kept. Runs that
    are not there are left out of account.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def pin(self, run_ids: Sequence[str], *, pinned: bool) -> None:
        """Pin runs, or take the pins away."""
        when = time.time_ns() if pinned else None
        with self._writing() as conn:
            for key in _keys(conn, run_ids):
                _set(conn, key, "pinned_ns", when)

    def tag(
        self, run_ids: Sequence[str], add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> None:
        """Add tags to runs and take others away."""
        added = [_tag(tag) for tag in add]
        with self._writing() as conn:
            for key in _keys(conn, run_ids):
                for tag in remove:
                    facets.remove(conn, key, "tag", search.clean(tag))
                for tag in added:
                    facets.add(conn, key, "tag", tag)
                count = "select count(*) from facet where run = ? and field = 'tag'"
                if conn.execute(count, (key,)).fetchone()[0] > MOST_TAGS:
                    raise UsageError(f"a run takes {MOST_TAGS} tags; take one away first")

    def note(self, run_id: str, text: str) -> None:
        """Write the note of a run; "" takes it away."""
        text = search.clean(text.replace("\0", " ").strip())
        if len(text) > LONGEST_NOTE:
            raise UsageError(
                f"a note takes {LONGEST_NOTE:,} characters; this one has {len(text):,}"
            )
        with self._writing() as conn:
            for key in _keys(conn, [run_id]):
                _set(conn, key, "note", text)

    def delete(self, run_ids: Sequence[str]) -> tuple[int, int]:
        """Throw runs away; they stay until the trash is emptied. A run under way stays.

        Returns how many, and the time they bear: `restore` takes it.
        """
        now = time.time_ns()
        with self._writing() as conn:
            keys = _keys(conn, run_ids)
            ended = [run for run in read(conn, keys) if run.status != "running"]
            for key in _keys(conn, [run.id for run in ended]):
                _set(conn, key, "deleted_ns", now)
        return len(ended), now

    def restore(self, run_ids: Sequence[str] = (), *, deleted_ns: int | None = None) -> int:
        """Take runs out of the trash: those named, and those thrown away together at that time.

        Returns how many.
        """
        with self._writing() as conn:
            chosen = set(_keys(conn, run_ids))
            rows = conn.execute("select run from label where deleted_ns = ?", (deleted_ns,))
            chosen |= {key for (key,) in rows}
            for key in chosen:
                _set(conn, key, "deleted_ns", None)
        return len(chosen)

    def save_filter(self, name: str, query: str, order: str = "") -> SavedFilter:
        """Keep a filter under a name; one of that name is replaced. Raises QueryError."""
        name = search.clean(" ".join(name.split()))
        if not 0 < len(name) <= _LONGEST_NAME:
            raise UsageError(f"give the filter a name of up to {_LONGEST_NAME} characters")
        kept = SavedFilter(name, str(parse(query)), str(parse_order(order)) if order else "")
        with self._writing() as conn:
            conn.execute(
                "insert into saved_filter (name, query, sort) values (?, ?, ?)"
                " on conflict (name) do update set query = excluded.query, sort = excluded.sort",
                (kept.name, kept.query, kept.order),
            )
            if conn.execute("select count(*) from saved_filter").fetchone()[0] > _MOST_SAVED:
                raise UsageError(f"{_MOST_SAVED} filters are saved already; remove one first")
        return kept

    def remove_filter(self, name: str) -> None:
        """Forget a saved filter."""
        with self._writing() as conn:
            conn.execute("delete from saved_filter where name = ?", (search.clean(name),))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        conn = connection.connect(self.path, create=False)
        try:
            conn.execute("begin immediate")
            yield conn
            # What is all empty again needs no row.
            conn.execute(
                "delete from label where pinned_ns is null and deleted_ns is null and note = ''"
            )
            conn.execute("commit")
        except sqlite3.Error as error:
            sentence = store_error(error, self.path)
            if sentence is None:
                raise
            raise sentence from error
        finally:
            connection.close_quietly(conn)  # undoes what was not committed


def _keys(conn: sqlite3.Connection, run_ids: Sequence[str]) -> list[int]:
    rows = conn.execute(
        "select key from run where id in (select value from json_each(?))",
        (json.dumps(list(run_ids)),),
    )
    return [key for (key,) in rows]


def _set(conn: sqlite3.Connection, key: int, column: str, value: object) -> None:
    conn.execute(
        f"insert into label (run, {column}) values (?1, ?2)"
        f" on conflict (run) do update set {column} = ?2",
        (key, value),
    )


def _tag(text: str) -> str:
    """A tag as it is kept. Raises UsageError."""
    tag = search.clean("-".join(text.split()).strip(",\"'"))
    if not tag or len(tag) > LONGEST_TAG or "," in tag or '"' in tag:
        raise UsageError(
            f"{text[:60]!r} can't be a tag: write one word of up to {LONGEST_TAG} characters, "
            "without commas and quotation marks"
        )
    return tag
