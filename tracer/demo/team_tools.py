"""The books of the team: invoices, exchange rates, the tools over them, and its own errors."""

from typing import Any

import tracer
from tracer.demo import ledger

INVOICES: dict[str, dict[str, Any]] = {
    "INV-201": {"hotel": "Bayview Inn", "nights": 2, "total": 310.00, "currency": "USD"},
    "INV-202": {"hotel": "Mission Rooms", "nights": 1, "total": 145.50, "currency": "USD"},
}
# 2026-08-15 is a Saturday, a day without rates.
RATES: dict[tuple[str, str], float] = {
    ("USD", "2026-08-13"): 0.90,
    ("USD", "2026-08-14"): 0.92,
}


MAX_INVOICES = 5  # each is a worker, and all work at once


class NoRate(LookupError):
    """The bank published no rate for that day."""


class BadPlan(ValueError):
    """The planner's answer isn't a plan the team can carry out."""


class ReadingsDiffer(ValueError):
    """Two workers read different totals from one invoice, or one could not read it."""


@tracer.tool(effect="read")
def read_invoice(invoice: str) -> dict[str, Any]:
    """Read an invoice: hotel, nights, total and currency."""
    if invoice not in INVOICES:
        raise LookupError(f"no invoice {invoice}")
    return {"invoice": invoice, **INVOICES[invoice]}


@tracer.tool(effect="read")
def fx_rate(currency: str, date: str) -> dict[str, Any]:
    """Get the bank's rate of a currency to EUR on a date (YYYY-MM-DD)."""
    if (currency, date) not in RATES:
        raise NoRate(f"no rate for {date}")
    return {"currency": currency, "date": date, "rate": RATES[currency, date]}


@tracer.tool(effect="external")
def file_report(trip: str, total_eur: float) -> dict[str, Any]:
    """File the expense report of a trip."""
    ledger.append("report", trip=trip, total_eur=total_eur)
    return {"status": "filed", "trip": trip}


@tracer.step
def check_plan(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan itself, when it has a trip, a date and invoices to read; raises BadPlan."""
    invoices = plan.get("invoices")
    if not isinstance(invoices, list) or not 1 <= len(invoices) <= MAX_INVOICES:
        raise BadPlan(f"a plan has 1 to {MAX_INVOICES} invoices, found {invoices!r}")
    texts = [*invoices, plan.get("trip"), plan.get("rate_date")]
    if not all(isinstance(text, str) and text for text in texts):
        raise BadPlan(f"trip, rate_date and invoices must be texts, found {plan!r}")
    return plan


@tracer.step
def agree(readings: list[str]) -> list[dict[str, Any]]:
    """Totals of `INVOICE: AMOUNT CURRENCY` lines, each invoice once; raises ReadingsDiffer."""
    totals: dict[str, dict[str, Any]] = {}
    for reading in readings:
        invoice, _, rest = reading.partition(": ")
        amount, _, currency = rest.partition(" ")
        try:
            total = {"invoice": invoice, "amount": float(amount), "currency": currency}
        except ValueError:
            raise ReadingsDiffer(f"a worker gave no total: {reading!r}") from None
        if totals.setdefault(invoice, total) != total:
            raise ReadingsDiffer(f"two readings of {invoice}: {totals[invoice]} and {total}")
    return list(totals.values())
