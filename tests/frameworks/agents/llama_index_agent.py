"""LlamaIndex: two FunctionAgents in an AgentWorkflow, a handoff, a tool that writes state."""

import asyncio
import os

from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.workflow import Context
from llama_index.llms.openai_like import OpenAILike

llm = OpenAILike(
    "gpt-4o-mini",
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    is_chat_model=True,
    is_function_calling_model=True,
)


async def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def book_table(ctx: Context, city: str, people: int) -> dict:
    """Book a table."""
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    async with ctx.store.edit_state() as state:
        state["booked"] = city
    return {"ref": "T-7", "city": city, "people": people}


def cancel_table(ref: str) -> str:
    """Cancel a table."""
    raise ValueError(f"too late to cancel {ref}")


planner = FunctionAgent(
    name="planner",
    description="Looks at the weather.",
    tools=[get_weather],
    llm=llm,
    can_handoff_to=["booker"],
)
booker = FunctionAgent(
    name="booker",
    description="Books tables.",
    tools=[book_table, cancel_table],
    llm=llm,
    can_handoff_to=[],
)
workflow = AgentWorkflow(agents=[planner, booker], root_agent="planner")


async def main() -> None:
    context = Context(workflow)
    print(await workflow.run(user_msg="Plan an evening in Berlin or Paris.", ctx=context))
    print(await context.store.get("booked", default=None))


if __name__ == "__main__":
    asyncio.run(main())
