"""LangChain's own parallel branches (its executors, sync and async), and a LangGraph fan-out whose
branches meet in an agent that calls tools."""

import asyncio
import operator
import os
from typing import Annotated, TypedDict

from langchain.agents import create_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableParallel
from langchain_core.tools import ToolException, tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph

model = ChatOpenAI(model="gpt-4o-mini")


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@tool
async def book_table(city: str, people: int) -> dict:
    """Book a table."""
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    return {"ref": "T-7", "city": city, "people": people}


@tool
def cancel_table(ref: str) -> str:
    """Cancel a table."""
    raise ToolException(f"too late to cancel {ref}")


cancel_table.handle_tool_error = True
planner = create_agent(model, [get_weather, book_table, cancel_table], name="planner")


def chain(words):
    return ChatPromptTemplate.from_template("Say: {town} " + words) | model


branches = RunnableParallel(
    sights=chain("has sights"), food=chain("has food"), **{"in": chain("x")}
)


class State(TypedDict):
    town: str
    told: Annotated[list, operator.add]


def branch(words):
    def look(state):
        return {"told": [chain(words).invoke({"town": state["town"]}).content]}

    return look


async def plan(state):
    asked = {"messages": [("user", "Plan an evening in Berlin or Paris.")]}
    return {"told": [(await planner.ainvoke(asked))["messages"][-1].content]}


def graph():
    made = StateGraph(State)
    made.add_node("plan", plan)
    for name in ("parks", "bars", "shows"):
        made.add_node(name, branch(f"has {name}"))
        made.add_edge(START, name)
        made.add_edge(name, "plan")
    made.add_edge("plan", END)
    return made.compile()


def texts(given):
    return {name: message.content for name, message in given.items()}


async def at_once():
    told = (await graph().ainvoke({"town": "Bergen", "told": []}))["told"]
    return told, await branches.abatch([{"town": town} for town in ("Rome", "Oslo")])


if __name__ == "__main__":
    told, batch = asyncio.run(at_once())
    print(told, *map(texts, batch), sep="\n")
    print(texts(branches.invoke({"town": "Berlin"})))
    print(*map(texts, branches.batch([{"town": "Bern"}, {"town": "Paris"}])), sep="\n")
