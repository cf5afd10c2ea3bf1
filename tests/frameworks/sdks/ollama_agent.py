"""ollama: loop with tools, whole and streamed answers, a refusal, three at once."""

import asyncio
import json
import os

import ollama
from evening_tools import AT_ONCE, BUSY, EVENING, ONE, TWO, openai_tools, run

MODEL = "llama3.2"
HOST = os.environ["MODEL_SERVER"]


def asked(words):
    return {"model": MODEL, "messages": [{"role": "user", "content": words}]}


def loop(client):
    messages = asked(EVENING)["messages"]
    while True:
        said = client.chat(MODEL, messages, tools=openai_tools()).message
        messages.append(said)
        if not said.tool_calls:
            return said.content
        for call in said.tool_calls:
            result = run(call.function.name, call.function.arguments)
            messages.append({"role": "tool", "content": json.dumps(result)})


def main():
    client = ollama.Client(host=HOST)
    print(loop(client))
    print(client.chat(**asked(ONE)).message.content)
    print("".join(part.message.content or "" for part in client.chat(**asked(TWO), stream=True)))
    try:
        client.chat(**asked(BUSY))
    except ollama.ResponseError as error:
        print(error.status_code, client.chat(**asked(BUSY)).message.content)
    print(asyncio.run(at_once()))


async def at_once():
    first, second, third = AT_ONCE
    client = ollama.AsyncClient(host=HOST)

    async def whole(words):
        return (await client.chat(**asked(words))).message.content

    async def streamed(words):
        parts = await client.chat(**asked(words), stream=True)
        return "".join([part.message.content or "" async for part in parts])

    return await asyncio.gather(whole(first), streamed(second), whole(third))


if __name__ == "__main__":
    main()
