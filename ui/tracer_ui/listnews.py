"""Server-sent events of the run list: running rows that change, and how many runs are new."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from tracer_ui.api import NotFoundError, Run, RunOrder, RunQuery, Store
from tracer_ui.asked import Asked
from tracer_ui.contexts import Context
from tracer_ui.live import Look, Message
from tracer_ui.rendering import html
from tracer_ui.runrows import ALONE, PAGE, RunRow, place_in, run_rows
from tracer_ui.site import Site

PAUSE = 1.0
_MAX_NEW = 100
_NEWEST = 5  # runs whose going on may make them fit a filter
EVERYTHING = Asked("", RunQuery(), RunOrder(), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNews(Context):
    """Rows to replace, and the number of runs that came since the page was made; `fresh` and
    `path` are where they are to be had, as a fragment and as a page.
    """

    template: ClassVar[str] = "_news_runs.html"
    rows: tuple[RunRow, ...]
    new: int
    fresh: str
    path: str


def wait_for_run(site: Site) -> Look:
    """`open` with the address of the first run, as soon as there is one."""

    def look() -> tuple[list[Message], bool]:
        store = site.store()
        runs = [] if store is None else store.runs(limit=1)
        if not runs or (not runs[0].steps and runs[0].status == "running"):
            return [], False
        return [Message(f"/runs/{runs[0].id}", "open")], True

    return look


def watch_list(
    site: Site, newest: str, running: Iterable[str] = (), asked: Asked = EVERYTHING
) -> Look:
    """News of the list that was asked for when `newest` was the newest run and `running` ran."""
    # Runs under way as last sent; a run may have ended since the page was made.
    shown: dict[str, tuple[object, ...]] = dict.fromkeys(running, ())
    counted = 0
    looked: tuple[object, ...] = ()

    def look() -> tuple[list[Message], bool]:
        nonlocal counted, looked
        store = site.store()
        if store is None:
            return [], False
        runs = _watched(store, shown)
        changed = [run for run in runs if _has_changed(run, shown)]
        # Counting a filtered list costs something: only when a run came or went on.
        now = (runs[0].id if runs else "", *map(_state, runs[:_NEWEST]))
        new = counted if now == looked else _count_new(store, asked, newest)
        looked = now
        if not changed and new == counted:
            return [], False
        counted = new
        news = ListNews(
            rows=_rows(store, changed, asked),
            new=new,
            fresh=f"/f/runs/fresh{asked.parameters()}",
            path=asked.path(),
        )
        return [Message(html(news).decode())], False

    return look


def _watched(store: Store, shown: Iterable[str]) -> list[Run]:
    """The newest runs, and those under way when they were last looked at."""
    runs = store.runs(limit=PAGE)
    known = {run.id for run in runs}
    return [*runs, *_found(store, [run_id for run_id in shown if run_id not in known])]


def _found(store: Store, run_ids: Iterable[str]) -> Iterator[Run]:
    for run_id in run_ids:
        with suppress(NotFoundError):  # pruned meanwhile
            yield store.find_run(run_id)


def _state(run: Run) -> tuple[object, ...]:
    return (run.status, run.steps, run.cost_usd, run.usage, run.waiting)


def _has_changed(run: Run, shown: dict[str, tuple[object, ...]]) -> bool:
    """Whether a run that is or was under way differs from what was sent; notes what is sent."""
    watched = run.status == "running" or run.id in shown
    changed = watched and shown.get(run.id) != _state(run)
    if changed:
        shown[run.id] = _state(run)
    if run.status != "running":
        shown.pop(run.id, None)
    return changed


def _count_new(store: Store, asked: Asked, newest: str) -> int:
    try:
        return 0 if asked.problem else store.count_runs(asked.query, after=newest, most=_MAX_NEW)
    except NotFoundError:  # deleted for good, or there was none
        return 0


def _rows(store: Store, runs: list[Run], asked: Asked) -> tuple[RunRow, ...]:
    families = store.families([run.id for run in runs]) if asked.is_plain else {}
    # Where it is folded, the run it came from tells of it.
    roots = {family.root for family in families.values()} - {run.id for run in runs}
    runs = [*runs, *_found(store, sorted(roots))]
    families |= {family.root: family for family in families.values()}
    return run_rows(
        store,
        [(run, place_in(families[run.id], run) if run.id in families else ALONE) for run in runs],
    )
