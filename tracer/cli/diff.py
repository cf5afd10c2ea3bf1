"""`tracer diff`: two runs step by step, differences first."""

import json
from itertools import groupby
from typing import Any

import click

from tracer.cli.ls import lineage
from tracer.cli.options import db_option, json_option, open_store
from tracer.cli.output import (
    BOLD,
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
from tracer.cli.text import count, cut, duration, money
from tracer.core.diff import Change
from tracer.core.records import Run
from tracer.interchange.compare import Comparison, Row, State, compare

_SHOWN_CHANGES = 6
_SHOWN_TEXT = 200
_WORDS: dict[State, tuple[str, Style | None]] = {
    "edited": ("EDITED", YELLOW),
    "only_a": ("ONLY A", RED),
    "only_b": ("ONLY B", GREEN),
    "args": ("ASKED", None),
    "result": ("RESULT", None),
    "answer": ("ANSWER", None),
    "moved": ("MOVED", FAINT),
    "equal": ("EQUAL", FAINT),
}


@click.command("diff")
@click.argument("a")
@click.argument("b")
@click.option("--all", "everything", is_flag=True, help="Show equal steps one by one too.")
@json_option
@db_option
def command(a: str, b: str, everything: bool, as_json: bool) -> None:
    """Compare run A with run B: which steps belong together, and what differs.

    Time and cost are never a difference.
    """
    with open_store() as store:
        found = compare(store, store.find_run(a), store.find_run(b))
    if as_json:
        write_json(found.as_json())
        return
    _show(found, everything)


def _show(found: Comparison, everything: bool) -> None:
    table([_head("A", found.a), _head("B", found.b)])
    line()
    first = found.first_difference
    if first is None:
        line("no difference in any step", GREEN)
    else:
        where = "A" if first.a is not None else "B"
        words = _WORDS[first.state][0].lower()
        line(f"first divergence: step {found.first_divergence} of {where} · {words}", BOLD)
    line()
    for same, group in groupby(found.rows, key=lambda row: row.same):
        rows = list(group)
        if same and not everything and len(rows) > 1:
            line(f"{_span(rows):>11}  {count(len(rows), 'equal step')}", FAINT)
            continue
        for row in rows:
            _show_row(row)
    if found.output:
        line()
        line("what came of the runs", BOLD)
        _show_changes(list(found.output))


def _head(label: str, run: Run) -> list[Cell]:
    return [
        Cell(label, BOLD),
        Cell(run.id[:8], BOLD),
        Cell(run.status, STATUS[run.status]),
        Cell(count(run.steps, "step")),
        Cell(duration(run.duration_ms)),
        Cell(money(run.cost_usd)),
        Cell(f"{run.name}  {lineage(run)}".rstrip()),
    ]


def _span(rows: list[Row]) -> str:
    numbers = [row.a.n for row in rows if row.a] or [row.b.n for row in rows if row.b]
    return f"{min(numbers)}–{max(numbers)}"


def _show_row(row: Row) -> None:
    word, style = _WORDS[row.state]
    step = row.b or row.a
    assert step is not None  # a row has at least one side
    numbers = f"{row.a.n if row.a else '·':>4} = {row.b.n if row.b else '·':>4}"
    if row.a is None or row.b is None:
        numbers = numbers.replace("=", " ")
    line(f"{numbers}  {word:<7} {step.kind:<5} {step.summary or step.name}", style)
    _show_changes(list(row.changes))


def _show_changes(changes: list[Change]) -> None:
    for change in changes[:_SHOWN_CHANGES]:
        line(f"{'':>13}{change.path or 'output'}", FAINT)
        if not change.added:
            line(f"{'':>13}- {_value(change.old)}", RED)
        if not change.removed:
            line(f"{'':>13}+ {_value(change.new)}", GREEN)
    if len(changes) > _SHOWN_CHANGES:
        more = len(changes) - _SHOWN_CHANGES
        line(f"{'':>13}and {count(more, 'more difference')}: --json shows all", FAINT)


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    kept, left_out = cut(text, _SHOWN_TEXT)
    return kept + ("…" if left_out else "")
