"""What `replay` and `fork` share: start the child, wait, say what came of it."""

import json
import sys
from typing import Any

from tracer.cli.options import open_store
from tracer.interchange.run_json import run_json
from tracer.replay.session import Outcome, Plan, ReplaySpec, plan, start, wait_interruptible
from tracer.store.reading import Store


def split_tools(given: tuple[str, ...]) -> dict[str, str]:
    """`NAME=POLICY` words as a mapping. Raises UsageError."""
    from tracer.errors import UsageError

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
        print(f"tracer: note: {warning}", file=sys.stderr)
    child = start(planned, output="stderr" if as_json else "inherit")
    outcome = wait_interruptible(child)
    with open_store() as store:
        if as_json:
            print(json.dumps(_document(store, outcome), ensure_ascii=False, indent=2))
        else:
            _say(store, planned, outcome)
    if as_json and outcome.message is not None:
        print(f"tracer: {outcome.message}", file=sys.stderr)
    return outcome.exit_code


def _document(store: Store, outcome: Outcome) -> dict[str, Any]:
    """The new run's object, or just what is known when no run was started."""
    from tracer.errors import NotFoundError

    try:
        found = run_json(store, store.find_run(outcome.run_id), steps=True)
    except NotFoundError:
        found = {"id": None, "steps": []}
    return found | {
        "divergences": outcome.divergences,
        "exit_code": outcome.exit_code,
        "message": outcome.message,
    }


def _say(store: Store, planned: Plan, outcome: Outcome) -> None:
    """One line that says what happened, then the divergence if there is one."""
    from tracer.errors import NotFoundError

    if outcome.message is not None:
        print(f"tracer: {outcome.message}", file=sys.stderr)
    for item in outcome.divergences[:1]:
        for change in item["diff"][:5]:
            print(f"  {change['path']}", file=sys.stderr)
            print(f"  - {_line(change['old'])}", file=sys.stderr)
            print(f"  + {_line(change['new'])}", file=sys.stderr)
    if len(outcome.divergences) > 1:
        more = len(outcome.divergences) - 1
        print(f"  and {more} more, probably because of the first", file=sys.stderr)
    try:
        run = store.find_run(outcome.run_id)
    except NotFoundError:
        return
    sources: dict[str, int] = {}
    for step in store.steps(run.id):
        if step.kind in ("model", "tool", "http", "step"):
            sources[step.source] = sources.get(step.source, 0) + 1
    counts = ", ".join(f"{count} {source}" for source, count in sources.items())
    what = "replay" if planned.step is None else f"fork at step {planned.step.n}"
    print(f"run {run.id[:8]} · {what} of {planned.run.id[:8]} · {run.status} · {counts}", file=sys.stderr)


def _line(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 400 else text[:400] + "…"
