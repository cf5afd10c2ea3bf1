"""How one re-execution is to go, as the process that does it is told."""

from dataclasses import dataclass, field
from typing import Any, Literal

from tracer.core.diff import MAX_CHANGES, json_changes
from tracer.core.records import Step
from tracer.core.variation import Ignore
from tracer.reexecution.breaks import Break
from tracer.reexecution.budget import Ceilings
from tracer.reexecution.policy import Policies
from tracer.reexecution.substitute import Substitute

After = Literal["live", "recorded", "ask"]


@dataclass(slots=True)
class Rules:
    """How a re-execution is to go. `fork` None: a replay, everything is served."""

    fork: Step | None = None
    substitute: Substitute | None = None
    after: After = "live"
    policies: Policies = field(default_factory=lambda: Policies({}))
    ceilings: Ceilings = field(default_factory=Ceilings)
    breaks: tuple[Break, ...] = ()  # where somebody is asked, behind the fork point
    ignore: tuple[Ignore, ...] = ()
    serve_anyway: bool = False  # what stands in a step's place, whatever the code asks there
    break_at: int | None = None  # number of the recorded step to stop before, in a debugger

    def ignores(self, old: Any, new: Any) -> bool:
        """Whether all that differs between two questions (JSON) is to be ignored."""
        changes = json_changes(old, new)
        settled = (any(rule.settles(change) for rule in self.ignore) for change in changes)
        # As many as are looked for: there may be more.
        return 0 < len(changes) < MAX_CHANGES and all(settled)
