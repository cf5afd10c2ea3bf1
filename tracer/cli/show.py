"""`tracer show`: one run and its steps, or one step whole."""

import click

from tracer.cli.aroundview import environment_lines, show_around, show_locals
from tracer.cli.ls import lineage, run_time, when
from tracer.cli.options import db_option, json_option, open_store
from tracer.cli.output import (
    BOLD,
    CYAN,
    FAINT,
    GREEN,
    RED,
    STATUS,
    YELLOW,
    Cell,
    Style,
    line,
    table,
    write_json,
)
from tracer.cli.stepview import show_step
from tracer.cli.text import count, duration, money
from tracer.core.records import Run, Source, Step
from tracer.core.summary import error_summary, value_summary
from tracer.errors import TracerError
from tracer.interchange.around import OUTSIDE, around
from tracer.interchange.run_json import run_json, run_value, step_json
from tracer.reexecution.session import ReplaySpec, plan
from tracer.store.reading import Store

_SOURCE: dict[Source, Style] = {
    "live": GREEN,
    "recorded": FAINT,
    "substituted": YELLOW,
    "stubbed": CYAN,
}


@click.command("show")
@click.argument("run")
@click.option("--step", metavar="N", help="Show this step whole; its number or id.")
@json_option
@db_option
def command(run: str, step: str | None, as_json: bool) -> None:
    """Show RUN and its steps; with --step, everything about one of them."""
    with open_store() as store:
        found = store.find_run(run)
        if step is not None:
            one = store.step(found.id, step_reference(step))
            if as_json:
                write_json(step_json(store, one))
            else:
                show_step(store, found, one)
        elif as_json:
            write_json(run_json(store, found, steps=True))
        else:
            _show_run(store, found)


def step_reference(word: str) -> int | str:
    """A step's number where it is one, else its id (a long row of digits is an id)."""
    return int(word) if word.isascii() and word.isdecimal() and len(word) < 12 else word


def _show_run(store: Store, run: Run) -> None:
    steps = store.steps(run.id)
    line(f"{run.name}  {run.id}", BOLD)
    line("  " + " · ".join(part for part in _facts(run) if part), STATUS[run.status], whole=True)
    for label, value in (("in", "input"), ("out", "output")):
        shown = run_value(store, run, value)
        if shown is not None:
            line(f"  {label:<6} {value_summary(shown, 2000)}")
    if run.error is not None:
        said = error_summary(run.error.type, run.error.message)[2:]
        line(f"  error  {said}", RED, whole=True)
    for warning in run.warnings:
        line(f"  note   {warning}", YELLOW, whole=True)
    for divergence in run.divergences:
        place = f"diverged at step {divergence.get('n')}"
        line(f"  {place}: {divergence.get('message')}", YELLOW, whole=True)
    outside = around(store, run.id, OUTSIDE)
    for words in environment_lines(run.environment | outside.environment):
        line(f"  {words}", FAINT)
    how, notes = _replayable(store, run)
    line(f"  replay {how}", FAINT, whole=True)
    for note in notes:
        line(f"         {note}", FAINT, whole=True)
    _show_steps(run, steps)
    show_locals(outside)
    show_around(outside)


def _show_steps(run: Run, steps: list[Step]) -> None:
    if not steps:
        line("  nothing was recorded before it ended" if run.ended_ns else "  no step yet")
        return
    line()
    depths = _depths(steps)
    sources = run.parent_run is not None
    table(
        [_row(step, depths[step.id], sources) for step in steps],
        right=frozenset({0, 3}),
    )


def _facts(run: Run) -> list[str]:
    tokens = (run.usage.input_tokens or 0) + (run.usage.output_tokens or 0)
    return [
        run.status,
        when(run.started_ns),
        run_time(run),
        count(run.steps, "step"),
        count(run.model_calls, "model call"),
        count(run.tool_calls, "tool execution"),
        count(tokens, "token") if tokens else "",
        money(run.cost_usd) + ("+" if run.cost_incomplete else ""),
        lineage(run),
        "" if run.origin == "local" else run.origin,
    ]


def _replayable(store: Store, run: Run) -> tuple[str, list[str]]:
    """Whether it can be re-executed here, or why not; and what it is given instead of secrets."""
    if run.status == "running":
        return "when it has ended", []
    try:
        made = plan(store, ReplaySpec(run.id))
    except TracerError as error:
        return f"not here: {error}", []
    return f"tracer replay {run.id[:8]}", [text for text in made.warnings if "redacted" in text]


def _depths(steps: list[Step]) -> dict[str, int]:
    """How deep each step lies in others."""
    depths: dict[str, int] = {}
    for step in steps:
        depths[step.id] = depths.get(step.parent or "", -1) + 1
    return depths


def _row(step: Step, depth: int, sources: bool) -> list[Cell]:
    said = step.summary or step.name
    if step.kind == "model" and step.status == "running":
        said = f"waiting for {step.model or step.name}"
    style = RED if step.status == "error" else FAINT if step.kind == "note" else None
    return [
        Cell(str(step.n), FAINT),
        Cell(step.kind),
        Cell(_source(step.source, step.diverged) if sources else "", _SOURCE[step.source]),
        Cell("–" if step.status == "interrupted" else duration(step.duration_ms)),
        Cell("  " * depth + said, style),
    ]


def _source(source: Source, diverged: bool) -> str:
    return f"{source}!" if diverged else source
