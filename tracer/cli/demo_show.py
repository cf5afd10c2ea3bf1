"""The demo for a person: one failing run in the project's database, then the web UI on it."""

import json
import os
import shlex
from pathlib import Path

from tracer.cli.demo_check import record
from tracer.cli.output import say
from tracer.cli.ui import find_ui, serve_ui
from tracer.demo.local_models import ANTHROPIC, OPENAI
from tracer.demo.samples import SUPPORT
from tracer.errors import CannotReplayError
from tracer.store.reading import Store


def show_demo(database: Path, *, port: int, open_browser: bool) -> None:
    """Record the sample and serve the UI until it is stopped.

    The sample starts its own model server where it finds no key, in a fork too; so keys are kept
    from it here, or a fork from the page would ask a real provider.
    """
    find_ui()  # its absence is said before anything is recorded
    folder = database.parent
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TRACER_DB"] = str(database)
    # Forks made in the UI inherit it, so that the sample writes nothing into the project.
    os.environ.setdefault("TRACER_DEMO_LEDGER", str(folder / "demo_ledger.jsonl"))
    for name in (*OPENAI, *ANTHROPIC):
        os.environ.pop(name, None)
    done = record(SUPPORT, folder)
    with Store.open(database) as store:
        run = store.find_run("last")
    if run.status != "error":
        raise CannotReplayError(f"the sample agent can't be recorded here: {done.stderr[-300:]}")
    say(f"Recorded run {run.id[:8]}: {SUPPORT.error_message}.")
    say(f"Why? Look at model call {SUPPORT.blamed_call} in the UI, and fork it there, or here:")
    say(f"  {_fork_line(run.id[:8])}")
    serve_ui(database, port=port, open_browser=open_browser)


def _fork_line(run: str) -> str:
    arguments = json.dumps(SUPPORT.right.arguments)
    words = ["tracer", "fork", run, "--model-call", str(SUPPORT.blamed_call)]
    words += ["--tool-call", SUPPORT.right.name, arguments, "--tool", "*=live"]
    return shlex.join(words)
