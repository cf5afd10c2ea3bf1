"""The openai SDK: tools, whole and streamed answers, a retry of its own, three at once."""

import asyncio

import openai
from evening_tools import AT_ONCE, BUSY, ONE, TWO, openai_loop, openai_tools

MODEL = "gpt-4o-mini"


def asked(words):
    return {"model": MODEL, "messages": [{"role": "user", "content": words}]}


def text_of(chunk):
    return chunk.choices[0].delta.content or "" if chunk.choices else ""


def main():
    client = openai.OpenAI()
    create = client.chat.completions.create

    def ask(messages):
        reply = create(model=MODEL, messages=messages, tools=openai_tools())
        return reply.choices[0].message.model_dump(exclude_none=True)

    print(openai_loop(ask))
    print(create(**asked(ONE)).choices[0].message.content)
    print("".join(map(text_of, create(**asked(TWO), stream=True))))
    print(create(**asked(BUSY)).choices[0].message.content)
    print(asyncio.run(at_once()))


async def at_once():
    first, second, third = AT_ONCE
    async with openai.AsyncOpenAI() as client:
        create = client.chat.completions.create

        async def whole(words):
            return (await create(**asked(words))).choices[0].message.content

        async def streamed(words):
            return "".join([text_of(c) async for c in await create(**asked(words), stream=True)])

        return await asyncio.gather(whole(first), streamed(second), whole(third))


if __name__ == "__main__":
    main()
