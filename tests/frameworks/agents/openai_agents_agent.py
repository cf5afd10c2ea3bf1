"""OpenAI Agents SDK: two agents, a handoff, sync and async tools."""

import os

from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

set_tracing_disabled(True)
model = OpenAIChatCompletionsModel("gpt-4o-mini", AsyncOpenAI())


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@function_tool
async def book_table(city: str, people: int) -> dict[str, object]:
    """Book a table."""
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    return {"ref": "T-7", "city": city, "people": people}


@function_tool
def cancel_table(ref: str) -> str:
    """Cancel a table."""
    raise ValueError(f"too late to cancel {ref}")


booker = Agent(name="booker", model=model, tools=[book_table, cancel_table])
planner = Agent(name="planner", model=model, tools=[get_weather], handoffs=[booker])

if __name__ == "__main__":
    print(Runner.run_sync(planner, "Plan an evening in Berlin or Paris.").final_output)
