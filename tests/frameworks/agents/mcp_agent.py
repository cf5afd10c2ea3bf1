"""A loop of one's own around an SDK, whose tools are an MCP server's."""

import asyncio
import json
import os

from mcp.client.client import Client
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from openai import AsyncOpenAI

server = MCPServer("evening", log_level="CRITICAL")


@server.tool()
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@server.tool()
def book_table(city: str, people: int) -> dict[str, str | int]:
    """Book a table."""
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    return {"ref": "T-7", "city": city, "people": people}


@server.tool()
def cancel_table(ref: str) -> str:
    """Cancel a table."""
    raise ToolError(f"too late to cancel {ref}")


async def main() -> None:
    model = AsyncOpenAI()
    messages = [{"role": "user", "content": "Plan an evening in Berlin or Paris."}]
    async with Client(server) as client:
        listed = (await client.list_tools()).tools
        tools = [
            {
                "type": "function",
                "function": {"name": tool.name, "parameters": tool.input_schema},
            }
            for tool in listed
        ]
        while True:
            reply = await model.chat.completions.create(
                model="gpt-4o-mini", messages=messages, tools=tools
            )
            said = reply.choices[0].message
            messages.append(said.model_dump(exclude_none=True))
            if not said.tool_calls:
                break
            for call in said.tool_calls:
                result = await client.call_tool(
                    call.function.name, json.loads(call.function.arguments)
                )
                text = "".join(part.text for part in result.content)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": text})
    print(said.content)


if __name__ == "__main__":
    asyncio.run(main())
