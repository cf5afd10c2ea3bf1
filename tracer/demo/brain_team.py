"""The demo model as planner, worker and verifier of a team that adds up hotel invoices.

The planner has one weakness, on purpose: it copies the date the trip ended, though its instruction
says that rates exist for banking days only.
"""

import json
import re
from collections import defaultdict
from typing import Any

from tracer.demo.conversation import Answer, Call, Conversation, number

TRIP = re.compile(r"\bT-\d+\b")
INVOICE = re.compile(r"\b(INV-\d+)\b(\s*\([^)]*\btwice\b[^)]*\))?")
DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def plan(conversation: Conversation) -> Answer:
    """The plan as one call of `submit_plan`, made of what the request names."""
    if (done := conversation.last("submit_plan")) is not None:
        return Answer(f"The plan for trip {done.arguments.get('trip')} is made.")
    trip, day = TRIP.search(conversation.asked), DAY.search(conversation.asked)
    found = list(INVOICE.finditer(conversation.asked))
    if trip is None or day is None or not found:
        return Answer("I need the trip's number, the day it ended and its invoices' numbers.")
    invoices = [match[1] for match in found for _ in range(2 if match[2] else 1)]
    arguments = {"trip": trip.group(), "invoices": invoices, "rate_date": day.group()}
    return Answer("", (Call("submit_plan", arguments),))


def read(conversation: Conversation) -> Answer:
    """The worker's answer: read the invoice asked for, then give its total as one line."""
    done = conversation.last("read_invoice")
    if done is None:
        asked = INVOICE.search(conversation.asked)
        if asked is None:
            return Answer("Which invoice? Please give its number, like INV-201.")
        return Answer("", (Call("read_invoice", {"invoice": asked[1]}),))
    if "total" not in done.result:
        return Answer(f"{done.arguments.get('invoice')}: can't be read.")
    total = number(done.result["total"])
    return Answer(f"{done.arguments.get('invoice')}: {total:.2f} {done.result.get('currency')}")


def verify(conversation: Conversation) -> Answer:
    """The verifier's answer: a rate for each currency, then the report, then one sentence."""
    try:
        task = json.loads(conversation.users[-1]) if conversation.users else {}
        trip, day, sums = task["trip"], task["rate_date"], _sums(task["totals"])
    except (ValueError, KeyError, TypeError):
        return Answer("I need the trip, the totals and the rate's date as JSON.")
    rates = {"EUR": 1.0}
    for done in conversation.executed:
        if done.name == "fx_rate" and "rate" in done.result:
            rates[str(done.arguments.get("currency"))] = number(done.result["rate"])
            day = done.arguments.get("date")
    missing = next((currency for currency in sums if currency not in rates), None)
    if missing is not None:
        if (tried := conversation.last("fx_rate")) and "error" in tried.result:
            return Answer(f"Trip {trip}: no report, {tried.result['error']}.")
        return Answer("", (Call("fx_rate", {"currency": missing, "date": day}),))
    filed = conversation.last("file_report")
    if filed is None:
        total = round(sum(amount * rates[currency] for currency, amount in sums.items()), 2)
        return Answer("", (Call("file_report", {"trip": trip, "total_eur": total}),))
    if "error" in filed.result:
        return Answer(f"Trip {trip}: the report could not be filed, {filed.result['error']}.")
    parts = " + ".join(f"{amount:.2f} {currency}" for currency, amount in sums.items())
    total = number(filed.arguments.get("total_eur"))
    return Answer(f"Trip {trip}: {parts} = {total:.2f} EUR at the rate of {day}, report filed.")


def _sums(totals: list[dict[str, Any]]) -> dict[str, float]:
    """Amount by currency of `[{"amount", "currency"}, ...]`, in order of appearance."""
    sums: dict[str, float] = defaultdict(float)
    for total in totals:
        sums[str(total["currency"])] += number(total["amount"])
    return dict(sums)
