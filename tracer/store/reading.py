"""The reading side: runs, steps and payloads out of one database."""

import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tracer.core.chain import SplitBody
from tracer.core.draws import Drawn
from tracer.core.overview import Overview
from tracer.core.questions import Question
from tracer.core.questions import State as QuestionState
from tracer.core.records import NotedKind, Run, Step, StepPlace
from tracer.core.runquery import RunOrder, RunQuery, parse, parse_order
from tracer.providers.base import HttpRequest
from tracer.store import (
    around,
    blobs,
    connection,
    draws,
    facets,
    families,
    finding,
    forks,
    labels,
    links,
    listing,
    overview,
    payloads,
    questions,
    runs,
    search,
    transfer,
)
from tracer.store.failures import damaged, store_error
from tracer.store.families import Family
from tracer.store.labels import RunLabel, SavedFilter
from tracer.store.writes import Reply

NOTHING, NEWEST = RunQuery(), RunOrder()


class Store:
    """Reads one database; any thread may use it. Sees what a running writer commits.

    Payload methods answer None where a step has no such payload. Raises StoreError when the
    file can't be read, NotFoundError for a run or step that isn't there.
    """

    def __init__(self, path: Path, *, readonly: bool = True) -> None:
        self.path = path
        self._readonly = readonly
        self._lock = threading.RLock()
        self._conn: sqlite3.Connection | None = None
        forks.register(self)

    @classmethod
    def open(cls, path: Path, *, readonly: bool = True) -> Self:
        """Open an existing database. `readonly` needs no write permission, not on the folder
        either; without it the file is created if missing. Raises NoDatabase if there is none.
        """
        store = cls(path, readonly=readonly)
        with store._reading():
            return store

    def close(self) -> None:
        with self._lock:
            if self._conn is not None:
                connection.close_quietly(self._conn)
                self._conn = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def runs(
        self,
        *,
        failed: bool = False,
        search: str | None = None,
        limit: int | None = None,
        before: str | None = None,
        query: RunQuery | str = NOTHING,
        order: RunOrder | str = NEWEST,
    ) -> list[Run]:
        """Runs, newest first, replays and forks included, without those in the trash.

        `failed` keeps those that ended in an error or were interrupted; `search` those in which
        each word occurs, in any step; `query` those that a filter fits; `before` those that
        follow the run of that id in the list. Raises QueryError for a filter that means nothing.
        """
        wanted = parse(query) if isinstance(query, str) else query
        if failed:
            wanted = RunQuery(wanted.terms + listing.FAILED.terms)
        by = parse_order(order) if isinstance(order, str) else order
        with self._reading() as conn:
            return listing.runs(conn, wanted, by, words=search, limit=limit, before=before)

    def count_runs(
        self, query: RunQuery = NOTHING, *, after: str | None = None, most: int = 1 << 60
    ) -> int:
        """How many runs a filter fits, counted up to `most`; `after` = newer than that run."""
        with self._reading() as conn:
            return listing.count(conn, query, after=after, most=most)

    def overview(self, query: RunQuery = NOTHING) -> Overview:
        """The runs that a filter fits, added up; how much was looked at is bounded."""
        with self._reading() as conn:
            return overview.overview(conn, query)

    def families(self, run_ids: Iterable[str]) -> dict[str, Family]:
        """The families of those runs that have forks or replays, or are some, by run id."""
        with self._reading() as conn:
            return families.of(conn, run_ids)

    def labels(self, run_ids: Iterable[str]) -> dict[str, RunLabel]:
        """What a person put on runs, by run id; runs without anything are left out."""
        with self._reading() as conn:
            return labels.of_runs(conn, run_ids)

    def thrown_away(self, deleted_ns: int) -> int:
        """How many runs of those that were deleted together at that time lie in the trash."""
        with self._reading() as conn:
            return labels.thrown_away(conn, deleted_ns)

    def saved_filters(self) -> list[SavedFilter]:
        """The filters somebody saved, by name."""
        with self._reading() as conn:
            return labels.saved(conn)

    def facets(self, field: facets.Field, most: int = 20) -> list[str]:
        """What runs can be filtered by: names, agents, tools, models, providers, tags."""
        with self._reading() as conn:
            return facets.values(conn, field, most)

    def find_run(self, ref: str) -> Run:
        """The run named by an id, a unique prefix, `last` (newest that is no replay or fork) or
        `last-failed`.
        """
        with self._reading() as conn:
            return finding.find_run(conn, ref)

    def forks_of(self, run_id: str) -> list[Run]:
        """The forks and replays of a run, newest first."""
        with self._reading() as conn:
            return finding.forks_of(conn, run_id)

    def steps(self, run_id: str, *, first: int = 1, last: int | None = None) -> list[Step]:
        """Steps `first` to `last`, both included, in order of start; None = to the end."""
        with self._reading() as conn:
            return finding.steps(conn, run_id, first, last)

    def places(self, run_id: str, *, first: int = 1) -> list[StepPlace]:
        """Where the steps from `first` on stand, in order of start; cheaper than `steps`."""
        with self._reading() as conn:
            return finding.places(conn, run_id, first)

    def step(self, run_id: str, ref: int | str) -> Step:
        """The step named by its number, its id or a unique prefix of its id."""
        with self._reading() as conn:
            return finding.step(conn, run_id, ref)

    def request(self, step: Step) -> HttpRequest | None:
        """The request of a step, with the exact body that was sent."""
        with self._reading() as conn:
            return payloads.request(conn, step)

    def reply(self, step: Step) -> Reply | None:
        """The reply a step got, chunk by chunk."""
        with self._reading() as conn:
            return payloads.reply(conn, step)

    def value(self, step: Step, which: Literal["input", "output"]) -> bytes | None:
        """Tagged JSON a step was given or returned."""
        with self._reading() as conn:
            return payloads.value(conn, step, which)

    def conversation(self, step: Step) -> bytes | None:
        """The JSON document a model function was given."""
        with self._reading() as conn:
            return payloads.conversation(conn, step)

    def output_messages(self, step: Step) -> bytes | None:
        """JSON list of the OpenTelemetry messages a model answered."""
        with self._reading() as conn:
            return payloads.output_messages(conn, step)

    def outcome_keys(self, run_id: str) -> dict[int, tuple[int | None, int | None]]:
        """By step number, something that is equal for equal outcomes of steps of this database."""
        with self._reading() as conn:
            return payloads.outcome_keys(conn, run_id)

    def run_value(self, run_id: str, which: Literal["input", "output"]) -> bytes | None:
        """Tagged JSON a run was given or returned."""
        with self._reading() as conn:
            return payloads.run_value(conn, run_id, which)

    def around(self, run_id: str, n: int) -> list[tuple[NotedKind, bytes]]:
        """What happened around step `n` (0: outside any step): pieces of JSON, as written."""
        with self._reading() as conn:
            return around.of_step(conn, run_id, n)

    def steps_around(self, run_id: str, kind: NotedKind) -> set[int]:
        """Numbers of the steps around which something of a kind happened."""
        with self._reading() as conn:
            return around.steps_with(conn, run_id, kind)

    def shared_messages(self, step_a: Step, step_b: Step) -> int:
        """How many leading messages two model calls have in common, byte for byte."""
        with self._reading() as conn:
            return links.shared(conn, payloads.link(conn, step_a), payloads.link(conn, step_b))

    def message_links(self, step: Step) -> list[tuple[bytes, bytes]]:
        """`(exact hash, canonical hash)` of each message of a model call, first to last."""
        with self._reading() as conn:
            return links.hashes(conn, payloads.link(conn, step))

    def split_body(self, step: Step) -> SplitBody | None:
        """The body of a request or conversation as head, end of chain and tail (`new` is empty)."""
        with self._reading() as conn:
            return payloads.split_body(conn, step)

    def search(self, run_id: str, query: str) -> list[int]:
        """Numbers of the steps in which each word of the query occurs (as the start of a word;
        in double quotes, as a phrase).
        """
        with self._reading() as conn:
            return search.steps_with(conn, runs.key_of(conn, run_id), query)

    def size_bytes(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        file = self.path.resolve()
        both = (file, file.with_name(file.name + "-wal"))
        return sum(one.stat().st_size for one in both if one.exists())

    def links(self, run_id: str) -> Iterator[tuple[bytes, bytes, bytes]]:
        """Every message a run sent, once, parents first: `(exact, parent's exact or ROOT, data)`.

        Written elsewhere with `StoreWriter.add_link`, before the records of `writes`.
        """
        with self._reading() as conn:
            found = links.of_run(conn, run_id)
        for exact, parent, blob in found:
            with self._reading() as conn:
                yield exact, parent, blobs.get(conn, blob) or b""

    def draws(self, run_id: str) -> list[Drawn]:
        """What a run read of the clock and drew of chance, one record for each kind in a scope."""
        with self._reading() as conn:
            return draws.of_run(conn, run_id)

    def questions(self, run_id: str, state: QuestionState | None = None) -> list[Question]:
        """What a re-execution asked whoever watches, oldest first; only those in one state."""
        with self._reading() as conn:
            return questions.of_run(conn, run_id, state)

    def question(self, question_id: str) -> Question | None:
        """A question by its id."""
        with self._reading() as conn:
            return questions.one(conn, question_id)

    def question_state(self, question_id: str) -> tuple[str, int, int] | None:
        """A question's state, when somebody was last there for it, and when it was asked (ns)."""
        with self._reading() as conn:
            return questions.state(conn, question_id)

    def writes(self, run_id: str) -> Iterator[transfer.Write]:
        """A run as the records that write it again. Bodies build on the chains of `links`."""
        run = self.find_run(run_id)
        with self._reading() as conn:
            yield transfer.run_start(conn, run)
        for step in self.steps(run.id):
            with self._reading() as conn:
                records = list(transfer.step_writes(conn, step))
            yield from records
        with self._reading() as conn:
            noted = list(around.of_run(conn, run.id))
        yield from noted
        with self._reading() as conn:
            end = transfer.run_end(conn, run)
        if end is not None:
            yield end

    def before_fork(self) -> None:
        self._lock.acquire()
        self.close()

    def after_fork(self, *, child: bool) -> None:
        if child:
            self._lock = threading.RLock()
        else:
            self._lock.release()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._conn is None:
                    self._conn = connection.connect(
                        self.path, readonly=self._readonly, any_thread=True
                    )
                yield self._conn
            except sqlite3.Error as error:
                sentence = store_error(error, self.path)
                if sentence is None:
                    raise
                raise sentence from error
            except (ValueError, KeyError, zlib.error) as error:
                raise damaged(self.path, error) from error
