"""The tools of the support agents, and the audit at the end of their runs.

Tools that change the world write one line each to the ledger file.
"""

from collections.abc import Callable
from typing import Any

import tracer
from tracer.demo import ledger
from tracer.demo.shop import CUSTOMERS, ORDERS, POLICIES, Category


class RefundMismatch(Exception):
    """The refund paid isn't the one that the policy of the order's category allows."""


@tracer.tool(effect="read")
def lookup_order(order_id: str) -> dict[str, Any]:
    """Look an order up: item, price, refund category, shipping, customer."""
    if order_id not in ORDERS:
        raise LookupError(f"no order {order_id}")
    return {"order_id": order_id, "currency": "EUR", **ORDERS[order_id]}


@tracer.tool(effect="read")
def get_customer(customer_id: str) -> dict[str, Any]:
    """Get the name and e-mail address of a customer."""
    if customer_id not in CUSTOMERS:
        raise LookupError(f"no customer {customer_id}")
    return {"customer_id": customer_id, **CUSTOMERS[customer_id]}


@tracer.tool(effect="read")
def check_policy(category: Category) -> dict[str, Any]:
    """Get the refund policy of a category of goods."""
    if category not in POLICIES:
        raise LookupError(f"no policy for {category!r}; there are {', '.join(POLICIES)}")
    return {"category": category, **POLICIES[category]}


@tracer.tool(effect="external")
def issue_refund(
    order_id: str, amount: float, reason: str, confidence: float = 0.5
) -> dict[str, Any]:
    """Pay an amount back, saying why and how sure you are (confidence from 0 to 1)."""
    price = ORDERS[order_id]["price"]
    if not 0 < amount <= price:
        raise ValueError(f"the refund must be above 0 and at most {price:.2f}, found {amount:.2f}")
    ledger.append("refund", order_id=order_id, amount=amount)
    return {"refund_id": f"RF-{order_id}", "amount": amount}


@tracer.tool(effect="external")
def send_email(to: str, subject: str, body: str) -> dict[str, Any]:
    """Send an e-mail to a customer."""
    ledger.append("email", to=to, subject=subject, body=body)
    return {"status": "sent", "to": to}


@tracer.tool(effect="external")
def close_ticket(order_id: str, resolution: str) -> dict[str, Any]:
    """Close the ticket of an order with a short resolution."""
    ledger.append("close", order_id=order_id, resolution=resolution)
    return {"status": "closed", "order_id": order_id}


TOOLS: tuple[Callable[..., dict[str, Any]], ...] = (
    lookup_order,
    get_customer,
    check_policy,
    issue_refund,
    send_email,
    close_ticket,
)
BY_NAME = {tool.__name__: tool for tool in TOOLS}


def use_tool(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the tool returns; a failure becomes `{"error": ...}`, for the model to read."""
    try:
        return BY_NAME[name](**arguments)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


@tracer.step
def audit(done: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare what was refunded with what the policy of the order's own category allows.

    `done` lists the tool executions as `{"tool", "arguments", "result"}`. Raises RefundMismatch;
    a ticket that isn't closed is left to a person.
    """
    worked = [entry for entry in done if "error" not in entry["result"]]
    orders = [entry["result"] for entry in worked if entry["tool"] == "lookup_order"]
    if not orders or not any(entry["tool"] == "close_ticket" for entry in worked):
        return {"checked": False}
    order = orders[-1]
    percent = POLICIES[order["category"]]["refund_percent"]
    allowed = round(order["price"] * percent / 100, 2)
    refunded = round(
        sum(entry["arguments"]["amount"] for entry in worked if entry["tool"] == "issue_refund"), 2
    )
    if refunded != allowed:
        raise RefundMismatch(
            f"refunded {refunded:.2f}, the policy allows {allowed:.2f} "
            f"for order {order['order_id']}"
        )
    return {"checked": True, "refunded": refunded}
