"""The folder that an agent works on: its state is noted around each step that may change it.

Asked for by `tracer run --workspace` or `@tracer.agent(workspace=…)`. States are kept by git in a
repository of tracer's own (`store.trees`); a step names the one it began with and the one it left,
where they differ from what was known.
"""

import os
import threading
from pathlib import Path
from typing import Any

from tracer.capture.boundary import OpenStep
from tracer.capture.guard import report
from tracer.core.records import JSON
from tracer.store.trees import State, TreeError, Trees, repository_of

# Before these something may have happened outside any step; after those something was done.
_BEFORE = ("model", "tool")
_AFTER = ("tool", "step")
_MOST_NAMED = 200  # changed files that a step lists


class Workspace:
    """One run's folder. Thread-safe; a fault ends it, and is said on the run."""

    def __init__(self, folder: Path, database: Path, run_id: str) -> None:
        self.folder = folder
        repository = repository_of(database)
        self.trees = Trees(folder, repository, repository / f"index-{run_id}")
        self._database = database
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._known: State | None = None  # None: not begun, or given up

    def begin(self) -> dict[str, JSON]:
        """Note the first state: what is said of it on the run. Raises TreeError."""
        # Beside the database lie its journal, its key and these states.
        beside = self._database.parent
        if beside == self.folder:
            raise TreeError(f"the database {self._database.name} stands in it: choose another --db")
        self.trees.create(without=[beside])
        self._known = self.trees.snapshot()
        return {"path": str(self.folder), "state": self._known.as_json()}

    def before(self, step: OpenStep) -> None:
        """A step begins; its call's detail has not been written yet."""
        if step.call.kind in _BEFORE:
            self._note(step, "before")

    def after(self, step: OpenStep) -> None:
        """A step ends; the same."""
        if step.call.kind in _AFTER:
            self._note(step, "after")

    def _note(self, step: OpenStep, when: str) -> None:
        # What a forked process does is part of the step that waits for it.
        if self._known is None or os.getpid() != self._process:
            return
        try:
            with self._lock:
                known, now = self._known, self.trees.snapshot()
                self._known = now
            if now == known:
                return
            about: dict[str, Any] = step.call.detail.setdefault("workspace", {})
            about[when] = now.as_json()
            if when == "after":
                changes = self.trees.changes(known, now)[:_MOST_NAMED]
                about |= {"from": known.as_json(), "changed": [[c.word, c.path] for c in changes]}
        except Exception as error:
            self._known = None
            report("following the workspace", error)
            step.run.note(
                f"the workspace could not be followed beyond step {step.n} ({error}): a fork "
                "behind it would not see the files as they were"
            )
            step.call.detail["workspace"] = {"lost": True}

    def end(self) -> None:
        """The run is over."""
        self._known = None
        self.trees.close()
