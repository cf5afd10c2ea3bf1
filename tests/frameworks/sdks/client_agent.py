"""A bare HTTP client named by the first argument: Chat Completions by hand, sync and at once."""

import asyncio
import json
import os
import sys
from importlib import import_module

from evening_tools import AT_ONCE, BUSY, ONE, TWO, openai_loop, openai_tools

URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
HEADERS = {"authorization": "Bearer local", "content-type": "application/json"}


def body(messages, **more):
    return json.dumps({"model": "gpt-4o-mini", "messages": messages, **more})


def words(text, **more):
    return body([{"role": "user", "content": text}], **more)


def text_of(lines):
    """What a stream's lines say, put together."""
    told = [line.decode() if isinstance(line, bytes) else line for line in lines]
    chunks = [json.loads(line[6:]) for line in told if line.startswith("data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


class Httpx:
    """httpx, or httpx2: the same names."""

    def __init__(self, library):
        self.library = library
        self.client = library.Client(headers=HEADERS)

    def post(self, data):
        reply = self.client.post(URL, content=data)
        return reply.status_code, reply.json()

    def stream(self, data):
        with self.client.stream("POST", URL, content=data) as reply:
            return text_of(list(reply.iter_lines()))

    async def at_once(self, posts, streams):
        async with self.library.AsyncClient(headers=HEADERS) as client:

            async def whole(data):
                return (await client.post(URL, content=data)).json()

            async def streamed(data):
                async with client.stream("POST", URL, content=data) as reply:
                    return text_of([line async for line in reply.aiter_lines()])

            return await asyncio.gather(*map(whole, posts), *map(streamed, streams))


class Threads:
    """For clients without an async form."""

    async def at_once(self, posts, streams):
        return await asyncio.gather(
            *(asyncio.to_thread(lambda data=data: self.post(data)[1]) for data in posts),
            *(asyncio.to_thread(self.stream, data) for data in streams),
        )


class Requests(Threads):
    def __init__(self, library):
        self.session = library.Session()
        self.session.headers.update(HEADERS)

    def post(self, data):
        reply = self.session.post(URL, data=data)
        return reply.status_code, reply.json()

    def stream(self, data):
        with self.session.post(URL, data=data, stream=True) as reply:
            return text_of(list(reply.iter_lines()))


class Urllib3(Threads):
    def __init__(self, library):
        self.pool = library.PoolManager(headers=HEADERS)

    def post(self, data):
        reply = self.pool.request("POST", URL, body=data)
        return reply.status, json.loads(reply.data)

    def stream(self, data):
        reply = self.pool.request("POST", URL, body=data, preload_content=False)
        text = b"".join(reply.stream(64)).decode()
        reply.release_conn()
        return text_of(text.splitlines())


class Aiohttp:
    def __init__(self, library):
        self.library = library

    def post(self, data):
        async def ask():
            async with (
                self.library.ClientSession(headers=HEADERS) as session,
                session.post(URL, data=data) as reply,
            ):
                return reply.status, await reply.json()

        return asyncio.run(ask())

    def stream(self, data):
        return asyncio.run(self.at_once([], [data]))[0]

    async def at_once(self, posts, streams):
        async with self.library.ClientSession(headers=HEADERS) as session:

            async def whole(data):
                async with session.post(URL, data=data) as reply:
                    return await reply.json()

            async def streamed(data):
                async with session.post(URL, data=data) as reply:
                    return text_of([line async for line in reply.content])

            return await asyncio.gather(*map(whole, posts), *map(streamed, streams))


KINDS = {"httpx": Httpx, "httpx2": Httpx, "requests": Requests, "urllib3": Urllib3}


def main(name):
    client = KINDS.get(name, Aiohttp)(import_module(name))

    def ask(messages):
        _, value = client.post(body(messages, tools=openai_tools()))
        return value["choices"][0]["message"]

    print(openai_loop(ask))
    print(client.post(words(ONE))[1]["choices"][0]["message"]["content"])
    print(client.stream(words(TWO, stream=True)))
    refused, _ = client.post(words(BUSY))
    print(refused, client.post(words(BUSY))[1]["choices"][0]["message"]["content"])
    first, second, third = AT_ONCE
    wholes = [words(first), words(third)]
    one, two, streamed = asyncio.run(client.at_once(wholes, [words(second, stream=True)]))
    print([value["choices"][0]["message"]["content"] for value in (one, two)], streamed)


if __name__ == "__main__":
    main(sys.argv[1])
