"""The demo models as pure functions: every answer follows from what the history holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.demo import brain
from tracer.demo.conversation import Answer, Call, Conversation, Executed
from tracer.demo.shop import QUESTION
from tracer.demo.team_agent import REQUEST

CATEGORIES = ["standard", "opened", "clearance", "final_sale"]
SUPPORT = {
    "lookup_order": {},
    "get_customer": {},
    "check_policy": {"properties": {"category": {"enum": CATEGORIES}}},
    "issue_refund": {},
    "send_email": {},
    "close_ticket": {},
}
ORDER = {
    "order_id": "A-1042",
    "customer_id": "C-77",
    "item": "lamp",
    "price": 480.0,
    "currency": "EUR",
    "category": "clearance",
    "delivered": "2026-07-03",
}
LOOKED = Executed("lookup_order", {"order_id": "A-1042"}, ORDER)
KNOWN = Executed("get_customer", {"customer_id": "C-77"}, {"name": "Dana", "email": "d@e.org"})


def policy(category: str, percent: float) -> Executed:
    result = {"category": category, "refund_percent": percent}
    return Executed("check_policy", {"category": category}, result)


def support(*executed: Executed, asked: str = QUESTION) -> Answer:
    return brain.answer(Conversation("", (asked,), executed, SUPPORT))


def only_call(answer: Answer) -> Call:
    (call,) = answer.calls
    return call


def test_it_looks_up_the_order_then_the_customer() -> None:
    assert only_call(support()) == Call("lookup_order", {"order_id": "A-1042"})
    assert only_call(support(LOOKED)) == Call("get_customer", {"customer_id": "C-77"})


def test_the_mistake_comes_from_the_customers_words() -> None:
    wrong = only_call(support(LOOKED, KNOWN))
    right = only_call(support(LOOKED, KNOWN, asked="Order A-1042 is broken, refund me."))
    assert wrong == Call("check_policy", {"category": "standard"})
    assert right == Call("check_policy", {"category": "clearance"})


@pytest.mark.parametrize(
    ("price", "percent", "amount"), [(480.0, 100, 480.0), (480.0, 5, 24.0), (89.9, 50, 44.95)]
)
def test_the_refund_is_computed_from_price_and_policy(
    price: float, percent: float, amount: float
) -> None:
    looked = Executed("lookup_order", {"order_id": "A-1042"}, {**ORDER, "price": price})
    call = only_call(support(looked, KNOWN, policy("clearance", percent)))
    assert call.name == "issue_refund"
    assert call.arguments["amount"] == amount
    assert call.arguments["confidence"] == 0.9


def test_a_policy_of_another_category_lowers_the_confidence() -> None:
    call = only_call(support(LOOKED, KNOWN, policy("standard", 100)))
    assert call.arguments["confidence"] == 0.6


def test_mail_and_end_speak_of_the_refund_that_was_made() -> None:
    refund = Executed("issue_refund", {"order_id": "A-1042", "amount": 24}, {"refund_id": "R"})
    history = [LOOKED, KNOWN, policy("standard", 100), refund]
    mail = only_call(support(*history))
    assert mail.name == "send_email"
    assert mail.arguments["to"] == "d@e.org"
    assert "24.00 EUR" in mail.arguments["body"] and "480" not in mail.arguments["body"]
    history.append(Executed("send_email", mail.arguments, {"status": "sent"}))
    close = only_call(support(*history))
    assert close == Call("close_ticket", {"order_id": "A-1042", "resolution": "refunded 24.00 EUR"})
    history.append(Executed("close_ticket", close.arguments, {"status": "closed"}))
    end = support(*history)
    assert end.calls == ()
    assert "refunded 24.00 EUR" in end.text and "d@e.org" in end.text


def test_a_policy_without_refund_ends_in_a_refusal() -> None:
    call = only_call(support(LOOKED, KNOWN, policy("final_sale", 0)))
    assert call.name == "send_email"
    assert "can't be refunded" in call.arguments["body"]


@pytest.mark.parametrize(
    "failed",
    [
        [Executed("check_policy", {"category": "gold"}, {"error": "no policy for 'gold'"})],
        [policy("standard", 100), Executed("issue_refund", {}, {"error": "bank closed"})],
    ],
)
def test_a_failing_tool_hands_over_to_a_person(failed: list[Executed]) -> None:
    answer = support(LOOKED, KNOWN, *failed)
    assert answer.calls == ()
    assert str(failed[-1].result["error"]) in answer.text
    assert "colleague" in answer.text


def test_another_order_than_the_one_asked_for_is_worked_on() -> None:
    other = {**ORDER, "order_id": "A-1007", "customer_id": "C-12"}
    looked = Executed("lookup_order", {"order_id": "A-1007"}, other)
    assert only_call(support(looked)) == Call("get_customer", {"customer_id": "C-12"})
    refund = only_call(support(looked, KNOWN, policy("clearance", 5)))
    assert refund.arguments["order_id"] == "A-1007"


def test_texts_where_nothing_can_be_done() -> None:
    assert "Which order" in support(asked="I want my money back").text
    gone = Executed("lookup_order", {"order_id": "A-9"}, {"error": "no order A-9"})
    assert "can't find order A-9" in support(gone).text
    assert "delivered on 2026-07-03" in support(LOOKED, asked="Where is A-1042?").text
    unknown = brain.answer(Conversation("", ("What is the capital of France?",), (), {}))
    assert unknown.calls == () and "capital of France" in unknown.text
    assert brain.answer(Conversation("", (), (), {})).text


def team(tool: str, asked: str, *executed: Executed) -> Answer:
    return brain.answer(Conversation("", (asked,), executed, {tool: {}}))


def test_the_planner_takes_the_date_as_written() -> None:
    plan = only_call(team("submit_plan", REQUEST)).arguments
    assert plan["rate_date"] == "2026-08-15"
    assert plan["invoices"] == ["INV-201", "INV-201", "INV-202"]
    friday = REQUEST.replace("2026-08-15", "2026-08-14").replace("T-88", "T-9")
    plan = only_call(team("submit_plan", friday)).arguments
    assert (plan["trip"], plan["rate_date"]) == ("T-9", "2026-08-14")
    assert team("submit_plan", "Add it up").calls == ()


def test_the_worker_reports_what_it_read() -> None:
    call = only_call(team("read_invoice", "Read invoice INV-7."))
    assert call == Call("read_invoice", {"invoice": "INV-7"})
    done = Executed("read_invoice", call.arguments, {"total": 12, "currency": "GBP"})
    assert team("read_invoice", "Read invoice INV-7.", done).text == "INV-7: 12.00 GBP"
    lost = Executed("read_invoice", call.arguments, {"error": "lost"})
    assert team("read_invoice", "Read invoice INV-7.", lost).text == "INV-7: can't be read."


def test_the_verifier_converts_with_the_rates_of_the_history() -> None:
    totals = [
        {"amount": 100.0, "currency": "USD"},
        {"amount": 10.0, "currency": "EUR"},
        {"amount": 20.0, "currency": "GBP"},
    ]
    task = json.dumps({"trip": "T-1", "totals": totals, "rate_date": "2026-08-14"})
    history: list[Executed] = []
    for currency, rate in (("USD", 0.5), ("GBP", 2.0)):
        call = only_call(team("fx_rate", task, *history))
        assert call == Call("fx_rate", {"currency": currency, "date": "2026-08-14"})
        history.append(Executed("fx_rate", call.arguments, {"rate": rate}))
    call = only_call(team("fx_rate", task, *history))
    assert call == Call("file_report", {"trip": "T-1", "total_eur": 100.0})
    history.append(Executed("file_report", {"trip": "T-1", "total_eur": 99.0}, {}))
    assert "= 99.00 EUR" in team("fx_rate", task, *history).text
    assert team("fx_rate", "no task").calls == ()


VALUES = st.sampled_from(
    [None, True, -1, 10**400, float("inf"), float("nan"), "", "x", "12", [], [1], {}, {"a": 1}]
)
KEYS = st.sampled_from(
    ["price", "category", "refund_percent", "amount", "rate", "currency", "error", "email", "total"]
)
FACTS = st.dictionaries(KEYS, VALUES, max_size=4)
TOOLS = [*SUPPORT, "submit_plan", "read_invoice", "fx_rate", "file_report"]
DONE = st.builds(Executed, st.sampled_from(TOOLS), FACTS, FACTS)
ASKED = st.sampled_from([QUESTION, REQUEST, '{"trip": 1, "totals": [1], "rate_date": null}', ""])


@given(ASKED, st.lists(DONE, max_size=6), st.sampled_from(TOOLS))
def test_no_edited_history_breaks_a_model(asked: str, done: list[Executed], tool: str) -> None:
    tools = SUPPORT if tool in SUPPORT else {tool: {}}
    answer = brain.answer(Conversation("", (asked,), tuple(done), tools))
    assert answer.text or answer.calls
    json.dumps([call.arguments for call in answer.calls], allow_nan=False)


@given(FACTS, FACTS, st.lists(DONE, max_size=2))
def test_no_edited_result_breaks_the_support_agent(
    order: dict[str, object], rule: dict[str, object], more: list[Executed]
) -> None:
    looked = Executed("lookup_order", {}, {**ORDER, **order})
    checked = Executed("check_policy", {}, {"category": "clearance", "refund_percent": 5, **rule})
    answer = support(looked, KNOWN, checked, *more)
    assert answer.text
    json.dumps([call.arguments for call in answer.calls], allow_nan=False)
