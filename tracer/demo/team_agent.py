"""A planner, parallel workers and a verifier that add up a trip's hotel invoices (async `openai`).

    tracer run -m tracer.demo.team_agent ["Trip T-88 ended on ..."]

It talks to OPENAI_BASE_URL with OPENAI_API_KEY; with neither set it starts a local model server,
whose plan for the default request is wrong: much later the verifier's tool raises NoRate.
"""

import asyncio
import json
import sys
from typing import Any

from openai import AsyncOpenAI

import tracer
from tracer.demo.local_models import local_models
from tracer.demo.team_tools import agree, check_plan, file_report, fx_rate, read_invoice
from tracer.demo.tool_schema import Tool, openai_tools

MODEL = "gpt-4o-mini"
MAX_TURNS = 6
REQUEST = (
    "Trip T-88 ended on 2026-08-15. Add up its hotel invoices INV-201 (handwritten, have it read "
    "twice) and INV-202 in EUR and file the report."
)
PLANNER = """You plan how a trip's hotel invoices are added up. Name an invoice twice to have it
read twice. rate_date is the last banking day (Monday to Friday) on or before the trip's end: the
bank publishes no rates on other days."""
WORKER = "You read one invoice with your tool, then answer `INVOICE: AMOUNT CURRENCY` and no more."
VERIFIER = """You get a trip, totals and rate_date as JSON. Get the rates, file the report with the
sum in EUR, then sum up in a sentence."""
SUBMIT_PLAN: Any = {
    "type": "function",
    "function": {
        "name": "submit_plan",
        "description": "Hand in the plan.",
        "parameters": {
            "type": "object",
            "properties": {
                "trip": {"type": "string"},
                "invoices": {"type": "array", "items": {"type": "string"}},
                "rate_date": {"type": "string", "description": "YYYY-MM-DD"},
            },
            "required": ["trip", "invoices", "rate_date"],
        },
    },
}


async def converse(system: str, task: str, *tools: Tool) -> str:
    """Let the model use `tools` until it answers in text; a tool's exception goes to the caller."""
    by_name = {tool.__name__: tool for tool in tools}
    messages: list[Any] = [{"role": "system", "content": system}, {"role": "user", "content": task}]
    async with AsyncOpenAI() as client:
        for _ in range(MAX_TURNS):
            reply = await client.chat.completions.create(
                model=MODEL, messages=messages, tools=openai_tools(tools)
            )
            message = reply.choices[0].message
            messages.append(message)
            if not message.tool_calls:
                return message.content or ""
            for call in message.tool_calls:
                if call.type != "function":
                    raise ValueError(f"the model asked for a tool of type {call.type!r}")
                result = by_name[call.function.name](**json.loads(call.function.arguments))
                messages.append(
                    {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)}
                )
    raise RuntimeError(f"no end after {MAX_TURNS} model calls")


@tracer.agent
async def planner(request: str) -> dict[str, Any]:
    """The plan `{"trip", "invoices", "rate_date"}`; raises BadPlan."""
    async with AsyncOpenAI() as client:
        reply = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "system", "content": PLANNER}, {"role": "user", "content": request}],
            tools=[SUBMIT_PLAN],
            tool_choice={"type": "function", "function": {"name": "submit_plan"}},
        )
    calls = reply.choices[0].message.tool_calls or []
    arguments = [json.loads(call.function.arguments) for call in calls if call.type == "function"]
    return check_plan(arguments[0] if arguments else {})


@tracer.agent
async def worker(invoice: str) -> str:
    """One reading of an invoice, like `INV-201: 310.00 USD`."""
    return await converse(WORKER, f"Read invoice {invoice}.", read_invoice)


@tracer.agent
async def verifier(trip: str, totals: list[dict[str, Any]], rate_date: str) -> str:
    """Convert, file, sum up; raises NoRate when the bank has no rate for that day."""
    task = json.dumps({"trip": trip, "totals": totals, "rate_date": rate_date})
    return await converse(VERIFIER, task, fx_rate, file_report)


@tracer.agent
async def team_agent(request: str) -> str:
    """Plan, read the invoices in parallel, convert and file; returns the closing sentence."""
    plan = await planner(request)
    readings = await asyncio.gather(*(worker(invoice) for invoice in plan["invoices"]))
    return await verifier(plan["trip"], agree(list(readings)), plan["rate_date"])


if __name__ == "__main__":
    with local_models():
        print(asyncio.run(team_agent(" ".join(sys.argv[1:]) or REQUEST)))
