"""The files of the workspace that a step changed, and how."""

from tracer.core.records import Step
from tracer.store.reading import Store
from tracer.store.trees import TreeError, is_kept, looking, repository_of
from tracer.store.workspaces import change_of

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


def file_patch(store: Store, step: Step) -> str | None:
    """What a step changed, as a unified diff; None where the states are not kept here."""
    change, repository = change_of(step), repository_of(store.path)
    if change is None or not is_kept(repository):
        return None
    try:
        return looking(repository).patch(*change).decode("utf-8", "replace")
    except TreeError:
        return None
