"""Whether a run waits for somebody, and that somebody is there: a page that shows it."""

import time

from tracer_ui.api import Run, Store, TracerError, watch_questions
from tracer_ui.questions import QuestionView, question_view
from tracer_ui.site import Site

_BEAT_SECONDS = 5.0


def waiting(site: Site, store: Store, run: Run) -> QuestionView | None:
    """The question that a run under way waits with, if it does; and that somebody is here now."""
    if not run.waiting or run.status != "running":
        return None
    found = store.questions(run.id, "open")
    if not found:
        return None
    keep_open(site, run.id)
    return question_view(found[0], more=len(found) - 1)


def keep_open(site: Site, run_id: str) -> None:
    """Somebody looks at the run: its questions wait on. Said every few seconds."""
    now = time.monotonic()
    if now - site.beats.get(run_id, -_BEAT_SECONDS) < _BEAT_SECONDS:
        return
    site.beats[run_id] = now
    try:
        watch_questions(site.database, run_id)
    except TracerError:  # locked for a moment, or not writable: answering will say so
        return
