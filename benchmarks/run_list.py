"""The list of very many runs, against the list of few."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.processes import helper
from benchmarks.rows import Row, Target, compared
from benchmarks.visits import Site
from tracer.store.writes import RunEnd, RunStart, Value
from tracer.store.writing import StoreWriter

MANY, FEW = 100_000, 60
QUICK_MANY = 1_000
ROUNDS = 15
QUICK_ROUNDS = 1
_BEGAN_NS = 1_790_000_000_000_000_000
_TRANSACTION = 1_000
_LISTS = (
    ("/runs", ""),
    ("/runs?q=status:failed", ", those that failed"),
    ("/runs?q=cost:>1", ", by a comparison that fits none"),
    ("/runs?sort=duration", ", by duration"),
)


def measure(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Rows: the newest runs, those that failed (two of all did), none, and sorted."""
    many = QUICK_MANY if quick else MANY
    _record(folder / "many.db", many)
    _record(folder / "few.db", FEW)
    with (
        helper("pages_server", str(folder / "many.db")) as ours,
        helper("pages_server", str(folder / "few.db")) as other,
    ):
        sites = Site(ours), Site(other)
        with closing(sites[0].connection), closing(sites[1].connection):
            for path, name in _LISTS:
                for site in sites:
                    site.get(path)  # imports and templates
                pairs = [
                    (sites[0].get(path)[0], sites[1].get(path)[0])
                    for _ in range(QUICK_ROUNDS if quick else ROUNDS)
                ]
                label = f"list of {many:,} runs{name}"
                yield compared(label, "ms", pairs, f"list of {FEW} runs", Target("value", 50))


def _record(database: Path, count: int) -> None:
    """Runs without steps; the first two failed, every tenth is a replay of the one before."""
    chance = random.Random(count)
    writer = StoreWriter(database)
    before = None
    try:
        writer.begin()
        for at in range(count):
            before = _run(writer, at, f"{chance.getrandbits(128):032x}", before)
            if at % _TRANSACTION == _TRANSACTION - 1:
                writer.commit()
                writer.begin()
        writer.commit()
    finally:
        writer.close()


def _run(writer: StoreWriter, at: int, run_id: str, before: str | None) -> str:
    writer.start_run(
        RunStart(
            run_id=run_id,
            name=f"agent {at % 7}",
            started_ns=_BEGAN_NS + at * 10**9,
            input=Value(b'{"question": "what about %d?"}' % at),
            entry={"kind": "function", "name": "agent"},
            pid=None,
            environment={"python": "3.11"},
            parent_run=before if at % 10 == 9 else None,
        )
    )
    ended_ns = _BEGAN_NS + at * 10**9 + 5 * 10**8
    status = "error" if at < 2 else "ok"
    writer.end_run(RunEnd(run_id, status, ended_ns, Value(b'"answer %d"' % at), None))
    return run_id
