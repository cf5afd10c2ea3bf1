"""The demo model as a shop's support agent: each answer follows from what the history holds.

It has one weakness, on purpose: a word of the customer that is also the name of a refund category
("standard" in "standard delivery") is taken for the order's category.
"""

import re
from typing import Any

from tracer.demo.conversation import Answer, Call, Conversation, Executed, number

ORDER = re.compile(r"\b[A-Z]-\d{3,6}\b")
REFUND = re.compile(r"refund|money back|broken|damaged|cracked|defect|return", re.IGNORECASE)


def answer(conversation: Conversation) -> Answer:
    """The support agent's next message: a tool call while something is missing, else the end."""
    looked = conversation.last("lookup_order")
    if looked is None:
        asked = ORDER.search(conversation.asked)
        if asked is None:
            return Answer("Which order is it about? Please send its number, like A-1042.")
        return _call(
            f"Let me look order {asked.group()} up.", "lookup_order", order_id=asked.group()
        )
    order = looked.result
    if "price" not in order:
        number = looked.arguments.get("order_id", "")
        return Answer(f"I can't find order {number}. Please check the number and write again.")
    if not REFUND.search(conversation.asked):
        return Answer(f"Order {order.get('order_id')} was delivered on {order.get('delivered')}.")
    if conversation.last("get_customer") is None:
        return _call(
            "Let me see who ordered it.", "get_customer", customer_id=order.get("customer_id", "")
        )
    return _settle(conversation, order)


def _settle(conversation: Conversation, order: dict[str, Any]) -> Answer:
    """From the policy to the refund, or to a person where that can't be settled."""
    refund = conversation.last("issue_refund")
    policy = conversation.last("check_policy")
    if refund is not None and "error" in refund.result:
        return _hand_over(order, f"the refund failed ({refund.result['error']})")
    if refund is not None:
        return _inform(conversation, order, number(refund.arguments.get("amount")))
    if policy is None:
        category = _category(conversation, order)
        return _call(
            f"The order counts as {category}. Let me check that policy.",
            "check_policy",
            category=category,
        )
    if "refund_percent" not in policy.result:
        return _hand_over(order, f"no policy was found ({policy.result.get('error', 'no reason')})")
    percent = number(policy.result["refund_percent"])
    amount = round(number(order["price"]) * percent / 100, 2)
    if amount <= 0:
        return _inform(conversation, order, 0.0)
    category = policy.result.get("category", "")
    return _call(
        f"The {category} policy gives {percent:g} % back: {_money(order, amount)}.",
        "issue_refund",
        order_id=order.get("order_id", ""),
        amount=amount,
        reason=f"the {category} policy gives back {percent:g} % of {_money(order)}",
        confidence=0.9 if category == order.get("category") else 0.6,
    )


def _inform(conversation: Conversation, order: dict[str, Any], paid: float) -> Answer:
    """Tell the customer what was decided, close the ticket, and sum up."""
    number = order.get("order_id", "")
    decision = f"refunded {_money(order, paid)}" if paid else "no refund"
    mail = conversation.last("send_email")
    if mail is None:
        customer = conversation.last("get_customer")
        who = customer.result if customer else {}
        outcome = (
            f"we have refunded {_money(order, paid)} for your {order.get('item')}."
            if paid
            else f"we are sorry: the {order.get('item')} can't be refunded."
        )
        return _call(
            "Now I write to the customer.",
            "send_email",
            to=who.get("email", ""),
            subject=f"Your order {number}",
            body=f"Dear {who.get('name', 'customer')}, {outcome}",
        )
    if conversation.last("close_ticket") is None:
        return _call(
            "Done, so I close the ticket.", "close_ticket", order_id=number, resolution=decision
        )
    told = f"e-mailed {mail.arguments.get('to')}"
    if "error" in mail.result:
        told = f"could not e-mail {mail.arguments.get('to')}"
    return Answer(
        f"Order {number}: {decision}{_rule(conversation.last('check_policy'))}, "
        f"{told} and closed the ticket."
    )


def _category(conversation: Conversation, order: dict[str, Any]) -> str:
    """The refund category the model believes in (its weakness: the customer's own words win)."""
    properties = conversation.tools["check_policy"].get("properties", {})
    for category in properties.get("category", {}).get("enum", ()):
        if re.search(rf"\b{re.escape(category)}\b", conversation.asked, re.IGNORECASE):
            return str(category)
    return str(order.get("category", ""))


def _rule(policy: Executed | None) -> str:
    if policy is None or "refund_percent" not in policy.result:
        return ""
    percent = number(policy.result["refund_percent"])
    return f" ({policy.result.get('category')}, {percent:g} %)"


def _hand_over(order: dict[str, Any], why: str) -> Answer:
    return Answer(f"Order {order.get('order_id')}: {why}, so a colleague will take over.")


def _money(order: dict[str, Any], amount: float | None = None) -> str:
    value = number(order["price"]) if amount is None else amount
    return f"{value:.2f} {order.get('currency', 'EUR')}"


def _call(text: str, tool: str, /, **arguments: Any) -> Answer:
    return Answer(text, (Call(tool, arguments),))
