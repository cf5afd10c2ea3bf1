"""The writer thread: jobs in, transactions out. Nothing here raises into whoever queues, and
nothing but `put_and_wait`, `flush` and `close` makes them wait.
"""

import _thread
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic

from tracer.store import forks
from tracer.store.batches import Committer, Idle, Job, Ticket

_BATCH = 256  # jobs a transaction
_MOST_JOBS = 100_000
_MOST_BYTES = 256 << 20
_LINGER = 0.005  # seconds a batch that nobody waits for is given to grow
_QUIET = 0.002  # seconds without a job until the idle hook has its turn, after someone waited
_MOST_HURRIED = 64  # batches in a row that someone waited for, until it has its turn all the same
_FORK_WAIT = 2.0


class WriteQueue:
    """Runs jobs on one daemon thread, started with the first job, batched into transactions.

    A job gets the `StoreWriter`; it must be repeatable, because a transaction that meets a lock
    is tried again. `idle(writer)` runs on that thread, outside a transaction, when nothing is
    queued for a moment; it returns True while it has more to do. After a fork the child starts
    afresh: what was queued belongs to the parent.
    """

    def __init__(self, path: Path, *, idle: Idle | None = None) -> None:
        self.path = path
        self._idle = idle
        self._closed = False
        self._behind = False
        self._fresh()
        forks.register(self)

    def put(self, job: Job, size: int = 0) -> None:
        """Queue a job; never blocks. `size` = bytes it keeps alive, which bounds the queue."""
        if self._committer.failure is None and not self._closed:
            self._push(Ticket(job, size))

    def put_and_wait(self, job: Job, timeout: float, size: int = 0) -> bool:
        """Queue a job and wait up to `timeout` seconds until it is committed.

        False = it isn't, or not known to be. Once a wait was given up, the next ones don't wait
        at all until the writer has caught up.
        """
        if self._committer.failure is not None or self._closed:
            return False
        if self._behind or self._thread == _thread.get_ident():
            self._push(Ticket(job, size))
            return False
        ticket = Ticket(job, size, waited=True)
        if self._push(ticket) and not _opens(ticket, timeout):
            self._behind = True
        return ticket.done

    def flush(self, timeout: float) -> bool:
        """Wait until all that was queued before is settled; False if recording has failed."""
        if not self._started or self._closed:
            return self._committer.failure is None
        ticket = Ticket(None, waited=True)
        self._queue.put(ticket)
        _opens(ticket, timeout)
        return ticket.done

    def close(self, timeout: float) -> bool:
        """Write what is queued, let the idle hook finish, close the database, end the thread.

        Later jobs are ignored. True when nothing was lost.
        """
        if not self._closed:
            self._closed = True
            self._committer.deadline = monotonic() + timeout
            if self._started:
                ticket = Ticket(None, waited=True, last=True)
                self._queue.put(ticket)
                if not _opens(ticket, timeout):
                    return False
        return self._committer.failure is None and self._committer.dropped == 0

    @property
    def dropped(self) -> int:
        """Jobs that were lost so far."""
        return self._committer.dropped + self._refused

    @property
    def failure(self) -> str | None:
        """Why nothing is recorded any more, as one sentence; None while all is well."""
        return self._committer.failure

    def before_fork(self) -> None:
        # While the gate is held no statement runs, and with the connection closed nothing of
        # SQLite's locks crosses the fork.
        self._held = self._committer.gate.acquire(timeout=_FORK_WAIT)
        if self._held:
            self._committer.close()

    def after_fork(self, *, child: bool) -> None:
        if not child:
            if self._held:
                self._committer.gate.release()
            return
        held = self._held
        self._abandoned = self._committer  # its connection must never be closed here
        self._fresh()
        self._committer.failure = self._abandoned.failure  # the parent has said it
        if not held and self._committer.failure is None:
            self._committer.failure = "the process was forked while its database was busy"

    def _fresh(self) -> None:
        self._queue: SimpleQueue[Ticket] = SimpleQueue()
        self._committer = Committer(self.path, self._idle)
        self._starting = _thread.allocate_lock()
        self._started = False
        self._thread = 0
        self._behind = False
        self._held = False
        self._refused = 0
        # Counted without a lock, which a finalizer that runs in between could never get:
        # a lost update makes the bound a little loose, no more.
        self._given = self._taken = 0

    def _push(self, ticket: Ticket) -> bool:
        if self._queue.qsize() >= _MOST_JOBS or self._given - self._taken > _MOST_BYTES:
            self._refused += 1
            self._committer.say_full()
            return False
        self._given += ticket.size
        self._queue.put(ticket)
        if not self._started:
            self._start()
        return True

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return  # another thread is at it
        try:
            if not self._started:
                # Not `threading`: its threads are numbered, patched and waited for by others.
                _thread.start_new_thread(self._run, (self._queue, self._committer))
                self._started = True
        except RuntimeError as error:
            self._committer.fail(str(error))
        finally:
            self._starting.release()

    def _run(self, queue: SimpleQueue[Ticket], committer: Committer) -> None:
        self._thread = _thread.get_ident()
        closing: Ticket | None = None
        hurried = 0  # batches in a row that someone waited for
        while closing is None:
            batch = _collect(queue, _soon(queue, hurried) or _when_idle(queue, committer, hurried))
            if batch[-1].last:
                closing = batch.pop()
                batch += _rest(queue)
            done = committer.commit(batch)
            self._taken += sum(ticket.size for ticket in batch)
            if queue.empty():
                self._behind = False
            awaited = any(ticket.job and ticket.lock for ticket in batch)
            hurried = hurried % _MOST_HURRIED + 1 if awaited else 0
            # Last, because from here on the waiting threads want the interpreter.
            for ticket, written in zip(batch, done, strict=True):
                ticket.settle(written)
        while monotonic() < committer.deadline and committer.idle():
            pass
        with committer.gate:
            committer.close()
        closing.settle(True)


def _opens(ticket: Ticket, timeout: float) -> bool:
    assert ticket.lock is not None
    return ticket.lock.acquire(timeout=max(0.0, min(timeout, _thread.TIMEOUT_MAX)))


def _soon(queue: SimpleQueue[Ticket], hurried: int) -> Ticket | None:
    """The next ticket, if it comes at once: whoever has just waited goes on asking for steps, and
    the idle hook would take the interpreter from them.
    """
    if not 0 < hurried < _MOST_HURRIED:
        return None
    try:
        return queue.get(timeout=_QUIET)
    except Empty:
        return None


def _when_idle(queue: SimpleQueue[Ticket], committer: Committer, hurried: int) -> Ticket:
    """The next ticket, whenever it comes; until then the idle hook works."""
    owed = hurried if hurried == _MOST_HURRIED else 0
    while (queue.empty() or owed > 0) and monotonic() < committer.deadline and committer.idle():
        owed -= 1
    return queue.get()


def _collect(queue: SimpleQueue[Ticket], first: Ticket) -> list[Ticket]:
    """The next batch: what is there, and what comes while nobody waits for it."""
    batch = [first]
    end = monotonic() + _LINGER
    while len(batch) < _BATCH and not batch[-1].last:
        if batch[-1].lock is not None:
            end = 0.0  # someone waits: take what is there already, and no more
        try:
            batch.append(queue.get(timeout=max(0.0, end - monotonic())))
        except Empty:
            break
    return batch


def _rest(queue: SimpleQueue[Ticket]) -> list[Ticket]:
    rest = []
    while not queue.empty():
        rest.append(queue.get())
    return rest
