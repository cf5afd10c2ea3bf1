"""What `replay` and `fork` share: start the child, wait, say what came of it."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import click

from tracer.cli.options import database, open_store
from tracer.cli.output import say, write_json
from tracer.cli.text import cut
from tracer.core.deeds import deeds
from tracer.core.variation import NAMES
from tracer.errors import NotFoundError, UsageError
from tracer.interchange.run_json import run_json
from tracer.reexecution import terminal
from tracer.reexecution.session import (
    Child,
    Outcome,
    Plan,
    ReplaySpec,
    plan,
    start,
    wait_interruptible,
)
from tracer.store.reading import Store

C = TypeVar("C", bound=Callable[..., Any])
_SHOWN_CHANGES = 5
_SHOWN_TEXT = 400


def ignore_option(command: C) -> C:
    """`--ignore`: what may differ from the recorded questions."""
    return click.option(
        "--ignore",
        multiple=True,
        metavar="WHAT",
        help=f"Take for equal what differs only in this: {', '.join(NAMES)}, a place as in "
        "messages[0].parts[0].content ([*]: any), or /regular expression/.",
    )(command)


def split_tools(given: tuple[str, ...]) -> dict[str, str]:
    """`NAME=POLICY` words as a mapping. Raises UsageError."""
    tools: dict[str, str] = {}
    for word in given:
        name, sign, policy = word.partition("=")
        if not sign or not name:
            raise UsageError(f"--tool {word}: write NAME=POLICY, for example send_email=block")
        tools[name] = policy
    return tools


def reexecute(spec: ReplaySpec, as_json: bool) -> int:
    """Plan, run and report one re-execution; its exit code."""
    with open_store() as store:
        planned = plan(store, spec)
    for warning in planned.warnings:
        say(f"tracer: note: {warning}")
    child = start(planned, output="stderr" if as_json else "inherit")
    outcome = _attended(child)
    if outcome.message is not None:
        say(f"tracer: {outcome.message}")
    with open_store() as store:
        if as_json:
            write_json(_document(store, outcome))
        else:
            _say(store, planned, outcome)
    return outcome.exit_code


def _attended(child: Child) -> Outcome:
    """Wait for a child; what it asks is answered at the terminal, where there is one."""
    if not terminal.is_there():
        return wait_interruptible(child)
    watching = terminal.Terminal(database(), child.run_id)
    try:
        return wait_interruptible(child, lambda: watching.look(lambda: child.poll() is not None))
    finally:
        watching.close()


def _document(store: Store, outcome: Outcome) -> dict[str, Any]:
    """The new run's object, or just what is known when no run was started."""
    try:
        found = run_json(store, store.find_run(outcome.run_id), steps=True)
        found["did"] = deeds(store.steps(outcome.run_id)).as_json()
    except NotFoundError:
        found = {"id": None, "steps": [], "did": deeds(()).as_json()}
    return found | {
        "divergences": outcome.divergences,
        "exit_code": outcome.exit_code,
        "message": outcome.message,
        "held_writes": list(outcome.held_writes),
    }


def _say(store: Store, planned: Plan, outcome: Outcome) -> None:
    """The first divergence if there is one, then one line on the new run."""
    for item in outcome.divergences[:1]:
        for change in item["diff"][:_SHOWN_CHANGES]:
            say(f"  {change['path']}")
            for sign, key in (("-", "old"), ("+", "new")):
                if key in change:
                    say(f"  {sign} {_shown(change[key])}")
        if item.get("choices"):
            say(f"  to go on past it: {' or '.join(item['choices'][:2])}")
    if len(outcome.divergences) > 1:
        say(f"  and {len(outcome.divergences) - 1} more, probably because of the first")
    _say_held(planned, outcome.held_writes)
    try:
        run = store.find_run(outcome.run_id)
    except NotFoundError:
        return
    steps = store.steps(run.id)
    if planned.step is not None:
        say(f"tracer: done for real: {deeds(steps).words()}")
    sources = Counter(
        step.source for step in steps if step.kind in ("model", "tool", "http", "step")
    )
    counts = ", ".join(f"{number} {source}" for source, number in sources.items())
    parent = planned.run.id[:8]
    what = "replay" if planned.step is None else f"fork at step {planned.step.n}"
    say(
        f"run {run.id[:8]} · {what} of {parent} · {run.status} · {counts} · "
        f"tracer diff {parent} {run.id[:8]}"
    )


def _say_held(planned: Plan, held: tuple[str, ...]) -> None:
    """Which files the program would have changed outside any step."""
    if not held:
        return
    shown = ", ".join(held[:_SHOWN_CHANGES]) + (", …" if len(held) > _SHOWN_CHANGES else "")
    kept = planned.spec.keep_writes
    where = f"kept in {kept}" if kept is not None else "--keep-writes DIR keeps them"
    say(f"tracer: held back what the program wrote outside any step: {shown} ({where})")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    kept, left_out = cut(text, _SHOWN_TEXT)
    return kept + ("…" if left_out else "")
