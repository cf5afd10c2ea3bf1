"""A step as rows and headings show it: letter, words, numbers. Made from records alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracer_ui.api import Run, Step
from tracer_ui.formats import cost, duration, number, plural
from tracer_ui.jsonlines import clip
from tracer_ui.outline import MAX_SHOWN_DEPTH, Node, Outline

LETTERS = {"agent": "A", "model": "M", "tool": "T", "http": "H", "step": "S", "note": "N"}
WORDS = {
    "agent": "agent",
    "model": "model call",
    "tool": "tool execution",
    "http": "HTTP request",
    "step": "step",
    "note": "note",
}
SOURCE_WORDS = {
    "live": "live",
    "recorded": "recorded",
    "substituted": "edited",
    "stubbed": "stubbed",
}
_MODEL_VERBS = {"ok": "answers", "running": "waits for an answer"}
SOURCE_HELP = {
    "live": "really executed in this run",
    "recorded": "served from the recording of the parent run",
    "substituted": "replaced by you",
    "stubbed": "answered with the value chosen for this tool",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the step list. `source` is a word in re-executions, "" in originals."""

    n: int
    kind: str
    letter: str
    depth: int
    text: str
    time: str
    status: str
    failed: bool
    source: str
    diverged: bool


def row(step: Step, node: Node, outline: Outline, *, reexecuted: bool) -> Row:
    """A step's line; the text is its content, the name only where there is no content."""
    return Row(
        n=step.n,
        kind=step.kind,
        letter=LETTERS[step.kind],
        depth=min(node.depth, MAX_SHOWN_DEPTH),
        text=step.summary or step.name,
        time="" if step.kind == "note" else duration(step.duration_ms),
        status=step.status,
        failed=outline.is_error(node),
        source=SOURCE_WORDS[step.source] if reexecuted else "",
        diverged=step.diverged,
    )


def title(step: Step, agent: str, calls: Sequence[str] = ()) -> str:
    """What happens in a step, as a sentence. `calls` are the tools a model's answer asks for."""
    name = clip(step.name, 120)
    who = clip(agent, 60) or "the program"
    if step.kind == "model":
        if calls:
            return clip(f"{who} asks for {', '.join(calls)}", 160)
        return f"{who} {_MODEL_VERBS.get(step.status, 'gets no answer')}"
    if step.kind == "tool":
        return f"{who} runs {name}"
    return f"note of {who}" if step.kind == "note" else name


def facts(step: Step) -> tuple[tuple[str, str], ...]:
    """The numbers of a step: pairs of label and value, only those that are known."""
    found: list[tuple[str, str]] = []
    if step.model:
        found.append(("model", clip(step.model, 80)))
    if step.kind != "note":
        found.append(("took", duration(step.duration_ms)))
    if step.ttft_ms is not None:
        found.append(("first token", duration(step.ttft_ms)))
    if step.usage is not None:
        found.append(("in", tokens_in(step)))
        found.append(("out", tokens_out(step)))
    if step.cost_usd is not None:
        found.append(("cost", cost(step.cost_usd)))
    return tuple(found)


def tokens_in(step: Step) -> str:
    """Input tokens with the cached part, as `1,204 tokens (1,024 cached)`."""
    usage = step.usage
    if usage is None or usage.input_tokens is None:
        return number(None)
    cached = usage.cached_input_tokens
    return f"{usage.input_tokens:,} tokens" + (f" ({cached:,} cached)" if cached else "")


def tokens_out(step: Step) -> str:
    """Output tokens with the reasoning part."""
    usage = step.usage
    if usage is None or usage.output_tokens is None:
        return number(None)
    thought = usage.reasoning_tokens
    return f"{usage.output_tokens:,} tokens" + (f" ({thought:,} reasoning)" if thought else "")


def total_tokens(run: Run) -> int | None:
    """All tokens of a run, None when no provider said."""
    counts = (run.usage.input_tokens, run.usage.output_tokens)
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def fork_words(run: Run) -> str:
    """How a run came from its parent: `fork of step 4`, `replay`, "" for originals."""
    if run.parent_run is None:
        return ""
    if run.fork is None:
        return "replay"
    step = run.fork.get("step")
    return f"fork at step {step}" if step is not None else "fork"


def fork_step(run: Run) -> int | None:
    """Number of the step a fork was made at."""
    step = None if run.fork is None else run.fork.get("step")
    return step if isinstance(step, int) else None


def run_words(run: Run) -> str:
    """A run's numbers in one phrase: `42 steps · 50.5 s · 105,556 tokens · $0.21`."""
    parts = [plural(run.steps, "step")]
    if run.duration_ms is not None:
        parts.append(duration(run.duration_ms))
    tokens = total_tokens(run)
    if tokens is not None:
        parts.append(f"{tokens:,} tokens")
    if run.cost_usd is not None:
        parts.append(run_cost(run))
    return " · ".join(parts)


def run_cost(run: Run) -> str:
    """What a run cost; a plus says that some call's price isn't known."""
    return cost(run.cost_usd) + ("+" if run.cost_incomplete and run.cost_usd is not None else "")
