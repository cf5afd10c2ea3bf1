"""The questions of a re-execution at a terminal: shown there, answered in a line or an editor.

Whoever is faster answers: when a page has done so, the terminal says so and goes on.
"""

import json
import os
import select
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from tracer.core.printable import printable
from tracer.core.questions import Question
from tracer.errors import TracerError, UsageError
from tracer.reexecution.resolution import Resolution, answer_question, watch_questions
from tracer.reexecution.typed import GOES, resolution_of
from tracer.store.reading import Store

_BEAT_SECONDS = 2.0
_LOOK_SECONDS = 0.2
_SHOWN = 2000


def is_there() -> bool:
    """Whether somebody sits at this process's terminal and sees what is said there."""
    streams = (sys.stdin, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams)


class Terminal:
    """Answers the questions of one run, one after the other."""

    def __init__(self, database: Path, run_id: str) -> None:
        self._database = database
        self._run_id = run_id
        self._store: Store | None = None
        self._looked = 0.0
        self._beat = 0.0

    def look(self, is_over: Callable[[], bool]) -> None:
        """Show an open question, if there is one, until it is answered or the run `is_over`."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        try:
            if self._store is None:
                self._store = Store.open(self._database)
            for question in self._store.questions(self._run_id, "open")[:1]:
                self._ask(self._store, question, is_over)
        except TracerError:  # no database yet, or a locked one
            return

    def close(self) -> None:
        """Let go of the database."""
        if self._store is not None:
            self._store.close()

    def _ask(self, store: Store, question: Question, is_over: Callable[[], bool]) -> None:
        def is_open() -> bool:
            self._keep_open()
            found = store.question_state(question.id)
            return found is not None and found[0] == "open" and not is_over()

        _say(shown(question))
        while True:
            words = _line("> ", is_open)
            if words is None:
                _say("\n(answered elsewhere)" if not is_over() else "\n(the run has ended)")
                return
            try:
                given = self._read(question, words, is_open)
                if given is not None and not answer_question(self._database, question, given):
                    _say("(answered elsewhere)")
                if given is not None:
                    return
            except UsageError as error:
                _say(f"{printable(str(error))}")

    def _read(
        self, question: Question, words: str, is_open: Callable[[], bool]
    ) -> Resolution | None:
        """What was typed, asking for what is missing; None: ask again."""
        letter, _, rest = words.strip().partition(" ")
        rest = rest.strip()
        if letter in ("e", "a", "edit", "answer") and not rest:
            draft = _draft(question, letter[0])
            editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
            if editor:
                rest = _edited(editor, draft, is_open)
            else:
                found = _line(f"{_HINTS[letter[0]]}\n>> ", is_open)
                rest = (found or "").strip()
            if not rest:
                return None
        return resolution_of(question, letter, rest, "terminal")

    def _keep_open(self) -> None:
        """Somebody is there: the question waits on."""
        if time.monotonic() - self._beat > _BEAT_SECONDS:
            self._beat = time.monotonic()
            watch_questions(self._database, self._run_id)


_HINTS = {
    "e": "what is to be asked instead, as JSON in one line (nothing: back)",
    "a": "the answer, as JSON in one line (nothing: back)",
}


def shown(question: Question) -> str:
    """A question as it is put at the terminal."""
    goes = GOES.get(str(question.about.get("goes")), "")
    why = ", ".join(question.why)
    lines = [f"\ntracer: {question.kind} {question.name} waits for you ({why}); {goes}"]
    asked = json.dumps(question.about.get("asked"), ensure_ascii=False, indent=2)
    if len(asked) > _SHOWN:
        asked = asked[: _SHOWN // 2] + "\n  …\n" + asked[-_SHOWN // 2 :]
    lines += [f"  {line}" for line in asked.splitlines()]
    if problem := question.about.get("problem"):
        lines.append(f"  that can't be done: {problem}")
    ways = ["[c]ontinue"]
    if question.can("arguments") or question.can("request"):
        ways.append("[e]dit")
    ways += ["[a]nswer", "[f]ail"]
    ways += ["[b]lock"] if question.can("block") else []
    return printable("\n".join([*lines, "  ".join([*ways, "[s]top"])]), lines=True)


def _draft(question: Question, letter: str) -> Any:
    """What an editor opens with."""
    asked = question.about.get("asked")
    if letter == "a":
        return "the model's text" if question.kind == "model" else None
    if question.kind != "model" or not isinstance(asked, dict):
        return asked
    parameters = asked.get("parameters")
    known = parameters.get("temperature") if isinstance(parameters, dict) else None
    return {"model": asked.get("model"), "temperature": known, "system": None}


def _line(prompt: str, is_open: Callable[[], bool]) -> str | None:
    """A line that is typed while a question is open; None once it isn't, or at the end of input."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    while is_open():
        if not hasattr(select, "select") or not select.select([sys.stdin], [], [], 0.3)[0]:
            continue
        # Not `readline`: what it has read ahead `select` knows nothing of.
        line = os.read(sys.stdin.fileno(), 1 << 16).decode("utf-8", "replace")
        return line if line else "s"
    return None


def _edited(editor: str, draft: Any, is_open: Callable[[], bool]) -> str:
    """What an editor leaves of a draft; "" when it was left as it is. Raises UsageError."""
    descriptor, path = tempfile.mkstemp(prefix="tracer-", suffix=".json")
    before = json.dumps(draft, ensure_ascii=False, indent=2) + "\n"
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(before)
        process = subprocess.Popen([*shlex.split(editor), path])
        while process.poll() is None:
            is_open()
            time.sleep(0.1)
        after = Path(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"{editor} can't be started ({error}): set EDITOR to another") from None
    finally:
        os.unlink(path)
    return "" if after == before else after


def _say(words: str) -> None:
    stream: IO[str] = sys.stderr
    print(words, file=stream, flush=True)
