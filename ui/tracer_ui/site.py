"""What the pages of one server share: the database, the access rules, outlines, child processes."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request

from tracer_ui.api import Child, NoDatabase, Outcome, Run, Store, TracerError
from tracer_ui.outline import Outline
from tracer_ui.security import Access
from tracer_ui.traffic import Traffic

_KEPT_OUTLINES = 8
_WARMED = 4


class Children:
    """The re-executions started from a page, by run id. Thread-safe.

    They are kept so that a page can stop them and say how they ended. When the server ends they
    are stopped: nobody would be left who could.
    """

    def __init__(self) -> None:
        self._children: dict[str, Child] = {}
        self._lock = threading.Lock()

    def add(self, child: Child) -> None:
        """Keep a child that was just started."""
        with self._lock:
            self._children[child.run_id] = child

    def get(self, run_id: str) -> Child | None:
        """The child that records a run, None for runs not started here."""
        with self._lock:
            return self._children.get(run_id)

    def outcome(self, run_id: str) -> Outcome | None:
        """How a child ended; None while it runs and for runs not started here."""
        child = self.get(run_id)
        return None if child is None else child.poll()

    def is_running(self, run_id: str) -> bool:
        """Whether a run was started here and its process still lives."""
        child = self.get(run_id)
        return child is not None and child.poll() is None

    def stop_all(self) -> None:
        """Stop what still runs."""
        with self._lock:
            children = list(self._children.values())
        for child in children:
            if child.poll() is None:
                child.stop()


@dataclass(slots=True)
class Site:
    """State of one server. Everything but the children can be made again from the database."""

    database: Path
    access: Access
    children: Children = field(default_factory=Children)
    closing: threading.Event = field(default_factory=threading.Event)  # live streams end then
    traffic: Traffic = field(default_factory=Traffic)
    beats: dict[str, float] = field(default_factory=dict)  # when a waiting run was last looked at
    _store: Store | None = None
    _outlines: OrderedDict[str, tuple[Outline, bool]] = field(default_factory=OrderedDict)
    _lock: Any = field(default_factory=threading.Lock)

    def store(self) -> Store | None:
        """The database, None as long as nothing was ever recorded there. Raises StoreError."""
        with self._lock:
            if self._store is None:
                try:
                    self._store = Store.open(self.database)
                except NoDatabase:
                    return None
            return self._store

    def outline(self, store: Store, run: Run) -> Outline:
        """The tree of a run's steps; kept, because a finished run never changes."""
        with self._lock:
            kept = self._outlines.pop(run.id, None)
            outline, finished = kept or (Outline(), False)
            if not finished:
                # Read under the lock: two readers must not extend one outline at once.
                first = min([*outline.running(), outline.last + 1])
                outline.extend(store.places(run.id, first=first))
            self._outlines[run.id] = (outline, run.status != "running")
            while len(self._outlines) > _KEPT_OUTLINES:
                self._outlines.popitem(last=False)
            return outline

    def warm_up(self) -> None:
        """Read the outlines of the newest runs before anybody asks: a long one takes a moment."""
        try:
            store = self.store()
            for run in [] if store is None else store.runs(limit=_WARMED):
                if store is not None and not self.closing.is_set():
                    self.outline(store, run)
        except TracerError:  # the page that needs it will say what is wrong
            return

    def close(self) -> None:
        """End what this server started and let go of the database."""
        self.children.stop_all()
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None


def site_of(request: Request) -> Site:
    """The site a request belongs to."""
    site: Site = request.app.state.site
    return site
