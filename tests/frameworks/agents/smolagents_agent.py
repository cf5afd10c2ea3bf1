"""smolagents: a ToolCallingAgent."""

import os

from smolagents import LogLevel, OpenAIModel, ToolCallingAgent, tool


@tool
def get_weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: Which city.
    """
    return f"sunny in {city}"


@tool
def book_table(city: str, people: int) -> dict:
    """Book a table.

    Args:
        city: In which city.
        people: For how many.
    """
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    return {"ref": "T-7", "city": city, "people": people}


@tool
def cancel_table(ref: str) -> str:
    """Cancel a table.

    Args:
        ref: The reference of the booking.
    """
    raise ValueError(f"too late to cancel {ref}")


if __name__ == "__main__":
    model = OpenAIModel("gpt-4o-mini", api_base=os.environ["OPENAI_BASE_URL"])
    agent = ToolCallingAgent(
        [get_weather, book_table, cancel_table],
        model,
        name="planner",
        description="Plans evenings.",
        verbosity_level=LogLevel.OFF,
    )
    print(agent.run("Plan an evening in Berlin or Paris."))
