"""LiteLLM: loop with tools, whole and streamed answers, a retry, three at once, two providers."""

import asyncio
import os

import litellm
from evening_tools import AT_ONCE, BUSY, ONE, TWO, openai_loop, openai_tools

MODEL = "openai/gpt-4o-mini"
CLAUDE = {"model": "anthropic/claude-haiku-4-5", "api_base": os.environ["MODEL_SERVER"]}


def asked(words):
    return {"model": MODEL, "messages": [{"role": "user", "content": words}]}


def text_of(chunk):
    return chunk.choices[0].delta.content or "" if chunk.choices else ""


def main():
    def ask(messages):
        reply = litellm.completion(model=MODEL, messages=messages, tools=openai_tools())
        return reply.choices[0].message.model_dump(exclude_none=True)

    print(openai_loop(ask))
    print(litellm.completion(**asked(ONE)).choices[0].message.content)
    print(litellm.completion(**(asked(ONE) | CLAUDE)).choices[0].message.content)
    print("".join(map(text_of, litellm.completion(**asked(TWO), stream=True))))
    print("".join(map(text_of, litellm.completion(**(asked(TWO) | CLAUDE), stream=True))))
    print(litellm.completion(**asked(BUSY), num_retries=2).choices[0].message.content)
    print(asyncio.run(at_once()))


async def at_once():
    first, second, third = AT_ONCE

    async def whole(words, **more):
        return (await litellm.acompletion(**(asked(words) | more))).choices[0].message.content

    async def streamed(words, **more):
        chunks = await litellm.acompletion(**(asked(words) | more), stream=True)
        return "".join([text_of(chunk) async for chunk in chunks])

    return await asyncio.gather(
        whole(first),
        streamed(second),
        whole(third),
        whole(first, **CLAUDE),
        streamed(second, **CLAUDE),
    )


if __name__ == "__main__":
    main()
