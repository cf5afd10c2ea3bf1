"""Which run, which step: what a person may type to name one."""

import sqlite3
from collections.abc import Iterator
from itertools import islice

from tracer.core.records import Run, Step, StepPlace, StepStatus
from tracer.errors import NotFoundError
from tracer.store import blobs
from tracer.store.filtering import DELETED
from tracer.store.rows import RUN_COLUMNS, STEP_COLUMNS, run_from, run_status, step_from
from tracer.store.runs import no_run

_FAILED = ("error", "interrupted")
# The process of one under way may be gone; the first part is what the index knows.
_MAY_HAVE_FAILED = "status <> 'ok' and status in ('error', 'interrupted', 'running')"
_KEPT = f"run.key not in ({DELETED})"
_NEWEST = "order by started_ns desc, key desc"
_SHOWN = 5


def forks_of(conn: sqlite3.Connection, run_id: str) -> list[Run]:
    """The runs that were forked or replayed from a run, newest first."""
    return list(_runs(conn, f"parent_run = ? and {_KEPT}", [run_id]))


def find_run(conn: sqlite3.Connection, ref: str) -> Run:
    """The run an id, a unique prefix, `last` or `last-failed` names."""
    ref = ref.strip()
    if ref in ("last", "last-failed"):
        return _last(conn, failed=ref == "last-failed")
    fitting = list(islice(_runs(conn, "run.id = ?", [ref]), 1)) if ref else []
    if not fitting and ref:
        prefix = ref.lower()
        ids = conn.execute(
            f"select id, name from run where id >= ? and id < ? {_NEWEST}",
            (prefix, prefix + "\U0010ffff"),
        ).fetchall()
        if len(ids) > 1:
            raise NotFoundError(
                f"{ref!r} fits {len(ids)} runs ({_listed(ids)}); give more of the id"
            )
        fitting = [run for id_, _ in ids for run in _runs(conn, "run.id = ?", [id_])]
    if not fitting:
        raise no_run(ref) if _any_run(conn) else _nothing()
    return fitting[0]


def steps(conn: sqlite3.Connection, run_id: str, first: int, last: int | None) -> list[Step]:
    """Steps `first` to `last` (inclusive; None = to the end) in order of start."""
    key, open_means = _context(conn, run_id)
    rows = conn.execute(
        f"select {STEP_COLUMNS} from step where run = ? and n >= ? and n <= ? order by n",
        (key, first, (1 << 62) if last is None else last),
    )
    return [step_from(row, run_id, open_means) for row in rows]


def places(conn: sqlite3.Connection, run_id: str, first: int) -> list[StepPlace]:
    """Where the steps from `first` on stand, in order of start."""
    key, open_means = _context(conn, run_id)
    rows = conn.execute(
        "select n, id, parent, kind, name, "
        " case when status = 'running' then ? else status end, source"
        " from step where run = ? and n >= ? order by n",
        (open_means, key, first),
    )
    return list(map(StepPlace._make, rows))


def step(conn: sqlite3.Connection, run_id: str, ref: int | str) -> Step:
    """The step a number, an id or a unique prefix of an id names."""
    key, open_means = _context(conn, run_id)
    text = str(ref).strip().lower()
    rows: list[tuple[object, ...]] = []
    if text.isascii() and text.isdigit() and len(text) < 10:
        rows = _step_rows(conn, "n = ?", key, int(text))
    # "12" is a number and nothing else; four digits may be the start of an id.
    if not rows and isinstance(ref, str) and len(text) >= (4 if text.isdigit() else 1):
        rows = _step_rows(conn, "id = ?", key, text) or _step_rows(
            conn, "id >= ? and id < ?", key, text, text + "\U0010ffff"
        )
    if len(rows) > 1:
        fitting = [(str(row[1]), f"step {row[0]}") for row in rows]
        raise NotFoundError(
            f"{text!r} fits {len(rows)} steps ({_listed(fitting)}); give more of the id"
        )
    if not rows:
        (count,) = conn.execute("select count(*) from step where run = ?", (key,)).fetchone()
        steps = "1 step" if count == 1 else f"{count} steps"
        raise NotFoundError(f"run {run_id[:8]} has {steps}, there is no step {text}")
    return step_from(rows[0], run_id, open_means)


def _runs(conn: sqlite3.Connection, where: str, parameters: list[object]) -> Iterator[Run]:
    documents: dict[int, bytes] = {}  # environments repeat from run to run
    sql = f"select {RUN_COLUMNS} from run where {where} {_NEWEST}"
    for row in conn.execute(sql, parameters):
        for rowid in row[-2:]:
            if rowid not in documents:
                documents[rowid] = blobs.get(conn, rowid) or b"{}"
        yield run_from(row, documents)


def _last(conn: sqlite3.Connection, *, failed: bool) -> Run:
    where = f"parent_run is null and {_KEPT}"
    for run in _runs(conn, f"{where} and {_MAY_HAVE_FAILED}" if failed else where, []):
        if not failed or run.status in _FAILED:
            return run
    if failed and _any_run(conn):
        raise NotFoundError("no run has failed; `tracer ls` lists the runs")
    raise _nothing()


def _any_run(conn: sqlite3.Connection) -> bool:
    return conn.execute("select 1 from run limit 1").fetchone() is not None


def _nothing() -> NotFoundError:
    return NotFoundError("no run is recorded yet; record one with `tracer run SCRIPT`")


def _listed(named: list[tuple[str, str]]) -> str:
    shown = ", ".join(f"{id_[:12]} {name}" for id_, name in named[:_SHOWN])
    return f"{shown}, …" if len(named) > _SHOWN else shown


def _context(conn: sqlite3.Connection, run_id: str) -> tuple[int, StepStatus]:
    """Row of a run, and what its steps without an end count as."""
    row = conn.execute(
        "select key, status, origin, process, coalesce(last_step_ns, started_ns)"
        " from run where id = ?",
        (run_id,),
    ).fetchone()
    if row is None:
        raise no_run(run_id)
    return row[0], "running" if run_status(*row[1:]) == "running" else "interrupted"


def _step_rows(
    conn: sqlite3.Connection, where: str, run: int, *parameters: object
) -> list[tuple[object, ...]]:
    return conn.execute(
        f"select {STEP_COLUMNS} from step where run = ? and {where} order by n",
        (run, *parameters),
    ).fetchall()
