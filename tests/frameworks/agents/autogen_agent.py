"""AutoGen agentchat: an AssistantAgent that reflects on its tools' results."""

import asyncio
import os

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def book_table(city: str, people: int) -> dict:
    """Book a table."""
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    return {"ref": "T-7", "city": city, "people": people}


def cancel_table(ref: str) -> str:
    """Cancel a table."""
    raise ValueError(f"too late to cancel {ref}")


async def main() -> None:
    client = OpenAIChatCompletionClient(model="gpt-4o-mini")
    agent = AssistantAgent(
        "planner",
        client,
        tools=[get_weather, book_table, cancel_table],
        max_tool_iterations=5,
    )
    result = await agent.run(task="Plan an evening in Berlin or Paris.")
    print(result.messages[-1].content)


if __name__ == "__main__":
    asyncio.run(main())
