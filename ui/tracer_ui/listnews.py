"""Server-sent events of the run list: running rows that change, and how many runs are new."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from tracer_ui.api import NotFoundError, Run, Store
from tracer_ui.contexts import Context
from tracer_ui.live import Look, Message
from tracer_ui.rendering import html
from tracer_ui.runrows import MAX_DEPTH, PAGE, RunRow, run_row
from tracer_ui.site import Site

PAUSE = 1.0
_MAX_NEW = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNews(Context):
    """Rows to replace, and the number of runs that came since the page was made."""

    template: ClassVar[str] = "_news_runs.html"
    rows: tuple[RunRow, ...]
    new: int


def wait_for_run(site: Site) -> Look:
    """`open` with the address of the first run, as soon as there is one."""

    def look() -> tuple[list[Message], bool]:
        store = site.store()
        runs = [] if store is None else store.runs(limit=1)
        if not runs or (not runs[0].steps and runs[0].status == "running"):
            return [], False
        return [Message(f"/runs/{runs[0].id}", "open")], True

    return look


def watch_list(site: Site, newest: str, running: Iterable[str] = ()) -> Look:
    """News of the list that was made when `newest` was its newest run and `running` ran."""
    # Runs under way as last sent; a run may have ended since the page was made.
    shown: dict[str, tuple[object, ...]] = dict.fromkeys(running, ())
    counted = 0

    def look() -> tuple[list[Message], bool]:
        nonlocal counted
        store = site.store()
        if store is None:
            return [], False
        runs = store.runs(limit=PAGE)
        new = next((i for i, run in enumerate(runs) if run.id == newest), 0)
        changed = []
        for run in runs:
            state = (run.status, run.steps, run.cost_usd, run.usage, run.waiting)
            if (run.status == "running" or run.id in shown) and shown.get(run.id) != state:
                shown[run.id] = state
                changed.append(run)
            if run.status != "running":
                shown.pop(run.id, None)
        if not changed and new == counted:
            return [], False
        counted = new
        rows = tuple(run_row(run, _depth(store, run)) for run in changed)
        return [Message(html(ListNews(rows=rows, new=min(new, _MAX_NEW))).decode())], False

    return look


def _depth(store: Store, run: Run) -> int:
    depth = 0
    while run.parent_run is not None and depth < MAX_DEPTH:
        try:
            run = store.find_run(run.parent_run)
        except NotFoundError:
            break
        depth += 1
    return depth
