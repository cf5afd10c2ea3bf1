"""`tracer calibrate`: what of a run's questions varies by itself, and how to ignore it."""

import shlex
from dataclasses import dataclass
from typing import Any

import click

from tracer.cli.options import (
    database,
    db_option,
    entry_options,
    json_option,
    open_store,
    script_words,
)
from tracer.cli.output import BOLD, FAINT, Cell, say, table, write_json
from tracer.core.diff import Change
from tracer.core.records import JSON
from tracer.core.variation import NAMES, Ignore, likely_cause, rule_for
from tracer.errors import EXIT_DIVERGED, EXIT_DONE, CannotReplayError
from tracer.reexecution.session import Outcome, ReplaySpec, plan, start, wait_interruptible
from tracer.store.pruning import prune

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Variation:
    """One place whose value was another in the recording and in each of two re-executions.

    `by_itself`: the two differ as well; else the code changed.
    """

    n: int
    path: str
    recorded: Any
    first: Any
    second: Any
    by_itself: bool
    cause: str | None  # a word of `NAMES`, or "order"

    def as_json(self) -> dict[str, JSON]:
        """The variation for programs."""
        return {
            "n": self.n,
            "path": self.path,
            "recorded": self.recorded,
            "first": self.first,
            "second": self.second,
            "varies": self.by_itself,
            "cause": self.cause,
        }


@click.command("calibrate")
@click.argument("run")
@entry_options
@json_option
@db_option
def command(run: str, script: str | None, entry: str | None, as_json: bool) -> int:
    """Re-execute RUN twice, offline, and say what varies by itself.

    Every question is answered from the recording, whatever it asks. What differs between the two
    executions varies by itself (a date, a random id); what differs only from the recording comes
    from changed code. Exit code 0: nothing differs; 3: something does; 125: as `tracer replay`.
    """
    with open_store() as store:
        found = store.find_run(run)
    spec = ReplaySpec(found.id, script=script_words(script), function=entry, serve_anyway=True)
    outcomes = [_once(spec), _once(spec)]
    variations = compared(outcomes[0].divergences, outcomes[1].divergences)
    rules = proposals(variations)
    ended = _early(outcomes)
    if as_json:
        document: dict[str, JSON] = {
            "run": found.id,
            "variations": [one.as_json() for one in variations],
            "ignore": list(rules),
            "ended_early": ended,
        }
        write_json(document)
    else:
        _show(found.id, variations, rules, ended)
    return EXIT_DIVERGED if variations or ended else EXIT_DONE


def _once(spec: ReplaySpec) -> Outcome:
    """One re-execution; its record is not kept. Raises CannotReplayError."""
    with open_store() as store:
        planned = plan(store, spec)
    outcome = wait_interruptible(start(planned, output="discard"))
    prune(database(), [outcome.run_id])
    if outcome.exit_code == CannotReplayError.exit_code:
        raise CannotReplayError(outcome.message or "the run can't be re-executed here")
    return outcome


def compared(first: list[dict[str, JSON]], second: list[dict[str, JSON]]) -> list[Variation]:
    """The places that differ from the recording, in the order of the steps."""
    places = [_places(first), _places(second)]
    found: list[Variation] = []
    for n, path in sorted({**places[0], **places[1]}):
        one, two = places[0].get((n, path)), places[1].get((n, path))
        known = one or two or {}
        recorded = known.get("old")
        a, b = (recorded if change is None else change.get("new") for change in (one, two))
        cause = likely_cause(Change(path, recorded, b if one is None else a))
        found.append(Variation(n, path, recorded, a, b, a != b, cause and cause[0]))
    return found


def _places(divergences: list[dict[str, JSON]]) -> dict[tuple[int, str], dict[str, Any]]:
    return {
        (int(item["n"] or 0), str(change["path"])): change
        for item in divergences
        if item["kind"] == "changed_request"
        for change in item["diff"]
    }


def proposals(variations: list[Variation]) -> list[str]:
    """Rules that ignore all that varies by itself: as few and as narrow as may be."""
    rules: list[str] = []
    for one in variations:
        if not one.by_itself:
            continue
        changes = [Change(one.path, one.recorded, value) for value in (one.first, one.second)]
        known = [Ignore.parse(rule) for rule in rules]
        if all(any(rule.settles(change) for rule in known) for change in changes):
            continue
        named = (name for name in NAMES if all(Ignore.parse(name).settles(c) for c in changes))
        rules.append(next(named, rule_for(one.path)))
    return rules


def _early(outcomes: list[Outcome]) -> str | None:
    """Why an execution did not reach its end, if one did not."""
    for outcome in outcomes:
        other = [item for item in outcome.divergences if item["kind"] != "changed_request"]
        if other:
            return str(other[0]["message"])
        if outcome.exit_code not in (EXIT_DONE, EXIT_DIVERGED):
            return outcome.message
    return None


def _show(run_id: str, found: list[Variation], rules: list[str], ended: str | None) -> None:
    rows = [
        [
            Cell(f"step {one.n}", BOLD),
            Cell("varies by itself" if one.by_itself else "changed since"),
            Cell(one.cause or "", FAINT),
            Cell(one.path),
            Cell(f"{_shown(one.recorded)} → {_shown(one.first)} → {_shown(one.second)}"),
        ]
        for one in found
    ]
    table(rows)
    if ended is not None:
        say(f"tracer: an execution ended early: {ended}")
    if rules:
        options = " ".join(f"--ignore {shlex.quote(rule)}" for rule in rules)
        say(f"tracer replay {run_id[:8]} {options}")
    elif not found and ended is None:
        say(f"run {run_id[:8]} asks the same every time: nothing varies")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN else "…" + text[-_SHOWN:]
