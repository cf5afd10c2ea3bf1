"""From the re-executing process to whoever watches it, through the database: a question is written
there, and the answer waited for."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tracer.capture import runtime
from tracer.capture.loopturns import pause
from tracer.capture.secrets import Secrets
from tracer.core.questions import Question
from tracer.errors import TracerError
from tracer.reexecution.resolution import Resolution
from tracer.store.reading import Store
from tracer.store.writing import StoreWriter

LOOK_SECONDS = 0.1
_WRITE_SECONDS = 5.0


class Channel:
    """Asks the questions of one run. Thread-safe.

    `patience`: seconds a question stays open while nobody is there to answer it. `while_waiting`:
    context managers entered meanwhile. `check` raises what has ended the re-execution.
    """

    def __init__(
        self,
        database: Path,
        store: Store,
        secrets: Secrets,
        patience: float,
        while_waiting: tuple[Callable[[], Any], ...],
        check: Callable[[], None],
    ) -> None:
        self.patience = patience
        self._database = database
        self._store = store
        self._secrets = secrets
        self._while_waiting = while_waiting
        self._check = check

    def ask(self, question: Question) -> Resolution | None:
        """Ask and wait, blocking; None when nobody answered. Raises UsageError for nonsense."""
        with self._asked(question):
            while self._is_open(question):
                time.sleep(LOOK_SECONDS)
            return self._answer(question)

    async def ask_async(self, question: Question) -> Resolution | None:
        """The same on an event loop, which goes on meanwhile."""
        with self._asked(question):
            while self._is_open(question):
                await pause(LOOK_SECONDS)
            return self._answer(question)

    @contextmanager
    def _asked(self, question: Question) -> Iterator[None]:
        self._write(lambda writer: writer.add_question(question))
        try:
            with ExitStack() as stack:
                for manager in self._while_waiting:
                    stack.enter_context(manager())
                yield
        except BaseException:  # cancelled, interrupted, stopped: nobody needs to answer any more
            self._write(lambda writer: _end(writer, question), wait=False)
            raise

    def _is_open(self, question: Question) -> bool:
        """Whether to wait on; gives the question up where nobody was there for too long."""
        self._check()
        try:
            found = self._store.question_state(question.id)
        except TracerError:  # locked for a moment
            found = None
        if found is not None and found[0] != "open":
            return False
        last = question.asked_ns if found is None else max(found[1:])
        if time.time_ns() - last < self.patience * 1e9:
            return True
        # Whoever answers in this very moment is first, or too late.
        self._write(lambda writer: _end(writer, question))
        return False

    def _answer(self, question: Question) -> Resolution | None:
        found = self._store.question(question.id)
        if found is None or found.answer is None:
            return None
        answer = found.answer
        data = json.dumps(answer).encode()
        clean = self._secrets.record(json.loads(self._secrets.clean(data, "answer")))
        if clean != answer:
            self._write(lambda writer: writer.keep_answer(question.id, clean))
        return Resolution.from_json(answer)

    def _write(self, job: Callable[[StoreWriter], Any], *, wait: bool = True) -> None:
        queue = runtime.recorder_for(self._database).queue
        if wait:
            queue.put_and_wait(lambda writer: _no_result(job(writer)), _WRITE_SECONDS)
        else:
            queue.put(lambda writer: _no_result(job(writer)))


def channel_of(
    given: Mapping[str, Any],
    store: Store,
    secrets: Secrets,
    while_waiting: tuple[Callable[[], Any], ...],
    check: Callable[[], None],
) -> Channel | None:
    """The channel of a re-execution with these instructions; None where nobody is to be asked."""
    patience = given.get("patience") or 0.0
    if not patience:
        return None
    return Channel(Path(given["database"]), store, secrets, patience, while_waiting, check)


def _end(writer: StoreWriter, question: Question) -> None:
    writer.end_question(question.id, None)


def _no_result(made: Any) -> None:
    """A job gives nothing back."""
