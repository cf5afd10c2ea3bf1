"""What a run and a step are, once stored: frozen records, shared by every layer above.

A `Run` is one recorded execution, a `Step` one unit of it. Payloads (inputs, outputs, wire bytes)
are not in the records: they are read on demand through the store, because a step of a long
conversation can carry megabytes.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

RunStatus = Literal["running", "ok", "error", "interrupted", "stopped"]
StepStatus = Literal["running", "ok", "error", "cancelled", "interrupted"]
StepKind = Literal["agent", "model", "tool", "http", "step", "note"]
Source = Literal["live", "recorded", "substituted", "stubbed"]
Effect = Literal["external", "read", "local"]
Origin = Literal["local", "imported", "otlp"]
Fidelity = Literal["exact", "lossy", "opaque"]

NotedKind = Literal["printed", "logs", "touched", "locals", "environment"]

JSON = Any  # any value of the JSON data model


# In a run's environment: what happens around its steps was noted.
AROUND = "around"
# How a run's warning begins that says what its recording lacks: "…WHAT to WHERE, after step N".
NOT_CAPTURED = "not captured: "


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of a model call or a whole run; `None` = the provider did not say.

    `input_tokens` includes cached tokens and `output_tokens` includes reasoning tokens, as in
    OpenTelemetry's `gen_ai.usage.*`.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None

    def as_json(self) -> dict[str, int | None]:
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cached_input_tokens": self.cached_input_tokens,
            "reasoning_tokens": self.reasoning_tokens,
        }


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An exception as data: `type` is the dotted class name, `traceback` text or None."""

    type: str
    message: str
    traceback: str | None = None

    def as_json(self) -> dict[str, str | None]:
        return {"type": self.type, "message": self.message, "traceback": self.traceback}


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a step stands: the scope's path, and the ordinal among steps of its kind there."""

    path: str  # "/" separated, "" for the run's own scope
    kind: StepKind
    ordinal: int

    def child_path(self) -> str:
        """Path of the scope this step opens for the steps inside it."""
        own = f"{self.kind}{self.ordinal}"
        return f"{self.path}/{own}" if self.path else own


@dataclass(frozen=True, slots=True)
class Step:
    """One recorded unit of a run (kinds as in `StepKind`), without its payloads.

    Times are nanoseconds since the epoch. `start_seq` and `end_seq` come from one counter of the
    run, so they give the order of starts and ends across threads. `detail` holds what only some
    kinds have (finish reasons, response id, HTTP status, tool-call id, tools offered ...).
    """

    run_id: str
    n: int
    id: str
    parent: str | None
    kind: StepKind
    name: str
    status: StepStatus
    source: Source
    started_ns: int
    ended_ns: int | None
    start_seq: int
    end_seq: int | None
    slot: Slot
    fingerprint: str | None
    summary: str
    effect: Effect | None = None
    model: str | None = None
    provider: str | None = None
    api: str | None = None  # wire format ("openai.chat", "anthropic.messages"), None otherwise
    usage: Usage | None = None
    cost_usd: float | None = None
    ttft_ms: float | None = None
    error: ErrorInfo | None = None
    fidelity: Fidelity | None = None
    diverged: bool = False
    matched_step: str | None = None  # id of the parent run's step that answered this one
    callsite: str | None = None
    detail: dict[str, JSON] = field(default_factory=dict)

    @property
    def duration_ms(self) -> float | None:
        return None if self.ended_ns is None else (self.ended_ns - self.started_ns) / 1e6


class StepPlace(NamedTuple):
    """What walking through a run needs of a step; the names are those of `Step`.

    A tuple, because a page needs those of a whole run at once: ten thousand steps take 0.2 s.
    """

    n: int
    id: str
    parent: str | None
    kind: StepKind
    name: str
    status: StepStatus
    source: Source


@dataclass(frozen=True, slots=True)
class Run:
    """One recorded execution: `id` is 32 hex digits (the trace id); times are ns since epoch.

    `fork` is None for originals and plain replays, else
    `{"step": n, "step_id": id, "kind": ..., "after": ...}`. `parent_run` is set for forks and
    replays. `entry` says how to start it again (`kind`: script | module | function | none).
    """

    id: str
    name: str
    status: RunStatus
    started_ns: int
    ended_ns: int | None
    error: ErrorInfo | None
    usage: Usage
    cost_usd: float | None
    model_calls: int
    tool_calls: int
    steps: int
    parent_run: str | None
    fork: dict[str, JSON] | None
    entry: dict[str, JSON]
    origin: Origin
    pid: int | None = None
    input_text: str = ""  # first 200 characters, for lists
    output_text: str = ""
    last_step_ns: int | None = None
    divergences: tuple[dict[str, JSON], ...] = ()
    warnings: tuple[str, ...] = ()
    environment: dict[str, JSON] = field(default_factory=dict)
    waiting: bool = False  # for somebody to answer a question (`Store.questions`), if it still runs
    cost_incomplete: bool = False  # some model call's price is unknown, so `cost_usd` is too low

    @property
    def duration_ms(self) -> float | None:
        return None if self.ended_ns is None else (self.ended_ns - self.started_ns) / 1e6
