"""LangChain's `create_agent` on LangGraph: sync tools in threads, parallel branches."""

import os

from langchain.agents import create_agent
from langchain_core.tools import ToolException, tool
from langchain_openai import ChatOpenAI


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@tool
def book_table(city: str, people: int) -> dict:
    """Book a table."""
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    return {"ref": "T-7", "city": city, "people": people}


@tool
def cancel_table(ref: str) -> str:
    """Cancel a table."""
    raise ToolException(f"too late to cancel {ref}")


cancel_table.handle_tool_error = True

agent = create_agent(
    ChatOpenAI(model="gpt-4o-mini"),
    [get_weather, book_table, cancel_table],
    system_prompt="You plan evenings.",
    name="planner",
)

if __name__ == "__main__":
    asked = {"messages": [("user", "Plan an evening in Berlin or Paris.")]}
    print(agent.invoke(asked)["messages"][-1].content)
