"""Strands: an agent whose tools see its state."""

import os

from strands import Agent, ToolContext, tool
from strands.models.openai import OpenAIModel


@tool
def get_weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: Which city.
    """
    return f"sunny in {city}"


@tool(context=True)
def book_table(city: str, people: int, tool_context: ToolContext) -> dict:
    """Book a table.

    Args:
        city: In which city.
        people: For how many.
    """
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    tool_context.agent.state.set("booked", city)
    return {"ref": "T-7", "city": city, "people": people}


@tool
def cancel_table(ref: str) -> str:
    """Cancel a table.

    Args:
        ref: The reference of the booking.
    """
    raise ValueError(f"too late to cancel {ref}")


if __name__ == "__main__":
    agent = Agent(
        name="planner",
        model=OpenAIModel(model_id="gpt-4o-mini"),
        tools=[get_weather, book_table, cancel_table],
        system_prompt="You plan evenings.",
        callback_handler=None,
    )
    print(str(agent("Plan an evening in Berlin or Paris.")).strip())
    print(agent.state.get("booked"))
