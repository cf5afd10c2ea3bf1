"""cohere (v2): loop with tools, whole and streamed answers, a retry of its own, three at once."""

import asyncio
import os

import cohere
from evening_tools import AT_ONCE, BUSY, ONE, TWO, openai_loop, openai_tools

MODEL = "command-r"
SERVER = {"api_key": "local", "base_url": os.environ["MODEL_SERVER"]}


def asked(words):
    return {"model": MODEL, "messages": [{"role": "user", "content": words}]}


def text_of(event):
    return event.delta.message.content.text if event.type == "content-delta" else ""


def main():
    client = cohere.ClientV2(**SERVER)

    def ask(messages):
        reply = client.chat(model=MODEL, messages=messages, tools=openai_tools())
        said = reply.message.model_dump(exclude_none=True)
        if not said.get("tool_calls"):
            said["content"] = said["content"][0]["text"]
        return said

    print(openai_loop(ask))
    print(client.chat(**asked(ONE)).message.content[0].text)
    print("".join(map(text_of, client.chat_stream(**asked(TWO)))))
    often = {"max_retries": 2}
    print(client.chat(**asked(BUSY), request_options=often).message.content[0].text)
    print(asyncio.run(at_once()))


async def at_once():
    first, second, third = AT_ONCE
    async with cohere.AsyncClientV2(**SERVER) as client:

        async def whole(words):
            return (await client.chat(**asked(words))).message.content[0].text

        async def streamed(words):
            return "".join([text_of(e) async for e in client.chat_stream(**asked(words))])

        return await asyncio.gather(whole(first), streamed(second), whole(third))


if __name__ == "__main__":
    main()
