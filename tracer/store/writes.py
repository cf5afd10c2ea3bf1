"""What the recorder hands to the store: one record for each start and end. No behaviour.

Payloads are what a step was given and what came of it. JSON payloads are bytes of tagged JSON
(`tracer.capture.values` explains the tags); wire payloads are what travelled over HTTP, with
secrets already removed from headers and URL.
"""

from dataclasses import dataclass, field

from tracer.core.chain import SplitBody
from tracer.core.records import (
    JSON,
    Effect,
    ErrorInfo,
    Fidelity,
    NotedKind,
    Origin,
    RunStatus,
    Slot,
    Source,
    StepKind,
    StepStatus,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Value:
    """A tagged-JSON payload. `data` is UTF-8 JSON."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """A request as sent. `body` is split at its messages, so that a history is stored once."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: SplitBody


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as received, content-decoded where we could (then its header is dropped).

    `times_us` are microseconds from the send of the request to each chunk, one a chunk.
    `complete` is False when the agent stopped reading early or the connection broke; `failure`
    is `{"type": class path, "message": str}` for a transport error (status 0: nothing came).
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    chunks: tuple[bytes, ...]
    times_us: tuple[int, ...]
    complete: bool
    failure: dict[str, JSON] | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """The input of a model function: its message list as a split JSON document."""

    body: SplitBody


@dataclass(frozen=True, slots=True)
class Noted:
    """A piece of what happened around a step (`n` 0: outside any step of the run).

    `data` is UTF-8 JSON, a list; of kind "environment" an object.
    """

    run_id: str
    n: int
    kind: NotedKind
    data: bytes


@dataclass(frozen=True, slots=True)
class RunStart:
    """A run begins. Times are ns since the epoch; `pid` None = no process of this machine."""

    run_id: str
    name: str
    started_ns: int
    input: Value | None
    entry: dict[str, JSON]
    pid: int | None
    environment: dict[str, JSON]
    parent_run: str | None = None
    fork: dict[str, JSON] | None = None
    origin: Origin = "local"
    listed: str | None = None  # what lists show of the input, where that isn't the input itself


@dataclass(frozen=True, slots=True)
class RunEnd:
    """A run has ended; `warnings` and `divergences` are added to those written before."""

    run_id: str
    status: RunStatus
    ended_ns: int
    output: Value | None
    error: ErrorInfo | None
    divergences: tuple[dict[str, JSON], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepStart:
    """A step begins: who, where, what it was given. `detail` holds what only some kinds have."""

    run_id: str
    n: int
    id: str
    parent: str | None
    kind: StepKind
    name: str
    source: Source
    started_ns: int
    start_seq: int
    slot: Slot
    input: Value | Request | Conversation | None
    fingerprint: str | None
    summary: str
    effect: Effect | None = None
    api: str | None = None
    model: str | None = None
    provider: str | None = None
    matched_step: str | None = None
    callsite: str | None = None
    search_text: str = ""  # what full-text search finds this step by (only what is new in it)
    detail: dict[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepEnd:
    """A step has ended: what came of it, and what it cost."""

    run_id: str
    n: int
    status: StepStatus
    ended_ns: int
    end_seq: int
    output: Value | Reply | None
    output_messages: bytes | None = None  # UTF-8 JSON list of OpenTelemetry messages
    error: ErrorInfo | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    ttft_ms: float | None = None
    model: str | None = None
    fidelity: Fidelity | None = None
    diverged: bool = False
    summary: str | None = None  # replaces the summary of the start when given
    search_text: str = ""
    detail: dict[str, JSON] = field(default_factory=dict)  # merged into the start's
