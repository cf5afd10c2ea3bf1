"""The synchronous writing side: one connection, one method for each write record."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tracer.core.draws import Drawn
from tracer.core.questions import Question
from tracer.core.records import JSON
from tracer.errors import StoreError
from tracer.store import around, connection, draws, links, questions, runs, search, steps
from tracer.store.failures import BadRecord, store_error
from tracer.store.links import MissingBase
from tracer.store.writes import Noted, RunEnd, RunStart, StepEnd, StepStart

__all__ = ["MissingBase", "StoreWriter"]


class StoreWriter:
    """Writes records into one database, which it creates if need be.

    Not thread-safe: one owner at a time. Each method is atomic by itself; between `begin` and
    `commit` they are atomic together. Raises StoreError: `StoreLocked` (try again),
    `StoreBroken` (don't), `BadRecord` (this record can't be stored); NotFoundError for a run or
    step whose start was never written; MissingBase for a body that builds on an unknown chain.
    """

    def __init__(self, path: Path, *, busy_ms: int = connection.BUSY_MS) -> None:
        self.path = path
        # The owner may close from another thread than it writes on (before a fork).
        self._conn = connection.connect(path, busy_ms=busy_ms, any_thread=True)
        self._pending = runs.Pending()
        self._mark = 0

    def start_run(self, start: RunStart) -> None:
        with self._unit():
            runs.start(self._conn, start, self._pending)

    def end_run(self, end: RunEnd) -> None:
        """Write how a run ended. Warnings and divergences are added to those already there."""
        with self._unit():
            runs.end(self._conn, end, self._pending)

    def start_step(self, start: StepStart) -> None:
        with self._unit():
            steps.start(self._conn, start, self._pending)

    def end_step(self, end: StepEnd) -> None:
        """Write how a step ended and add it to its run's totals; a step ends once."""
        with self._unit():
            steps.end(self._conn, end, self._pending)

    def add_noted(self, noted: Noted) -> None:
        """Add a piece of what happened around a step; the step need not be there."""
        with self._unit():
            around.add(self._conn, noted)

    def add_draws(self, run_id: str, drawn: Sequence[Drawn]) -> None:
        """Append what a run read of the clock and of chance."""
        with self._unit():
            draws.add(self._conn, run_id, drawn)

    def add_question(self, asked: Question) -> None:
        """Ask something of whoever watches the run."""
        with self._unit():
            questions.add(self._conn, asked)

    def end_question(self, question_id: str, answer: dict[str, JSON] | None) -> bool:
        """Answer an open question (None: give it up); False where another was first."""
        with self._unit():
            return questions.end(self._conn, question_id, answer)

    def keep_answer(self, question_id: str, answer: dict[str, JSON]) -> None:
        """Replace an answer that was taken by what may be kept of it."""
        with self._unit():
            questions.taken(self._conn, question_id, answer)

    def seen_questions(self, run_id: str) -> None:
        """Say that somebody is there to answer a run's open questions."""
        with self._unit():
            questions.seen(self._conn, run_id)

    def set_cost(self, run_id: str, n: int, cost_usd: float) -> None:
        """Set or replace the cost of a model call (US dollars) and correct the run's total."""
        with self._unit():
            steps.set_cost(self._conn, run_id, n, cost_usd)

    def update_run(
        self,
        run_id: str,
        *,
        name: str | None = None,
        input_text: str | None = None,
        entry: dict[str, JSON] | None = None,
        fork: dict[str, JSON] | None = None,
        environment: dict[str, JSON] | None = None,
        warnings: Sequence[str] | None = None,
        divergences: Sequence[dict[str, JSON]] | None = None,
    ) -> None:
        """Replace what is given, leave what is None."""
        changes: dict[str, JSON] = {
            "name": name,
            "input_text": input_text,
            "entry": entry,
            "fork": fork,
            "environment": environment,
            "warnings": None if warnings is None else list(warnings),
            "divergences": None if divergences is None else list(divergences),
        }
        with self._unit():
            given = {column: value for column, value in changes.items() if value is not None}
            runs.update(self._conn, run_id, given)

    def add_link(self, parent: bytes, data: bytes) -> bytes:
        """Store one message element (with its separator) after the link `parent` (`chain.ROOT`
        for a first one); returns its `Link.exact`, computed here. For importers.
        """
        with self._unit():
            return links.add_link(self._conn, parent, data)

    def begin(self) -> None:
        """Open a transaction; waits for another process's, up to the `busy_ms` given."""
        with self._sentences():
            self._conn.execute("begin immediate")

    def commit(self) -> None:
        with self._sentences():
            # The index writes a segment whenever it is flushed; one a transaction is enough.
            search.index(self._conn, self._pending.passages)
            self._conn.execute("commit")
        self._pending.passages.clear()

    def rollback(self) -> None:
        """Undo everything since `begin`; does nothing outside a transaction."""
        self._pending.passages.clear()
        if self._conn.in_transaction:
            self._conn.execute("rollback")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Inside a transaction: a block that leaves nothing behind when it raises."""
        mark = len(self._pending.passages)
        self._conn.execute("savepoint job")
        try:
            yield
        except BaseException:
            del self._pending.passages[mark:]
            # An error like a full disk has ended the transaction, savepoints included.
            if self._conn.in_transaction:
                self._conn.execute("rollback to job")
                self._conn.execute("release job")
            raise
        self._conn.execute("release job")

    def close(self) -> None:
        """Close the database; what wasn't committed is undone."""
        connection.close_quietly(self._conn)

    @contextmanager
    def _unit(self) -> Iterator[None]:
        with self._sentences():
            if self._conn.in_transaction:
                yield
                return
            self.begin()
            try:
                yield
                self.commit()
            except BaseException:
                self.rollback()
                raise

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            sentence: StoreError = store_error(error, self.path) or BadRecord(
                f"a record does not fit into {self.path} ({error}); check what wrote it"
            )
            raise sentence from error
        except (UnicodeError, OverflowError, ValueError, TypeError) as error:
            raise BadRecord(
                f"a record does not fit into {self.path} ({error}); check what wrote it"
            ) from error
