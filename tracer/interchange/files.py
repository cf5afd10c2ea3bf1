"""The files of the workspace that a step changed, and how."""

import os
from pathlib import Path

from tracer.core.records import Run, Step
from tracer.store.reading import Store
from tracer.store.trees import State, TreeError, Trees, repository_of
from tracer.store.workspaces import History, recorded_workspace

WORDS = {"A": "added", "M": "changed", "D": "removed"}


def changed_files(step: Step) -> list[tuple[str, str]]:
    """`(word, path)` of the files a step changed, as its recording lists them: the first two
    hundred. A value that is none of ours gives none."""
    told = step.detail.get("workspace")
    listed = told.get("changed") if isinstance(told, dict) else None
    found = []
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, list) and len(entry) == 2 and entry[0] in WORDS:
            found.append((WORDS[str(entry[0])], str(entry[1])))
    return found


def file_patch(store: Store, run: Run, step: Step) -> str | None:
    """What a step changed, as a unified diff; None where the states are not kept here."""
    found = recorded_workspace(run.environment)
    told = step.detail.get("workspace")
    after = State.from_json(told.get("after")) if isinstance(told, dict) else None
    repository = repository_of(store.path)
    if found is None or after is None or not (repository / "HEAD").is_file():
        return None
    before = History(found[1], store.steps(run.id)).before(step)
    trees = Trees(repository, repository, repository / f"index-look-{os.getpid()}")
    try:
        return trees.patch(before, after).decode("utf-8", "replace")
    except TreeError:
        return None


def workspace_path(run: Run) -> Path | None:
    """The folder a run worked on; None without one."""
    found = recorded_workspace(run.environment)
    return None if found is None else found[0]
