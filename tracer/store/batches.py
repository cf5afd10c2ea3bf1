"""Batches of jobs as transactions: opens the database when first needed, waits for locks, tells
a job that is wrong from a database that can't be used, and says so once each.
"""

import _thread
import contextlib
import logging
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep

from tracer.errors import NotFoundError
from tracer.store.failures import StoreBroken, StoreLocked
from tracer.store.writing import StoreWriter

Job = Callable[[StoreWriter], None]
Idle = Callable[[StoreWriter], bool]

log = logging.getLogger("tracer")
log.addHandler(logging.NullHandler())

PATIENCE = 60.0  # seconds a batch waits for another process's lock
_BUSY_MS = 200  # of that inside SQLite at a time, so that closing needs not wait longer
_LONGEST_PAUSE = 0.5


class Ticket:
    """A queued job, or without one a mark to wait for. Its lock opens once it is settled."""

    __slots__ = ("done", "job", "last", "lock", "size")

    def __init__(
        self, job: Job | None, size: int = 0, *, waited: bool = False, last: bool = False
    ) -> None:
        self.job = job
        self.size = size
        self.last = last  # nothing is queued behind it
        self.done = False  # committed
        self.lock: _thread.LockType | None = None
        if waited:
            self.lock = _thread.allocate_lock()
            self.lock.acquire()

    def settle(self, done: bool) -> None:
        self.done = done
        if self.lock is not None:
            self.lock.release()


class Committer:
    """Commits batches on whatever thread calls; never raises.

    `gate` is held whenever the database is touched. `failure` is the sentence that says why
    nothing is recorded any more; `dropped` counts jobs that were lost; `deadline` (monotonic
    seconds) ends all waiting for locks.
    """

    def __init__(self, path: Path, idle: Idle | None) -> None:
        self.gate = _thread.allocate_lock()
        self.failure: str | None = None
        self.dropped = 0
        self.deadline = math.inf
        self._path = path
        self._idle = idle
        self._writer: StoreWriter | None = None
        self._patient = True
        self._said: set[str] = set()

    def commit(self, batch: Sequence[Ticket]) -> list[bool]:
        """Run the jobs in one transaction; which of the tickets are committed."""
        done = [self.failure is None] * len(batch)
        try:
            if self.failure is None and any(ticket.job for ticket in batch):
                done = [False] * len(batch)
                done = self._commit_patiently(batch)
        except BaseException as error:  # the thread must live on, or its waiters hang
            self.fail(str(error) or type(error).__name__)
        self.dropped += sum(
            ticket.job is not None and not written
            for ticket, written in zip(batch, done, strict=True)
        )
        return done

    def idle(self) -> bool:
        """Let the idle hook work; whether it has more to do."""
        if self._idle is None or self.failure is not None or self._writer is None:
            return False
        try:
            with self.gate:
                writer = self._open()
                try:
                    return self._idle(writer)
                finally:
                    writer.rollback()
        except StoreLocked:
            return False
        except StoreBroken as error:
            self.fail(str(error))
        except BaseException as error:
            self._job_failed(error)
        return False

    def fail(self, sentence: str) -> None:
        """Record nothing from here on, and say so."""
        if self.failure is None:
            self.failure = sentence
            self._say("failure", f"not recording: {sentence}")
        self.close()

    def close(self) -> None:
        """Close the database; it is opened again when needed."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _commit_patiently(self, batch: Sequence[Ticket]) -> list[bool]:
        give_up = monotonic() + (PATIENCE if self._patient else 0.0)
        pause = 0.01
        while True:
            try:
                with self.gate:
                    done = self._transaction(batch)
                self._patient = True
                return done
            except StoreLocked as error:
                if monotonic() + pause > min(give_up, self.deadline):
                    # The next batch tries once: a lock held for good must not keep the queue full.
                    self._patient = False
                    self._say("locked", f"some steps were not recorded: {error}")
                    return [False] * len(batch)
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _transaction(self, batch: Sequence[Ticket]) -> list[bool]:
        writer = self._open()
        done = []
        writer.begin()
        try:
            for ticket in batch:
                done.append(ticket.job is None or self._one(writer, ticket.job))
            writer.commit()
        except BaseException:
            writer.rollback()
            raise
        return done

    def _one(self, writer: StoreWriter, job: Job) -> bool:
        try:
            with writer.savepoint():
                job(writer)
        except (StoreLocked, StoreBroken):
            raise
        except BaseException as error:
            self._job_failed(error)
            return False
        return True

    def _open(self) -> StoreWriter:
        if self._writer is None:
            self._writer = StoreWriter(self._path, busy_ms=_BUSY_MS)
        return self._writer

    def _job_failed(self, error: BaseException) -> None:
        if isinstance(error, NotFoundError) and self.dropped:
            return  # the end of something whose start was lost
        if "job" not in self._said:
            log.warning("a record was not stored", exc_info=error)
        self._say("job", f"a step was not recorded: {type(error).__name__}: {error}")

    def say_full(self) -> None:
        self._say("full", "some steps were not recorded: the database does not keep up")

    def _say(self, topic: str, sentence: str) -> None:
        if topic in self._said:
            return
        self._said.add(topic)
        # No standard error, a closed one, a broken pipe: never the agent's problem.
        with contextlib.suppress(Exception):
            sys.stderr.write(f"tracer: {sentence}\n")
            sys.stderr.flush()
