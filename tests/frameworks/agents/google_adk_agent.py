"""Google ADK: two agents, a transfer, a tool that writes session state; models through LiteLLM."""

import asyncio
import logging
import os

from google.adk.agents import LlmAgent
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.adk.tools import ToolContext
from google.genai import types

logging.disable(logging.CRITICAL)
model = LiteLlm("openai/gpt-4o-mini")


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def book_table(city: str, people: int, tool_context: ToolContext) -> dict:
    """Book a table."""
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    tool_context.state["booked"] = city
    return {"ref": "T-7", "city": city, "people": people}


def cancel_table(ref: str) -> str:
    """Cancel a table."""
    raise ValueError(f"too late to cancel {ref}")


def tell(tool, args, tool_context, error):
    """A failed tool is told to the model."""
    return {"error": str(error)}


booker = LlmAgent(
    name="booker",
    model=model,
    description="Books tables.",
    tools=[book_table, cancel_table],
    on_tool_error_callback=tell,
)
planner = LlmAgent(name="planner", model=model, tools=[get_weather], sub_agents=[booker])


async def main() -> None:
    runner = InMemoryRunner(agent=planner, app_name="evening")
    session = await runner.session_service.create_session(app_name="evening", user_id="ana")
    asked = types.Content(
        role="user", parts=[types.Part(text="Plan an evening in Berlin or Paris.")]
    )
    async for event in runner.run_async(user_id="ana", session_id=session.id, new_message=asked):
        if event.is_final_response():
            print(event.content.parts[0].text)
    ended = await runner.session_service.get_session(
        app_name="evening", user_id="ana", session_id=session.id
    )
    print(ended.state)


if __name__ == "__main__":
    asyncio.run(main())
