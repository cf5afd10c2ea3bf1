"""Runs and what was re-executed from them: for each run, where it stands among its kin."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from tracer.store.filtering import DELETED

_MOST = 500  # runs of one family
_DEEPEST = 40  # only a hostile file makes a circle; it ends here

_ROOT = (
    "with recursive up (id, parent, depth) as ("
    " select id, parent_run, 0 from run where id = ?1 union all"
    " select run.id, run.parent_run, depth + 1 from up join run on run.id = up.parent"
    f" where depth < {_DEEPEST} and run.key not in ({DELETED}))"
    " select id from up order by depth desc limit 1"
)
_BELOW = (
    "with recursive down (id, depth, started_ns, key) as ("
    " select id, 0, started_ns, key from run where id = ?1 union all"
    " select run.id, depth + 1, run.started_ns, run.key"
    f" from down join run on run.parent_run = down.id where depth < {_DEEPEST}"
    f" and run.key not in ({DELETED}) order by 2 desc, 3 desc, 4 desc)"  # depth first
    f" select id, depth, started_ns, key from down limit {_MOST}"
)
_KIN = (
    "select id from run where id in (select value from json_each(?1)) and (parent_run is not null"
    f" or exists (select 1 from run as fork where fork.parent_run = run.id"
    f" and fork.key not in ({DELETED})))"
)

_WAITS = (
    "select exists (select 1 from question join run on run.key = question.run"
    " where question.state = 'open' and run.ended_ns is null"
    " and run.id in (select value from json_each(?1)))"
)


@dataclass(frozen=True, slots=True)
class Family:
    """A run that is no re-execution (or whose parent isn't here) and all that came of it.

    `members` are `(id, depth)`, each parent before its forks, newest fork first; the first is the
    root. `newest` is the id of the one that started last; `waits`: one of them for somebody's
    answer.
    """

    members: tuple[tuple[str, int], ...]
    newest: str
    waits: bool = False

    @property
    def root(self) -> str:
        """Id of the run that all others come from."""
        return self.members[0][0]


def of(conn: sqlite3.Connection, run_ids: Iterable[str]) -> dict[str, Family]:
    """The families of those runs that have one, by the id of the run."""
    found: dict[str, Family] = {}
    for (run_id,) in conn.execute(_KIN, (json.dumps(list(run_ids)),)).fetchall():
        if run_id not in found:
            family = _family(conn, run_id)
            # A member is asked for once; a run cut off at the most stands by itself.
            found |= dict.fromkeys([run_id, *(member for member, _ in family.members)], family)
    return found


def _family(conn: sqlite3.Connection, run_id: str) -> Family:
    (root,) = conn.execute(_ROOT, (run_id,)).fetchone()
    rows = conn.execute(_BELOW, (root,)).fetchall()
    seen: dict[str, int] = {}
    for member, depth, _, _ in rows:
        seen.setdefault(member, depth)
    newest = max(rows, key=lambda row: (row[2], row[3]))[0]
    (waits,) = conn.execute(_WAITS, (json.dumps(list(seen)),)).fetchone()
    return Family(tuple(seen.items()), newest, bool(waits))
