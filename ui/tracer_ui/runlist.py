"""A page of the run list: which runs it holds, and what follows.

Everything, newest first, is shown as families: a run with its re-executions folded under it, where
the newest of them stands. A filtered or sorted list shows each run by itself.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tracer_ui.api import Family, NotFoundError, Run, Store
from tracer_ui.asked import Asked
from tracer_ui.runrows import ALONE, PAGE, Kin, RunRow, place_in, run_rows

_MOST_KIN = 200
_MOST_PAGES = 20  # read for one page, where re-executions of a few runs fill many


@dataclass(frozen=True, slots=True)
class RunRows:
    """A page of the list. `more` is the address of what follows, "" at the end."""

    rows: tuple[RunRow, ...]
    more: str
    more_fragment: str


def rows(store: Store, asked: Asked, before: str | None, unfolded: Collection[str]) -> RunRows:
    """The rows that follow the run `before`, from the top if None. Raises NotFoundError."""
    if asked.problem:
        return RunRows((), "", "")
    shown: list[tuple[Run, Kin]] = []
    for _ in range(_MOST_PAGES):
        found = store.runs(query=asked.query, order=asked.order, limit=PAGE + 1, before=before)
        page = found[:PAGE]
        if asked.is_plain:
            shown += _families(store, page, unfolded)
        else:
            shown += [(run, ALONE) for run in page]
        if len(found) <= PAGE:
            return RunRows(run_rows(store, shown), "", "")
        before = page[-1].id
        if len(shown) >= PAGE // 2:
            break
    more = asked.parameters(before=before or "")
    return RunRows(run_rows(store, shown), f"/runs{more}", f"/f/runs{more}")


def kin(store: Store, run_id: str) -> tuple[RunRow, ...]:
    """The re-executions that are folded under a run."""
    family = store.families([run_id]).get(run_id)
    return () if family is None else run_rows(store, _members(store, family))


def _families(
    store: Store, page: list[Run], unfolded: Collection[str]
) -> Iterator[tuple[Run, Kin]]:
    known = store.families([run.id for run in page])
    for run in page:
        family = known.get(run.id)
        if family is None or run.id not in dict(family.members):
            yield run, ALONE
        elif family.newest == run.id:
            root = run if family.root == run.id else store.find_run(family.root)
            place = place_in(family, root)
            opened = root.id in unfolded
            yield root, Kin(kin=place.kin, open=opened, waits=place.waits and not opened)
            if opened:
                yield from _members(store, family)


def _members(store: Store, family: Family) -> Iterator[tuple[Run, Kin]]:
    for member, depth in family.members[1 : _MOST_KIN + 1]:
        try:
            yield store.find_run(member), Kin(depth, family.root)
        except NotFoundError:  # pruned meanwhile
            continue
