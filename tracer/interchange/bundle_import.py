"""Reading a bundle that may come from anybody: checked whole, then written in one transaction.

Nothing a file names is ever imported, executed, unpickled or opened; imported runs are marked so
and only replay against a program the user names.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracer.core.chain import ROOT
from tracer.core.draws import Drawn
from tracer.errors import BadFileError, NotFoundError
from tracer.interchange.archive import MANIFEST, TRACE, ArchiveReader
from tracer.interchange.bundle_export import content_digest
from tracer.interchange.bundle_format import check_version, converted
from tracer.interchange.draws_json import read_draws
from tracer.interchange.reading_json import Fields, parse
from tracer.interchange.record_reading import (
    read_noted,
    read_run_end,
    read_run_start,
    read_step_end,
    read_step_start,
)
from tracer.store.failures import BadRecord, NoDatabase
from tracer.store.reading import Store
from tracer.store.writes import Noted, RunEnd, RunStart, StepEnd, StepStart
from tracer.store.writing import MissingBase, StoreWriter

_RUN_ID = re.compile(r"[0-9a-f]{32}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_VALUE_NESTING = 200  # recorded arguments are cut at 64 levels, each with up to two tags

Record = RunStart | StepStart | StepEnd | Noted | RunEnd


@dataclass(frozen=True, slots=True)
class Imported:
    """A run of a bundle: its id here; `already_here` = nothing was written; `was` = its own id."""

    run_id: str
    already_here: bool
    was: str


def import_bundle(path: Path, database: Path) -> list[str]:
    """Read a bundle into a database; the ids of its runs there, the exported one first.

    Raises BadFileError for a file that is broken, over a limit or no bundle; nothing of it is
    then in the database.
    """
    return [run.run_id for run in read_bundle(path, database)]


def read_bundle(path: Path, database: Path) -> list[Imported]:
    """The same, telling which runs were there already and which got another id."""
    with ArchiveReader(path) as archive:
        bundle = _Bundle(archive)
        places = _places(bundle, database)
        bundle.check()
        fresh = [at for at, place in enumerate(places) if not place.already_here]
        if fresh:
            _write(bundle, places, fresh, database)
        return places


class _Bundle:
    """A bundle's parsed trace, with payloads on demand."""

    def __init__(self, archive: ArchiveReader) -> None:
        self.where = str(archive.path)
        self._archive = archive
        manifest = parse(archive.member(MANIFEST), f"{self.where} ({MANIFEST})")
        self._manifest = Fields(manifest, self.where)
        # The version decides first: what a newer tracer wrote may be of any shape.
        found = check_version(self._manifest.any("format"), self.where)
        body = archive.member(TRACE)
        if hashlib.sha256(body).hexdigest() != self._manifest.text("trace_sha256"):
            raise BadFileError(f"{self.where} is damaged or was changed: {TRACE} has another hash")
        trace = converted(parse(body, f"{self.where} ({TRACE})"), found)
        fields = Fields(trace, self.where)
        self.sections = [Fields(run, f"{self.where} (run)") for run in fields.list("runs")]
        self._texts = fields.object("texts")
        if not self.sections:
            raise BadFileError(f"{self.where} holds no run")

    @property
    def redacted(self) -> bool:
        """Whether secrets were removed when it was written."""
        return self._manifest.fields("secrets").flag("redacted")

    def payload(self, name: str) -> bytes:
        """The payload of that hash, checked."""
        text = self._texts.get(name)
        if text is None:
            return self._archive.blob(name)
        data = text.encode("utf-8", "replace") if isinstance(text, str) else b""
        if hashlib.sha256(data).hexdigest() != name:
            raise BadFileError(f"{self.where} is damaged: payload {name[:12]} has another hash")
        return data

    def value(self, name: str) -> bytes:
        """A payload that must be JSON of bounded depth."""
        data = self.payload(name)
        parse(data, f"{self.where} (payload {name[:12]})", nesting=_VALUE_NESTING)
        return data

    def links(self, at: int) -> Iterator[tuple[int | None, bytes]]:
        """The messages of a run: the number of the one before, and the element."""
        for number, item in enumerate(self.sections[at].list("links")):
            if not (isinstance(item, list) and len(item) == 2 and isinstance(item[1], str)):
                raise BadFileError(f"{self.where} is damaged: message {number} is no message")
            parent = item[0]
            if parent is not None and not (type(parent) is int and 0 <= parent < number):
                raise BadFileError(f"{self.where} is damaged: message {number} has no predecessor")
            yield parent, self.payload(item[1])

    def records(
        self, at: int, run_id: str, parent: str | None, links: list[bytes]
    ) -> Iterator[Record]:
        """The records of one run under the id and parent chosen for it."""
        section = self.sections[at]
        yield read_run_start(section.fields("start"), run_id, parent, self)
        last = 0
        for item in section.list("steps"):
            step = Fields(item, f"{self.where} (step after {last})")
            start = read_step_start(step.fields("start"), run_id, self, links)
            if start.n <= last:
                raise step.damaged(f"the numbers of steps don't rise ({start.n})")
            last = start.n
            yield start
            came = step.fields_or_none("end")
            if came is not None:
                step_end = read_step_end(came, run_id, self)
                if step_end.n != start.n:
                    raise step.damaged(f"the end is that of step {step_end.n}")
                yield step_end
        if section.any("around") is not None:
            for piece in section.list("around"):
                yield read_noted(piece, section, run_id, self)
        end = section.fields_or_none("end")
        if end is not None:
            yield read_run_end(end, run_id, self)

    def draws(self, at: int) -> list[Drawn]:
        """What a run read of the clock and of chance."""
        return read_draws(self.sections[at])

    def check(self) -> None:
        """Read everything once, so that a broken file is refused before anything is written."""
        for at in range(len(self.sections)):
            stand_ins: list[bytes] = []
            for _, message in self.links(at):
                parse(
                    message.lstrip(b" \t\r\n,"), f"{self.where} (message)", nesting=_VALUE_NESTING
                )
                stand_ins.append(ROOT)
            for _ in self.records(at, "", None, stand_ins):
                pass
            self.draws(at)
        for name in self._archive.blob_names:
            self._archive.blob(name)


def _places(bundle: _Bundle, database: Path) -> list[Imported]:
    """Under which id each run goes, and which are in the database already."""
    try:
        store = Store.open(database)
    except NoDatabase:
        store = None
    places: list[Imported] = []
    try:
        for section in bundle.sections:
            start = section.fields("start")
            own, digest = start.text("id"), section.text("digest")
            if not _RUN_ID.match(own) or not _DIGEST.match(digest):
                raise BadFileError(f"{bundle.where} is damaged: a run has no proper id")
            places.append(_place(store, own, digest, bundle.redacted))
    finally:
        if store is not None:
            store.close()
    if len({place.run_id for place in places}) < len(places):
        raise BadFileError(f"{bundle.where} is damaged: it holds a run twice")
    return places


def _place(store: Store | None, own: str, digest: str, redacted: bool) -> Imported:
    # A run that was changed gets an id made of its content, so that a second import finds it.
    derived = hashlib.sha256(f"{own} {digest}".encode()).hexdigest()[:32]
    if store is None:
        return Imported(own, False, own)
    for candidate in (own, derived):
        try:
            here = store.find_run(candidate)
        except NotFoundError:
            return Imported(candidate, False, own)
        if content_digest(store, here, redact=redacted) == digest:
            return Imported(candidate, True, own)
    return Imported(derived, True, own)


def _write(bundle: _Bundle, places: list[Imported], fresh: list[int], database: Path) -> None:
    here = {place.was: place.run_id for place in places}
    writer = StoreWriter(database)
    try:
        writer.begin()
        for at in fresh:
            links: list[bytes] = []
            for before, data in bundle.links(at):
                links.append(writer.add_link(ROOT if before is None else links[before], data))
            was = bundle.sections[at].fields("start").text_or_none("parent_run")
            for record in bundle.records(at, places[at].run_id, here.get(was or "", was), links):
                _put(writer, record)
            writer.add_draws(places[at].run_id, bundle.draws(at))
        writer.commit()
    except (BadRecord, NotFoundError, MissingBase, ValueError, RecursionError):
        # What no check above saw: two steps of one number, a message that is no JSON.
        raise BadFileError(
            f"{bundle.where} is damaged: its records contradict each other"
        ) from None
    finally:
        writer.rollback()
        writer.close()


def _put(writer: StoreWriter, record: Any) -> None:
    match record:
        case RunStart():
            writer.start_run(record)
        case StepStart():
            writer.start_step(record)
        case StepEnd():
            writer.end_step(record)
        case Noted():
            writer.add_noted(record)
        case _:
            writer.end_run(record)
