"""Writing a bundle: one file that holds a run, and the runs it was forked from.

The same runs give the same bytes. `trace.json` holds the records and short payloads, `blobs/`
the longer ones, each once and named by its hash; `manifest.json` says what is inside.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tracer.core.records import JSON, Run
from tracer.errors import NotFoundError
from tracer.interchange.archive import MANIFEST, TRACE, ArchiveWriter
from tracer.interchange.bundle_format import FORMAT
from tracer.interchange.draws_json import Withheld, draws_json
from tracer.interchange.record_json import (
    run_end_json,
    run_start_json,
    step_end_json,
    step_start_json,
)
from tracer.interchange.secrets import Redactor
from tracer.store.reading import Store
from tracer.store.writes import Noted, RunStart, StepEnd, StepStart

SHORT = 1024  # payloads up to this many bytes stand in trace.json, where a person can read them


@dataclass(frozen=True, slots=True)
class Exported:
    """What left: the runs, and how many secrets of which kind were removed (or kept)."""

    path: Path
    runs: tuple[str, ...]
    secrets: Mapping[str, int]
    redacted: bool
    size: int


def export_bundle(store: Store, run_id: str, path: Path, *, redact: bool = True) -> Exported:
    """Write a run and its ancestors into `path`. `redact` removes what looks like a secret.

    Raises NotFoundError for an unknown run, BadFileError when the file can't be written.
    """
    runs = _with_ancestors(store, store.find_run(run_id))
    redactor = Redactor(keep=not redact)
    with ArchiveWriter(path) as archive:
        trace = _Trace(store, redactor, archive)
        sections = [trace.section(run) for run in runs]
        body = _dump({"format": FORMAT, "runs": sections, "texts": trace.texts})
        archive.member(TRACE, body)
        manifest = _dump(_manifest(runs, redactor, body), indent=1)
        # Names stand here again; they were counted when the runs were read.
        archive.member(MANIFEST, Redactor(keep=not redact).clean(manifest))
    return Exported(
        path, tuple(run.id for run in runs), redactor.found, redact, path.stat().st_size
    )


def content_digest(store: Store, run: Run, *, redact: bool) -> str:
    """The digest `export_bundle` would give this run; equal digests mean equal content."""
    return str(_Trace(store, Redactor(keep=not redact), None).section(run)["digest"])


def _with_ancestors(store: Store, run: Run) -> list[Run]:
    """The run, then what it was forked from, as far as it is in this store."""
    chain = [run]
    while (wanted := chain[-1].parent_run) is not None:
        try:
            parent = store.find_run(wanted)
        except NotFoundError:
            break
        # Only a hostile file makes a circle, or names a parent by something else than its id.
        if parent.id != wanted or any(parent.id == known.id for known in chain):
            break
        chain.append(parent)
    return chain


def _manifest(runs: list[Run], redactor: Redactor, trace: bytes) -> dict[str, JSON]:
    try:
        tracer_version = version("tracer-debugger")
    except PackageNotFoundError:  # run from a source tree
        tracer_version = "unknown"
    return {
        "format": FORMAT,
        "tracer": tracer_version,
        "runs": [
            {"id": run.id, "name": run.name, "status": run.status, "steps": run.steps}
            for run in runs
        ],
        "secrets": {"found": dict(sorted(redactor.found.items())), "redacted": not redactor.keep},
        "trace_sha256": hashlib.sha256(trace).hexdigest(),
        "about": "A recorded run of an AI agent: `tracer import` this file, then `tracer ui`.",
    }


def _dump(value: Any, indent: int | None = None) -> bytes:
    # ASCII, because recorded text may hold halves of characters that UTF-8 can't.
    separators = None if indent else (",", ":")
    return json.dumps(value, indent=indent, separators=separators).encode()


@dataclass(slots=True)
class _Trace:
    """Turns runs into sections of trace.json; payloads go to `archive` (None: only hashed)."""

    store: Store
    redactor: Redactor
    archive: ArchiveWriter | None
    texts: dict[str, str] = field(default_factory=dict)
    withheld: Withheld = field(default_factory=lambda: Withheld((), keep=True))

    def section(self, run: Run) -> dict[str, JSON]:
        """One run: its records, and the messages it sent as `[number of the one before, text]`."""
        drawn = self.store.draws(run.id)
        self.withheld = Withheld(drawn, keep=self.redactor.keep)
        links: list[list[JSON]] = []
        numbers: dict[bytes, int] = {}
        for exact, parent, data in self.store.links(run.id):
            numbers[exact] = len(links)
            links.append([numbers.get(parent), self._put(data)])
        section: dict[str, JSON] = {"start": {}, "links": links, "steps": [], "end": None}
        for record in self.store.writes(run.id):
            match record:
                case RunStart():
                    section["start"] = self._clean(run_start_json(record, self._put))
                case StepStart():
                    start = self._clean(step_start_json(record, self._put, numbers))
                    section["steps"].append({"start": start, "end": None})
                case StepEnd():
                    end = step_end_json(record, self._put, self._put_chunks)
                    section["steps"][-1]["end"] = self._clean(end)
                case Noted():
                    # Only where there is any: a run of an older tracer keeps its digest.
                    piece = [record.n, record.kind, self._put(record.data)]
                    section.setdefault("around", []).append(piece)
                case _:
                    section["end"] = self._clean(run_end_json(record, self._put))
        if drawn:
            section["draws"] = draws_json(drawn, self.withheld)
            if count := self.withheld.count:
                kind = "random value that may be a key"
                self.redactor.found[kind] = self.redactor.found.get(kind, 0) + count
        # Ids of runs are no content: an import may have to choose others.
        start = {k: v for k, v in section["start"].items() if k not in ("id", "parent_run")}
        section["digest"] = hashlib.sha256(_dump({**section, "start": start})).hexdigest()
        return section

    def _clean(self, record: dict[str, JSON]) -> JSON:
        # As one text: a secret may stand in a name, a summary, a URL or a traceback.
        cleaned = self.redactor.clean(_dump(record))
        self.withheld.met(cleaned)
        return json.loads(cleaned)

    def _put(self, data: bytes) -> str:
        return self._keep(self.redactor.clean(data))

    def _put_chunks(self, chunks: tuple[bytes, ...]) -> tuple[str, list[int]]:
        cleaned = self.redactor.clean_chunks(list(chunks))
        return self._keep(b"".join(cleaned)), [len(chunk) for chunk in cleaned]

    def _keep(self, data: bytes) -> str:
        self.withheld.met(data)
        name = hashlib.sha256(data).hexdigest()
        if self.archive is None:
            return name
        if len(data) <= SHORT:
            try:
                self.texts[name] = data.decode()
                return name
            except UnicodeDecodeError:
                pass
        return self.archive.blob(data)
