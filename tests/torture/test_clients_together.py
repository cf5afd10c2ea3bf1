"""Every client at once, with equal questions and different answers: replays come to the same."""

import asyncio
import itertools
import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests

import tracer
from tests.support.agents import Bench, said
from tests.support.servers import Numbered
from tracer.demo.model_server import ModelServer
from tracer.interchange.bundle import export_bundle, import_bundle
from tracer.store.reading import Store

BODY: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "equal"}]}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    jitter = itertools.cycle([0.02, 0.0, 0.01, 0.03])
    with ModelServer(latency=False, brain=Numbered(jitter)) as running:
        yield running


def _text(reply: Any) -> str:
    return str(reply["choices"][0]["message"]["content"])


def by_requests(url: str) -> str:
    return _text(requests.post(url, json=BODY, timeout=10).json())


def by_httpx(url: str) -> str:
    return _text(httpx.post(url, json=BODY, timeout=10).json())


def by_urllib(url: str) -> str:
    head = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(BODY).encode(), head)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return _text(json.load(reply))


async def by_aiohttp(session: aiohttp.ClientSession, url: str) -> str:
    async with session.post(url, json=BODY) as reply:
        return _text(await reply.json())


async def by_httpx2(client: httpx2.AsyncClient, url: str) -> str:
    return _text((await client.post(url, json=BODY)).json())


def test_equal_questions_over_every_client_at_once(bench: Bench, server: ModelServer) -> None:
    url = f"{server.url}/v1/chat/completions"

    @tracer.agent
    async def agent() -> list[str]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(6) as pool:
            async with aiohttp.ClientSession() as session, httpx2.AsyncClient() as client:
                works: list[Any] = []
                for _ in range(6):
                    works += [
                        loop.run_in_executor(pool, by_requests, url),
                        by_aiohttp(session, url),
                        loop.run_in_executor(pool, by_httpx, url),
                        by_httpx2(client, url),
                        loop.run_in_executor(pool, by_urllib, url),
                    ]
                return [*await asyncio.gather(*works)]

    result = asyncio.run(agent())
    assert len(set(result)) == 30 and server.request_count == 30
    assert len(bench.steps("model")) == 30
    run = bench.run().id
    for _ in range(2):
        replayed = bench.replay(agent, run=run)
        assert replayed.verdict() == (0, None)
        assert replayed.result == result, "each question gets its own answer again"
    assert server.request_count == 30
    forked = bench.fork(agent, said("other"), run=run, model_call=4, after="recorded")
    assert forked.came.exit_code == 0, forked.came.message
    assert "other" in forked.result
    assert server.request_count == 30


def test_failures_of_every_client_survive_export_and_import(bench: Bench, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9/x"

    @tracer.agent
    async def agent() -> None:
        for call in (by_requests, by_httpx, by_urllib):
            with pytest.raises(OSError if call is not by_httpx else httpx.ConnectError):
                call(nowhere)
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await by_aiohttp(session, nowhere)

    asyncio.run(agent())
    run = bench.run().id
    with bench.store as store:
        export_bundle(store, run, tmp_path / "run.tracer")
        replies = [store.reply(step) for step in store.steps(run)]
    import_bundle(tmp_path / "run.tracer", tmp_path / "other.db")
    with Store.open(tmp_path / "other.db") as other:
        assert [other.reply(step) for step in other.steps(run)] == replies
    assert sum(reply is not None and reply.failure is not None for reply in replies) == 4
