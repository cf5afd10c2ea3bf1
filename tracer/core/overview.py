"""What many runs look like together. Pure records; the store adds them up, pages show them."""

from dataclasses import dataclass

from tracer.core.records import StepKind, StepStatus


@dataclass(frozen=True, slots=True)
class OverviewSpan:
    """Runs that started within a stretch of time, added up.

    `cost_usd` is the sum of what is known, None when nothing is; `unpriced` runs have model calls
    whose cost is unknown, so that the sum is less than was paid.
    """

    start_ns: int
    end_ns: int
    runs: int
    failed: int
    cost_usd: float | None
    unpriced: int
    input_tokens: int | None
    output_tokens: int | None
    median_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class OverviewStep:
    """A step worth looking at; `error` is its type and message, "" without one."""

    run_id: str
    run_name: str
    n: int
    kind: StepKind
    name: str
    summary: str
    status: StepStatus
    ms: float | None
    cost_usd: float | None
    model: str | None
    error: str


@dataclass(frozen=True, slots=True)
class OverviewGroup:
    """The steps of one agent, model or tool, added up; `name` None where no name is known.

    `latest_failure` is the failed one in the newest run. Of an agent, cost and tokens are those of
    the model calls made directly in it, not in an agent inside it.
    """

    name: str | None
    runs: int
    calls: int
    failed: int
    cost_usd: float | None
    unpriced: int
    input_tokens: int | None
    output_tokens: int | None
    median_ms: float | None
    p95_ms: float | None
    latest_failure: OverviewStep | None = None


@dataclass(frozen=True, slots=True)
class OverviewLoop:
    """A tool that was called `times` times with the same arguments in one run; `step` is the
    first of these calls."""

    times: int
    step: OverviewStep


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything. Groups, steps and loops come from the steps of the newest `step_runs` runs only.

    `steps` of them were looked at; `all_runs`, `all_steps`: nothing was left out. Steps that a
    re-execution answered from its recording count for loops alone.
    """

    whole: OverviewSpan
    spans: tuple[OverviewSpan, ...]
    agents: tuple[OverviewGroup, ...]
    models: tuple[OverviewGroup, ...]
    tools: tuple[OverviewGroup, ...]
    failing: tuple[OverviewGroup, ...]
    slowest: tuple[OverviewStep, ...]
    costliest: tuple[OverviewStep, ...]
    loops: tuple[OverviewLoop, ...]
    all_runs: bool
    step_runs: int
    steps: int
    all_steps: bool
