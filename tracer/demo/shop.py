"""The shop of the support agents, as data: orders, policies, prompt, default question."""

from typing import Any, Literal

Category = Literal["standard", "opened", "clearance", "final_sale"]

SYSTEM = """You are the support agent of a furniture shop. Work in this order, one tool at a time:
look the order up, get its customer, check the refund policy of the order's category, refund
exactly what that policy allows, e-mail the customer, close the ticket. Then sum up in a sentence.
If a tool fails, say so and leave the ticket open."""
QUESTION = (
    "Order A-1042 came by standard delivery last week and the lamp's arm is broken. "
    "Please refund me."
)

POLICIES: dict[str, dict[str, Any]] = {
    "standard": {"refund_percent": 100, "rule": "full refund within 30 days"},
    "opened": {"refund_percent": 50, "rule": "half the price once the packaging is open"},
    "clearance": {"refund_percent": 5, "rule": "sold as seen, 5 % of goodwill for damage"},
    "final_sale": {"refund_percent": 0, "rule": "no refund"},
}
ORDERS: dict[str, dict[str, Any]] = {
    "A-1042": {
        "customer_id": "C-77",
        "item": "Halden floor lamp",
        "price": 480.00,
        "category": "clearance",
        "shipping": "standard",
        "delivered": "2026-07-03",
    },
    "A-1007": {
        "customer_id": "C-12",
        "item": "Bergen tea kettle",
        "price": 89.90,
        "category": "standard",
        "shipping": "express",
        "delivered": "2026-07-09",
    },
    "A-1013": {
        "customer_id": "C-12",
        "item": "Lund headphones",
        "price": 149.00,
        "category": "opened",
        "shipping": "standard",
        "delivered": "2026-06-28",
    },
}
CUSTOMERS: dict[str, dict[str, Any]] = {
    "C-77": {"name": "Dana Reyes", "email": "dana.reyes@example.com"},
    "C-12": {"name": "Ivo Marsh", "email": "ivo.marsh@example.com"},
}
