"""`tracer ls`: the runs, newest first."""

from datetime import datetime

import click

from tracer.cli.options import database, db_option, json_option
from tracer.cli.output import BOLD, FAINT, RED, STATUS, Cell, columns, say, table, write_json
from tracer.cli.text import count, duration, fit, money, printable
from tracer.core.records import Run
from tracer.core.runquery import ORDERS, parse, parse_order
from tracer.core.summary import error_summary
from tracer.interchange.run_json import run_json
from tracer.store.failures import NoDatabase
from tracer.store.reading import Store

_SHOWN = 40
_NAME = 24  # columns a name may take
_SHORT_NAME = 16  # on a narrow terminal
_ROOMY = 110  # columns from which counts are shown too
_FAIR = 90  # columns from which time and money are


@click.command("ls")
@click.argument("query", nargs=-1, metavar="[QUERY]...")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="QUERY",
    help="The same, also if it begins with -.",
)
@click.option("--failed", is_flag=True, help="Only runs that failed or were interrupted.")
@click.option("--search", metavar="Q", help="Only runs in which each word of Q occurs.")
@click.option(
    "--sort",
    default="started",
    metavar="BY",
    help=f"{', '.join(ORDERS)}: largest first; with -up behind it, smallest first.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"At most N runs; 0 = all (the default with --json, else {_SHOWN}).",
)
@json_option
@db_option
def command(
    query: tuple[str, ...],
    filters: tuple[str, ...],
    failed: bool,
    search: str | None,
    sort: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """List recorded runs, newest first, replays and forks among them.

    QUERY narrows it down, as the field above the list in the web UI does: words, "a phrase", and
    filters: status:failed tool:refund model:gpt* cost:>0.1 tokens:>5k duration:>10s
    after:2026-11-01 before:7d has:error is:fork name:x tag:y. A minus in front means without.
    """
    wanted, order = parse(" ".join((*query, *filters))), parse_order(sort)
    most = limit if limit is not None else (0 if as_json else _SHOWN)
    try:
        with Store.open(database()) as store:
            # One more than shown tells whether there are more.
            runs = store.runs(
                failed=failed,
                search=search,
                limit=most + 1 if most else None,
                query=wanted,
                order=order,
            )
            more = len(runs) > most > 0
            runs = runs[: most or None]
            if as_json:
                write_json([run_json(store, run, steps=False) for run in runs])
                return
    except NoDatabase as error:
        # A new project has no runs; that is no fault.
        if as_json:
            write_json([])
        say(str(error))
        return
    if not runs:
        say("no run fits; `tracer ls` without options lists all")
        return
    wide = columns() or _ROOMY
    # Status and content stay; counts, then time and money, give way on narrow terminals.
    shown = 4 if wide >= _ROOMY else 2 if wide >= _FAIR else 0
    table([_row(run, shown) for run in runs], right=frozenset(range(3, 3 + shown)))
    if more:
        say("… and more: tracer ls --limit 0 lists all, a filter narrows it down (tracer ls -h)")


def _row(run: Run, shown: int) -> list[Cell]:
    tokens = (run.usage.input_tokens or 0) + (run.usage.output_tokens or 0)
    numbers = [
        Cell(run_time(run)),
        Cell(money(run.cost_usd)),
        Cell(count(run.steps, "step")),
        Cell(f"{tokens:,} tok" if tokens else ""),
    ]
    return [
        Cell(run.id[:8], BOLD),
        Cell(run.status, STATUS[run.status]),
        Cell(when(run.started_ns)[0 if shown else 5 :], FAINT),
        *numbers[:shown],
        Cell(fit(printable(run.name), _NAME if shown else _SHORT_NAME), BOLD),
        Cell(_content(run), RED if run.error else None),
    ]


def when(started_ns: int) -> str:
    """Local date and time to the minute."""
    try:
        return f"{datetime.fromtimestamp(started_ns / 1e9).astimezone():%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):  # an imported time outside the calendar
        return "unknown time"


def run_time(run: Run) -> str:
    """How long it took; of one that was interrupted, up to its last sign of life."""
    if run.duration_ms is None and run.status != "running" and run.last_step_ns is not None:
        return duration((run.last_step_ns - run.started_ns) / 1e6)
    return duration(run.duration_ms)


def lineage(run: Run) -> str:
    """`fork of a975da2b at step 4`, `replay of a975da2b`, or nothing."""
    if run.parent_run is None:
        return ""
    parent = run.parent_run[:8]
    if run.fork is None:
        return f"replay of {parent}"
    return f"fork of {parent} at step {run.fork.get('step')}"


def _content(run: Run) -> str:
    """What was asked and what came of it, in that order; for a re-execution first of what."""
    came = error_summary(run.error.type, run.error.message) if run.error else run.output_text
    parts = [lineage(run), f'"{run.input_text}"' if run.input_text else "", came]
    return "  ".join(part for part in parts if part)
