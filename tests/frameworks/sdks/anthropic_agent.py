"""The anthropic SDK: tools, whole and streamed answers, a retry of its own, three at once."""

import asyncio
import json

import anthropic
from evening_tools import AT_ONCE, BUSY, EVENING, ONE, SCHEMAS, TOOLS, TWO, run

MODEL = "claude-haiku-4-5"
OFFERED = [
    {"name": name, "description": TOOLS[name].__doc__, "input_schema": SCHEMAS[name]}
    for name in TOOLS
]


def asked(words):
    messages = [{"role": "user", "content": words}]
    return {"model": MODEL, "max_tokens": 200, "messages": messages}


def loop(client):
    wanted = asked(EVENING)
    while True:
        reply = client.messages.create(**wanted, tools=OFFERED)
        wanted["messages"].append({"role": "assistant", "content": reply.content})
        results = [
            {
                "type": "tool_result",
                "tool_use_id": block.id,
                "content": json.dumps(run(block.name, block.input)),
            }
            for block in reply.content
            if block.type == "tool_use"
        ]
        if not results:
            return reply.content[0].text
        wanted["messages"].append({"role": "user", "content": results})


def main():
    client = anthropic.Anthropic()
    print(loop(client))
    print(client.messages.create(**asked(ONE)).content[0].text)
    with client.messages.stream(**asked(TWO)) as stream:
        print("".join(stream.text_stream))
    print(client.messages.create(**asked(BUSY)).content[0].text)
    print(asyncio.run(at_once()))


async def at_once():
    first, second, third = AT_ONCE
    async with anthropic.AsyncAnthropic() as client:

        async def whole(words):
            return (await client.messages.create(**asked(words))).content[0].text

        async def streamed(words):
            async with client.messages.stream(**asked(words)) as stream:
                return "".join([text async for text in stream.text_stream])

        return await asyncio.gather(whole(first), streamed(second), whole(third))


if __name__ == "__main__":
    main()
