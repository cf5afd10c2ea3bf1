"""A store full of runs to look at: what pages, commands and bundles are tested against.

`build_sample_store` is deterministic: same ids, times and bytes at every call.
"""

import os
from pathlib import Path
from typing import Any

from tests.support.run_builder import RunBuilder, call, result, step_id, text
from tracer.core.messages import Message
from tracer.core.records import ErrorInfo
from tracer.store.writing import StoreWriter

ASKED = "My floor lamp from order A-1042 arrived cracked. It came by standard delivery."
TOOLS: list[dict[str, Any]] = [
    {
        "name": "lookup_order",
        "description": "Find an order by its number.",
        "parameters": {
            "type": "object",
            "properties": {"order_id": {"type": "string"}},
            "required": ["order_id"],
        },
    },
    {
        "name": "check_policy",
        "description": "How much of the price a category gives back.",
        "parameters": {
            "type": "object",
            "properties": {
                "category": {"type": "string", "enum": ["standard", "clearance", "custom"]}
            },
            "required": ["category"],
        },
    },
    {
        "name": "issue_refund",
        "description": "Pay money back.",
        "parameters": {
            "type": "object",
            "properties": {"order_id": {"type": "string"}, "amount": {"type": "number"}},
            "required": ["order_id", "amount"],
        },
    },
]
ORDER = {
    "order_id": "A-1042",
    "item": "Halden floor lamp",
    "category": "clearance",
    "price": 480.0,
    "currency": "EUR",
}
REFUSED = ErrorInfo(
    "support_tools.RefundRefused",
    "480.00 EUR for order A-1042: the clearance policy allows 24.00",
    "Traceback (most recent call last):\n"
    '  File "/home/ana/shop/support_agent.py", line 58, in payments\n'
    "    issue_refund(order_id, amount)\n"
    '  File "/home/ana/shop/support_tools.py", line 91, in issue_refund\n'
    "    raise RefundRefused(amount, allowed)\n"
    "support_tools.RefundRefused: 480.00 EUR for order A-1042: the clearance policy allows 24.00\n",
)
PAID = "Order A-1042: refunded 24.00 EUR (clearance, 5 %)."


def build_sample_store(path: Path, *, big_steps: int = 0) -> dict[str, str]:
    """Write the sample runs into a new database; returns run ids by name.

    Keys: `failed` (9 steps, error at 9), `fork` (of it, at step 4), `replay` (of it), `running`,
    `interrupted`, `empty` (failed before any step), `hostile`, and `big` when `big_steps` > 0.
    """
    writer = StoreWriter(path)
    try:
        ids = {
            "interrupted": _interrupted(writer),
            "empty": _empty(writer),
            "hostile": _hostile(writer),
        }
        ids["failed"] = _failed(writer)
        ids["fork"] = _fork(writer, ids["failed"])
        ids["replay"] = _replay(writer, ids["failed"])
        ids["running"] = _running(writer)
        if big_steps:
            ids["big"] = _big(writer, big_steps)
    finally:
        writer.close()
    return ids


def _opening() -> list[Message]:
    return [text("system", "You are the support agent of a lamp shop."), text("user", ASKED)]


def _until_policy(run: RunBuilder, **answered: Any) -> list[Message]:
    """Steps 2 and 3: the order is looked up; returns the history so far."""
    history = _opening()
    asked = call("lookup_order", "call_1", {"order_id": "A-1042"}, "Let me look it up.")
    run.model(history, asked, tools=TOOLS, stream=True, **answered)
    run.tool("lookup_order", {"order_id": "A-1042"}, ORDER, effect="read", **answered)
    return [*history, asked, result("call_1", ORDER)]


def _refund(
    run: RunBuilder, history: list[Message], category: str, error: ErrorInfo | None, **answered: Any
) -> list[Message]:
    """Steps 4 to 9: which policy, a remark, and the money, paid by a sub-agent."""
    percent, amount = (100, 480.0) if category == "standard" else (5, 24.0)
    third = {"source": "substituted"} if category == "clearance" else answered
    asked = call("check_policy", "call_2", {"category": category})
    run.model(history, asked, tools=TOOLS, **third)
    policy = {"category": category, "refund_percent": percent}
    run.tool("check_policy", {"category": category}, policy, effect="read", **answered)
    run.note(f"refund {percent} %, as the {category} policy says", confidence=0.8)
    history = [*history, asked, result("call_2", policy)]
    paid = {"order_id": "A-1042", "amount": amount}
    asked = call("issue_refund", "call_3", paid, f"The policy gives {percent} % back.")
    run.model(history, asked, tools=TOOLS, **answered)
    receipt = {"refund_id": "R-1", **paid}
    with run.agent("payments", paid, output=receipt, error=error):
        run.tool("issue_refund", paid, receipt, error=error, **answered)
    return [*history, asked, result("call_3", receipt)]


def _support(writer: StoreWriter, key: str, minute: int, **more: Any) -> RunBuilder:
    asked = {"question": ASKED}
    return RunBuilder(writer, key, "support_agent", asked=asked, minute=minute, **more)


def _failed(writer: StoreWriter) -> str:
    run = _support(writer, "failed", 10, around=True)
    with run.agent("support_agent", {"question": ASKED}, error=REFUSED):
        _refund(run, _until_policy(run), "standard", REFUSED)
    _noted(run)
    return run.end("error", error=REFUSED)


def _noted(run: RunBuilder) -> None:
    """What happened around the failed run and its last step."""
    run.noted(0, "printed", [["out", "shop 1.4 is ready\n"]])
    git = {"root": "/home/ana/shop", "commit": "4be1" * 10, "branch": "main"}
    packages = {"openai": "1.2.3", "shop": "1.4"}
    run.noted(
        0,
        "environment",
        {"git": git, "dirty": True, "packages": packages, "variables": ["SHOP_MODE"]},
    )
    run.noted(9, "printed", [["out", "refunding A-1042\n"], ["err", "over the limit\n"]])
    record = {
        "at_ns": 1_790_000_604 * 10**9,
        "level": "WARNING",
        "logger": "shop.refunds",
        "text": "480.00 EUR is more than 24.00",
        "where": "support_tools.py:90",
    }
    run.noted(9, "logs", [record])
    run.noted(9, "touched", [{"what": "database", "name": "/home/ana/shop/shop.db", "times": 2}])
    frame = {"file": "/home/ana/shop/support_tools.py", "line": 91, "function": "issue_refund"}
    values = [["amount", "480.0"], ["allowed", "24.0"], ["api_key", "[redacted]"]]
    run.noted(9, "locals", [{**frame, "values": values, "left_out": 0}])


def _fork(writer: StoreWriter, parent: str) -> str:
    fork = {"step": 4, "step_id": step_id(parent, 4), "kind": "tool_call", "after": "live"}
    run = _support(writer, "fork", 12, parent_run=parent, fork=fork)
    with run.agent("support_agent", {"question": ASKED}, output=PAID):
        history = _refund(run, _until_policy(run, source="recorded"), "clearance", None)
        run.model(history, text("assistant", PAID), tools=TOOLS)
    return run.end("ok", PAID)


def _replay(writer: StoreWriter, parent: str) -> str:
    run = _support(writer, "replay", 13, parent_run=parent)
    with run.agent("support_agent", {"question": ASKED}, error=REFUSED):
        history = _until_policy(run, source="recorded")
        _refund(run, history, "standard", REFUSED, source="recorded")
    return run.end("error", error=REFUSED)


def _running(writer: StoreWriter) -> str:
    run = RunBuilder(
        writer, "running", "nightly triage", asked={"batch": 7}, minute=14, pid=os.getpid()
    )
    run.enter("nightly triage", {"batch": 7})
    run.model(_until_policy(run), None, tools=TOOLS)
    return run.id


def _interrupted(writer: StoreWriter) -> str:
    run = _support(writer, "interrupted", 2)
    run.enter("support_agent", {"question": ASKED})
    _until_policy(run)
    run.tool("check_policy", {"category": "standard"}, effect="read", running=True)
    return run.end("interrupted")


def _empty(writer: StoreWriter) -> str:
    run = RunBuilder(writer, "empty", "broken_agent", asked={"argv": ["--fast"]}, minute=3)
    error = ErrorInfo("KeyError", "'OPENAI_API_KEY'", "Traceback …\nKeyError: 'OPENAI_API_KEY'\n")
    return run.end("error", error=error)


def _hostile(writer: StoreWriter) -> str:
    """Everything a page or terminal could choke on, in one run."""
    script = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    run = RunBuilder(writer, "hostile", script, asked={"q": script, "none": None}, minute=4)
    deep: Any = "bottom"
    for _ in range(200):
        deep = {"in": deep}
    escape = "\x1b[31mred\x1b]0;title\x07\x00 bell\x07"
    family = "👩\u200d👩\u200d👧\u200d👦 👍🏽"
    mixed = f"\u202egnp.evil\u202c مرحبا بالعالم {family} e\u0301 \u200b日本語"
    history = [text("system", script), text("user", f"{mixed} [link](javascript:alert(3))")]
    run.model(history, call("odd name", "call_1", {"<b>": script, "nothing": None}), tools=None)
    run.tool("odd name", {"<b>": script, "nothing": None}, {"escape": escape, "mixed": mixed})
    nothing = b'{"id":null,"choices":null,"usage":null,"model":null}'
    run.model(history, {"role": "assistant", "parts": []}, raw_reply=nothing, cost=None)
    run.tool("deep", {"tree": deep}, deep)
    run.tool("long", {"size": 5_000_000}, "long line " * 500_000)
    run.tool("empty", {}, None)
    run.note(script)
    broken = ErrorInfo(f"builtins.{script}", escape + mixed, f"Traceback\n{script}\n{escape}")
    run.tool("fails", {"why": mixed}, error=broken)
    run.noted(8, "printed", [["out", script + escape], ["err", mixed], {"left_out": 10**9}])
    run.noted(
        8, "printed", [["out", "line\n" * 50_000], ["odd", "x"], 7, [None], {"left_out": "x"}]
    )
    log = {"at_ns": 2**62, "level": script, "logger": mixed, "text": escape, "error": script}
    run.noted(8, "logs", [{**log, "trace": [escape, 3]}, {"text": 1}, None, {"left_out": 3}])
    run.noted(8, "touched", [{"what": script, "name": "/tmp/\nnext", "to": escape, "times": -1}])
    frame = {"file": script, "line": "x", "function": mixed, "values": [[script, escape], 3]}
    run.noted(8, "locals", [frame, {"file": 1}, []])
    run.noted(0, "environment", {"git": {"commit": script}, "packages": [1], "variables": script})
    run.noted(0, "environment", [1])
    return run.end("error", error=broken)


def _big(writer: StoreWriter, steps: int) -> str:
    """A long run of two kinds of steps; each model call is sent the last forty messages."""
    run = RunBuilder(writer, "big", "long_agent", asked={"steps": steps}, minute=1)
    writer.begin()
    history = _opening()
    for turn in range(1, steps // 2 + 1):
        arguments = {"order_id": f"A-{turn:05d}"}
        asked = call("lookup_order", f"call_{turn}", arguments)
        run.model(history, asked, tools=TOOLS)
        run.tool("lookup_order", arguments, {**ORDER, **arguments}, effect="read")
        history = [*history[-40:], asked, result(f"call_{turn}", ORDER)]
    if steps % 2:
        run.note("odd number of steps")
    writer.commit()
    return run.end("ok", "done")
