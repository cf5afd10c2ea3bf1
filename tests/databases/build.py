"""Writes the fixture of the present schema, unless it is there already."""

import sys
from pathlib import Path

from tests.store.build import (
    model_start,
    reply,
    request,
    run_end,
    run_start,
    step_end,
    step_start,
    used,
)
from tracer.core.chain import BodySplitter
from tracer.core.draws import Drawn
from tracer.core.questions import Question
from tracer.core.records import ErrorInfo
from tracer.store.labels import Labels, RunLabel
from tracer.store.migrations import MIGRATIONS
from tracer.store.writes import Noted, Value
from tracer.store.writing import StoreWriter

FOLDER = Path(__file__).parent
PRINTED = b'[["out","no such order"]]'
LABEL = RunLabel(pinned=True, note="ask Ana", tags=("lamps",))
ABOUT = {"asked": {"order": 7}, "why": ["breakpoint any"], "goes": "live", "can": ["continue"]}
ERROR = ErrorInfo("builtins.KeyError", "'order'", "Traceback …")


def current() -> Path:
    """Where the fixture of the present schema stands."""
    return FOLDER / f"{list(MIGRATIONS)[-1].split('_')[0]}.db"


def write(path: Path) -> None:
    """Two model calls with a shared history, a tool that prints and fails, a replay without end,
    a label and a saved filter."""
    writer, splitter = StoreWriter(path), BodySplitter()
    writer.start_run(run_start(1, input=Value(b'{"question":"Where is my lamp?"}')))
    for n, messages in enumerate((["system", "user"], ["system", "user", "assistant"]), start=1):
        asked, _ = request(splitter, messages)
        writer.start_step(model_start(n, input=asked, search_text=messages[-1]))
        said = reply(b"data: 1\n\n", b"data: 2\n\n")
        end = step_end(n, output=said, output_messages=b"[]", usage=used(10), cost_usd=0.25)
        writer.end_step(end)
    writer.start_step(step_start(3, search_text="lamp"))
    writer.add_noted(Noted(run_start(1).run_id, 3, "printed", PRINTED))
    writer.end_step(step_end(3, status="error", output=None, error=ERROR))
    drawn = Drawn("agent1", "clock", (1_790_000_000_000_000_000, 1_790_000_000_000_001_000), (1, 3))
    writer.add_draws(run_start(1).run_id, [drawn])
    question = Question(run_start(1).run_id, "1" * 16, "tool", "search", 5, ABOUT)
    writer.add_question(question)
    writer.end_question(question.id, {"do": "continue", "by": "page"})
    writer.end_run(run_end(1, status="error", error=ERROR, warnings=("watch out",)))
    writer.start_run(run_start(2, parent_run=run_start(1).run_id))
    writer.close()
    labels, first = Labels(path), run_start(1).run_id
    labels.pin([first], pinned=True)
    labels.tag([first], LABEL.tags)
    labels.note(first, LABEL.note)
    labels.save_filter("dear", "cost:>0.1", "cost")


if __name__ == "__main__":
    if current().exists():
        sys.exit(f"{current()} was shipped and stays as it is")
    write(current())
