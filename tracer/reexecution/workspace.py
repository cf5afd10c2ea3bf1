"""The workspace of a re-execution: what is answered from the recording changes its files too.

The copy starts as the recorded folder did. A step that is answered leaves it as the recorded one
did; behind the fork point only the files which that step changed are changed, if they still are
what they were then. What runs for real works on the copy.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from tracer.capture.boundary import OpenStep
from tracer.capture.guard import report
from tracer.capture.workspace import Workspace
from tracer.core.records import JSON, Step
from tracer.errors import CannotReplayError, PolicyStop, SetupStop
from tracer.reexecution.answers import Answers
from tracer.reexecution.handler import Answerer
from tracer.reexecution.scratch import (
    Scratch,
    copy_workspace,
    own_mounts,
    put_in_place,
)
from tracer.reexecution.tripwire import unwatched
from tracer.store.trees import State, TreeError, Trees, repository_of
from tracer.store.workspaces import History, change_of

T = TypeVar("T")


def prepare(path: Path, first: State, database: Path, folder: Path, keep: Path | None) -> Scratch:
    """Put a copy of the workspace `path` in its place, its files in the `first` state. To be called
    before a second thread starts. `folder` is this re-execution's own; `keep`: where what it writes
    is wanted."""
    repository, copy = repository_of(database), folder / "workspace"
    # What this process needs stays the real one.
    needed = [database.parent, Path(tempfile.gettempdir()).resolve(), Path(sys.prefix).resolve()]
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        needed.append(keep.resolve())
    mounts = path.is_dir() and path not in needed and own_mounts()
    kept = [one for one in needed if one.is_relative_to(path)] if mounts else []
    try:
        copy_workspace(path, copy, without=[*kept, repository, folder])
        trees = Trees(copy, repository, repository / f"index-start-{os.getpid()}")
        trees.create()
        trees.restore(first)
        trees.close()
    except (OSError, shutil.Error, TreeError) as error:
        raise CannotReplayError(f"the workspace {path} can't be copied: {error}") from None
    if mounts and put_in_place(copy, path, kept):
        return Scratch(path, copy, path)
    here = Path.cwd()
    if here.is_relative_to(path):
        os.chdir(copy / here.relative_to(path))
    return Scratch(path, copy, copy)


def keep_files(scratch: Scratch, keep: Path) -> None:
    """Copy the workspace as it is now below a folder, where its path says."""
    target = keep / scratch.recorded.relative_to(scratch.recorded.anchor)
    mounted = [path for path in scratch.folder.rglob("*") if os.path.ismount(path)]
    copy_workspace(scratch.folder, target, without=mounted)


class Followed(Workspace):
    """The copy, while a re-execution works on it."""

    def __init__(
        self,
        scratch: Scratch,
        database: Path,
        run_id: str,
        history: History,
        steps: list[Step],
        handler: Answerer,
    ) -> None:
        super().__init__(scratch.seen, database, run_id)
        self._recorded = scratch
        self._history = history
        self._steps = {step.id: step for step in steps}
        self._handler = handler
        self._reached = -1  # sequence number up to which the copy is as recorded

    def before(self, step: OpenStep) -> None:
        with unwatched():
            self._before(step)

    def after(self, step: OpenStep) -> None:
        with unwatched():
            self._after(step)

    def _before(self, step: OpenStep) -> None:
        recorded = self._step_of(step)
        if recorded is not None and (self._is_fork(recorded) or not self._handler.forked):
            self._bring(step, self._history.before(recorded), recorded.start_seq)
        super().before(step)

    def _after(self, step: OpenStep) -> None:
        recorded = self._step_of(step)
        change = None if recorded is None else change_of(recorded)
        if recorded is not None and change is not None and not self._is_fork(recorded):
            if not self._handler.forked:
                self._bring(step, change[1], recorded.end_seq or recorded.start_seq)
            elif step.decision.source == "recorded":
                self._do_again(step, recorded, *change)
        super().after(step)

    def _step_of(self, step: OpenStep) -> Step | None:
        """The recorded step that answers a step, or that it is when its code runs again."""
        if "again" in step.decision.detail:  # the model is asked again: the fork step
            return self._handler.rules.fork
        return self._steps.get(step.decision.matched_step or "")

    def _is_fork(self, recorded: Step) -> bool:
        fork = self._handler.rules.fork
        return fork is not None and recorded.id == fork.id

    def _bring(self, step: OpenStep, state: State, sequence: int) -> None:
        if sequence < self._reached:
            return
        with self._lock:
            if sequence < self._reached:
                return
            self._reached = sequence
            if state != self._known:
                self._try(step, lambda: self.trees.restore(state))

    def _do_again(self, step: OpenStep, recorded: Step, before: State, after: State) -> None:
        with self._lock:
            changed = self._try(step, lambda: self.trees.apply(before, after))
        if changed is not None:
            raise self._handler.stop(
                PolicyStop(
                    f"step {recorded.n} ({recorded.name}) is answered from the recording but had "
                    f"changed {changed}, which is no longer as it was: let it run with "
                    f"--tool {recorded.name}=live"
                )
            )

    def _try(self, step: OpenStep, act: Callable[[], T]) -> T:
        try:
            return act()
        except (OSError, TreeError) as error:
            report("restoring the workspace", error)
            raise self._handler.stop(
                SetupStop(f"the files could not be brought to step {step.n}: {error}")
            ) from None

    def begin(self) -> dict[str, JSON]:
        try:
            with unwatched():
                told = super().begin()
        except TreeError as error:
            raise CannotReplayError(f"the workspace can't be followed: {error}") from None
        return told | {"path": str(self._recorded.recorded)}


def refuse_named(folder: Path, steps: Iterable[Step], answers: Answers) -> None:
    """Raises CannotReplayError where a step was asked something with the folder's path in it: what
    uses that works on the real files."""
    named = next((step for step in steps if str(folder) in str(answers.asked(step))), None)
    if named is not None:
        raise CannotReplayError(
            f"step {named.n} names the workspace by its path {folder}, and this system lets no "
            "process see other files there: record with paths relative to the workspace, or "
            "re-execute where user namespaces are allowed"
        )
