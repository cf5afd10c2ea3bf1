"""What a re-execution did for real: calls that cost money, tools that may change the world."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tracer.core.records import JSON, Step


@dataclass(frozen=True, slots=True)
class Deeds:
    """Model calls and their cost (None: no price known), and by name how often a tool, process or
    request ran that may change the world."""

    model_calls: int
    cost_usd: float | None
    done: dict[str, int]

    def as_json(self) -> dict[str, JSON]:
        """For `tracer fork --json`."""
        done: dict[str, JSON] = dict(self.done)
        return {"model_calls": self.model_calls, "cost_usd": self.cost_usd, "done": done}

    def words(self) -> str:
        """`3 model calls ($0.004), send_email, refund 2×`; "nothing" where nothing was."""
        parts = []
        if self.model_calls:
            cost = "" if self.cost_usd is None else f" (${self.cost_usd:.2g})"
            plural = "" if self.model_calls == 1 else "s"
            parts.append(f"{self.model_calls} model call{plural}{cost}")
        parts += [name if count == 1 else f"{name} {count}×" for name, count in self.done.items()]
        return ", ".join(parts) or "nothing"


def deeds(steps: Iterable[Step]) -> Deeds:
    """What of a re-execution's steps was no answer from the recording."""
    real = [step for step in steps if step.source == "live" and not step.detail.get("reentered")]
    models = [step for step in real if step.kind == "model"]
    costs = [step.cost_usd for step in models if step.cost_usd is not None]
    done = Counter(
        step.name
        for step in real
        if step.kind in ("tool", "http") and step.effect not in ("read", "local")
    )
    return Deeds(len(models), sum(costs) if costs else None, dict(done))
