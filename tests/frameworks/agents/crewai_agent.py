"""crewAI: a crew of one agent and one task, native function calls."""

import os

os.environ["CREWAI_DISABLE_TELEMETRY"] = "true"
os.environ["OTEL_SDK_DISABLED"] = "true"
os.environ["CREWAI_TESTING"] = "true"  # its question at the first start in a folder

from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool


@tool("get_weather")
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@tool("book_table")
def book_table(city: str, people: int) -> dict:
    """Book a table."""
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    return {"ref": "T-7", "city": city, "people": people}


@tool("cancel_table")
def cancel_table(ref: str) -> str:
    """Cancel a table."""
    raise ValueError(f"too late to cancel {ref}")


if __name__ == "__main__":
    planner = Agent(
        role="planner",
        goal="Plan evenings.",
        backstory="Knows the town.",
        llm=LLM(model="openai/gpt-4o-mini"),
        tools=[get_weather, book_table, cancel_table],
    )
    task = Task(
        description="Plan an evening in Berlin or Paris.",
        expected_output="A plan.",
        agent=planner,
    )
    print(Crew(agents=[planner], tasks=[task], tracing=False).kickoff().raw)
