"""What is asked of a re-execution, and the command line that asks the same."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from tracer.core.records import Run, Step
from tracer.reexecution.budget import Ceilings
from tracer.reexecution.rules import After
from tracer.reexecution.substitute import Substitute

WAIT_MINUTES = 10.0  # for an answer, while nobody is there to give one


@dataclass(frozen=True, slots=True)
class ReplaySpec:
    """What is asked for. No `step` and no `model_call`: a plain replay.

    `step` is a number or id, `model_call` counts from 1. `script` (path and arguments) or
    `function` (MODULE:FUNCTION or FILE.py:FUNCTION) take the place of the recorded entry; imported
    runs need one of them, because what a file names is never run. What the program writes outside
    any step is kept from the world, but for `allow_writes` (paths), and copied to the folder
    `keep_writes` at the end. `ignore`: rules (see `tracer.core.variation`) for what may differ from
    the recorded questions; `serve_anyway`: answer what stands in a step's place whatever is asked.
    `max_*`: what may happen for real behind the fork (cost in US dollars; None: no bound).
    `break_at`: number of the step to stop before, in `pdb`. `breaks`: where to ask whoever watches,
    behind the fork (see `reexecution.breaks`). `wait_minutes`: how long a question, of a breakpoint
    or of the policy `ask`, waits while nobody is there to answer it (None: ten minutes with
    breakpoints, else nobody is asked).
    """

    run_id: str
    step: str | int | None = None
    model_call: int | None = None
    substitute: Substitute | None = None
    after: After = "live"
    tools: Mapping[str, str] = field(default_factory=dict)
    script: tuple[str, ...] | None = None
    function: str | None = None
    max_live_calls: int = 100
    reason: str | None = None
    keep_writes: str | None = None
    allow_writes: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    serve_anyway: bool = False
    max_tokens: int | None = None
    max_cost: float | None = None
    max_minutes: float | None = None
    break_at: int | None = None
    breaks: tuple[str, ...] = ()
    wait_minutes: float | None = None

    @property
    def patience(self) -> float:
        """Seconds that a question waits for an answer while nobody is there to give one; 0: nobody
        is asked."""
        if self.wait_minutes is not None:
            return self.wait_minutes * 60
        return WAIT_MINUTES * 60 if self.breaks else 0.0

    @property
    def ceilings(self) -> Ceilings:
        """What may happen for real."""
        return Ceilings(self.max_live_calls, self.max_tokens, self.max_cost, self.max_minutes)


def command_line(run: Run, step: Step | None, spec: ReplaySpec) -> str:
    """The `tracer` command that does the same."""
    words = ["tracer", "replay" if step is None else "fork", run.id[:8]]
    if step is not None:
        words += ["--step", str(step.n)]
    given = spec.substitute
    if given is not None and given.kind == "tool_call":
        words += ["--tool-call", str(given.tool_name), json.dumps(given.arguments)]
    elif given is not None and given.kind == "response":
        words += ["--response", "answer.json"]
    elif given is not None and given.kind == "again":
        words.append("--again")
        for name, value in given.edit.as_json().items():
            words += [f"--{name}", str(value)]
    elif given is not None and given.kind == "result":
        words += ["--result", json.dumps(given.result)]
    elif given is not None:
        words += [f"--{given.kind}", str(given.text if given.kind == "text" else given.error)]
    if step is not None and spec.after != "live":
        words += ["--after", spec.after]
    for name, policy in spec.tools.items():
        words += ["--tool", f"{name}={policy}"]
    for rule in spec.ignore:
        words += ["--ignore", rule]
    for text in spec.breaks:
        words += ["--break", text]
    return shlex.join(words)
