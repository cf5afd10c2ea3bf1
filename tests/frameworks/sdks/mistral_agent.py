"""mistralai: loop with tools, whole and streamed answers, a retry of its own, three at once."""

import asyncio
import os

from evening_tools import AT_ONCE, BUSY, ONE, TWO, openai_loop, openai_tools

try:
    from mistralai.client import Mistral
    from mistralai.client.utils import BackoffStrategy, RetryConfig
except ImportError:  # before 2.0
    from mistralai import Mistral
    from mistralai.utils import BackoffStrategy, RetryConfig

MODEL = "mistral-small-latest"


def asked(words):
    return {"model": MODEL, "messages": [{"role": "user", "content": words}]}


def text_of(event):
    return event.data.choices[0].delta.content or "" if event.data.choices else ""


def main():
    client = Mistral(
        api_key="local",
        server_url=os.environ["MODEL_SERVER"],
        retry_config=RetryConfig("backoff", BackoffStrategy(1, 50, 1.1, 5000), False),
    )

    def ask(messages):
        reply = client.chat.complete(model=MODEL, messages=messages, tools=openai_tools())
        return reply.choices[0].message.model_dump(mode="json", exclude_none=True)

    print(openai_loop(ask))
    print(client.chat.complete(**asked(ONE)).choices[0].message.content)
    with client.chat.stream(**asked(TWO)) as events:
        print("".join(map(text_of, events)))
    print(client.chat.complete(**asked(BUSY)).choices[0].message.content)
    print(asyncio.run(at_once(client)))


async def at_once(client):
    first, second, third = AT_ONCE

    async def whole(words):
        return (await client.chat.complete_async(**asked(words))).choices[0].message.content

    async def streamed(words):
        async with await client.chat.stream_async(**asked(words)) as events:
            return "".join([text_of(event) async for event in events])

    return await asyncio.gather(whole(first), streamed(second), whole(third))


if __name__ == "__main__":
    main()
