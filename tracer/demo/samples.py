"""What each sample does, as data: the answer to blame, its correction, and both endings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracer.demo.conversation import Call

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample agent with its default request, as served by the local model server.

    `blamed_call` counts model calls from 1: that answer asks for `wrong`; replaced by `right`,
    the rest of the run ends in `fixed_output`. `*_model_calls` are whole executions, `*_ledger`
    the lines each adds to the ledger. `error_type` is the dotted class name.
    """

    name: str
    script: Path
    blamed_call: int
    wrong: Call
    right: Call
    error_type: str
    error_message: str
    failing_model_calls: int
    failing_ledger: tuple[dict[str, Any], ...]
    fixed_output: str
    fixed_model_calls: int
    fixed_ledger: tuple[dict[str, Any], ...]

    @property
    def module(self) -> str:
        """The module's import name, like `tracer.demo.support_agent`."""
        return f"tracer.demo.{self.name}"


def _support_ledger(amount: float) -> tuple[dict[str, Any], ...]:
    money = f"{amount:.2f} EUR"
    return (
        {"action": "refund", "order_id": "A-1042", "amount": amount},
        {
            "action": "email",
            "to": "dana.reyes@example.com",
            "subject": "Your order A-1042",
            "body": f"Dear Dana Reyes, we have refunded {money} for your Halden floor lamp.",
        },
        {"action": "close", "order_id": "A-1042", "resolution": f"refunded {money}"},
    )


def _support(name: str) -> Sample:
    return Sample(
        name=name,
        script=HERE / f"{name}.py",
        blamed_call=3,
        wrong=Call("check_policy", {"category": "standard"}),
        right=Call("check_policy", {"category": "clearance"}),
        error_type="tracer.demo.support_tools.RefundMismatch",
        error_message="refunded 480.00, the policy allows 24.00 for order A-1042",
        failing_model_calls=7,
        failing_ledger=_support_ledger(480.0),
        fixed_output=(
            "Order A-1042: refunded 24.00 EUR (clearance, 5 %), "
            "e-mailed dana.reyes@example.com and closed the ticket."
        ),
        fixed_model_calls=7,
        fixed_ledger=_support_ledger(24.0),
    )


TEAM_PLAN = {"trip": "T-88", "invoices": ["INV-201", "INV-201", "INV-202"]}

SUPPORT = _support("support_agent")
SUPPORT_STREAM = _support("support_agent_stream")
TEAM = Sample(
    name="team_agent",
    script=HERE / "team_agent.py",
    blamed_call=1,
    wrong=Call("submit_plan", {**TEAM_PLAN, "rate_date": "2026-08-15"}),
    right=Call("submit_plan", {**TEAM_PLAN, "rate_date": "2026-08-14"}),
    error_type="tracer.demo.team_tools.NoRate",
    error_message="no rate for 2026-08-15",
    failing_model_calls=8,
    failing_ledger=(),
    fixed_output="Trip T-88: 455.50 USD = 419.06 EUR at the rate of 2026-08-14, report filed.",
    fixed_model_calls=10,
    fixed_ledger=({"action": "report", "trip": "T-88", "total_eur": 419.06},),
)

SAMPLES: tuple[Sample, ...] = (SUPPORT, SUPPORT_STREAM, TEAM)
