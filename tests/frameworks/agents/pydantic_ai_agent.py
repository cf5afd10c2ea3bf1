"""pydantic-ai: tools with and without a context, a retry."""

import os

from pydantic_ai import Agent, ModelRetry, RunContext

agent = Agent("openai-chat:gpt-4o-mini", name="planner", system_prompt="You plan evenings.")


@agent.tool_plain
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@agent.tool
async def book_table(context: RunContext[None], city: str, people: int) -> dict[str, object]:
    """Book a table."""
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    return {"ref": "T-7", "city": city, "people": people}


@agent.tool_plain
def cancel_table(ref: str) -> str:
    """Cancel a table."""
    raise ModelRetry(f"too late to cancel {ref}")


if __name__ == "__main__":
    print(agent.run_sync("Plan an evening in Berlin or Paris.").output)
