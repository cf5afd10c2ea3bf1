"""httpx and httpx2: every kind of reply, read in every way, and what else patches them."""

import asyncio
import gc
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import h2.config
import h2.connection
import h2.events
import httpx
import httpx2
import openai
import pytest

import tracer
from tests.support.agents import Bench
from tests.support.processes import ROOT
from tests.support.replies import EVENTS, odd_server, told, told_later
from tests.support.servers import Exchange, OddServer

LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda m: m.__name__)
Read = Callable[[Any], Any]


@pytest.fixture
def server() -> Iterator[OddServer]:
    with odd_server() as running:
        yield running


def first(pieces: Iterator[Any]) -> Any:
    return next(pieces)


# path, how it is read, how many exchanges that is
ASKED: dict[str, tuple[str, Read, int]] = {
    "text": ("/a", lambda r: r.read(), 1),
    "gzip": ("/gzip", lambda r: (r.headers["content-encoding"], r.read()), 1),
    "deflate": ("/deflate", lambda r: r.read(), 1),
    "br": ("/br", lambda r: r.read(), 1),
    "zstd": ("/zstd", lambda r: r.read(), 1),
    "raw": ("/gzip", lambda r: b"".join(r.iter_raw())[:2], 1),
    "split characters": ("/split", lambda r: list(r.iter_text()), 1),
    "lines": ("/stream", lambda r: list(r.iter_lines()), 1),
    "bytes by 6": ("/stream", lambda r: list(r.iter_bytes(6)), 1),
    "left early": ("/stream", lambda r: first(r.iter_bytes()), 1),
    "never read": ("/stream", lambda r: r.headers["content-type"], 1),
    "empty": ("/empty", lambda r: (r.status_code, r.headers.get("content-length")), 1),
    "own reason": ("/own-reason", lambda r: (r.reason_phrase, r.http_version), 1),
    "until close": ("/until-close", lambda r: r.read(), 1),
    "cut in a length": ("/cut-length", lambda r: r.read(), 1),
    "cut in a chunk": ("/cut-chunk", lambda r: told(lambda: list(r.iter_bytes())), 1),
    "reset": ("/reset", lambda r: r.read(), 1),
    "reset later": ("/reset-later", lambda r: r.read(), 1),
    "redirect": ("/old", lambda r: (r.read(), [hop.status_code for hop in r.history]), 2),
    "timeout": ("/slow", lambda r: r.read(), 1),
    "length": ("/a", lambda r: r.headers["content-length"], 1),
}  # fmt: skip


@LIBRARIES
@pytest.mark.parametrize("name", ASKED)
def test_it_comes_to_the_same_without_tracer_with_it_and_again(
    bench: Bench, server: OddServer, library: Any, name: str
) -> None:
    path, read, exchanges = ASKED[name]

    def ask() -> Any:
        client = library.Client(follow_redirects=True, timeout=0.3)
        with client, client.stream("GET", server.url + path) as reply:
            return read(reply)

    def program() -> Any:
        return told(ask)

    agent = tracer.agent(program)
    without = program()
    assert agent() == without
    assert len(bench.steps("http")) == exchanges
    reached = server.count
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), without)
    assert server.count == reached


@LIBRARIES
def test_awaited_too(bench: Bench, server: OddServer, library: Any) -> None:
    async def ask(client: Any, path: str) -> Any:
        async with client.stream("GET", server.url + path) as reply:
            return [piece async for piece in reply.aiter_bytes()]

    async def program() -> Any:
        async with library.AsyncClient(follow_redirects=True, timeout=0.3) as client:
            paths = dict.fromkeys(path for path, _, _ in ASKED.values())
            return [await told_later(ask(client, path)) for path in paths]

    agent = tracer.agent(program)
    without = asyncio.run(program())
    assert asyncio.run(agent()) == without
    reached = server.count
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result, server.count) == ((0, None), without, reached)


def test_a_stream_nobody_closes_ends_with_its_run(bench: Bench, server: OddServer) -> None:
    kept: list[Any] = []

    @tracer.agent
    def agent() -> bytes:
        client = httpx.Client()
        reply = client.send(client.build_request("GET", f"{server.url}/stream"), stream=True)
        kept.append((client, reply, pieces := reply.iter_bytes()))
        return next(pieces)

    assert agent() == EVENTS[0]
    step = bench.step("http")
    assert step.status == "ok"
    with bench.store as store:
        reply = store.reply(step)
    assert reply is not None and (reply.complete, list(reply.chunks)) == (False, EVENTS[:1])
    assert bench.replay(agent).verdict() == (0, None)
    for client, reply, _ in kept:
        reply.close()
        client.close()
    kept.clear()
    gc.collect()


def test_the_same_question_after_a_refusal_says_that_it_is_a_retry(
    bench: Bench, server: OddServer
) -> None:
    def odd(exchange: Exchange) -> None:
        if exchange.number < 3:
            exchange.reply({"error": {"message": "slow down"}}, 429, {"retry-after": "0"})
        else:
            exchange.say("fine")

    server.odd = odd
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}

    @tracer.agent
    def agent() -> int:
        while True:
            reply = httpx.post(f"{server.url}/v1/chat/completions", json=body)
            if reply.status_code == 200:
                return 200

    agent()
    steps = bench.steps("model")
    assert [step.detail.get("retry") for step in steps] == [None, 1, 2]
    assert [step.status for step in steps] == ["error", "error", "ok"]
    assert bench.replay(agent).verdict() == (0, None)


class Over2:
    """A server of HTTP/2 without TLS, on one connection at a time."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.count = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            with connected:
                self._talk(connected)

    def _talk(self, connected: socket.socket) -> None:
        talk = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        talk.initiate_connection()
        connected.sendall(talk.data_to_send())
        while data := connected.recv(65536):
            for event in talk.receive_data(data):
                if isinstance(event, h2.events.StreamEnded) and event.stream_id:
                    self._answer(talk, event.stream_id)
            connected.sendall(talk.data_to_send())

    def _answer(self, talk: Any, stream: int) -> None:
        self.count += 1
        talk.send_headers(stream, [(":status", "200"), ("content-type", "text/plain")])
        for piece in (b"one", b"two"):
            talk.send_data(stream, piece)
        talk.end_stream(stream)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def over2() -> Iterator[Over2]:
    server = Over2()
    yield server
    server.close()


@LIBRARIES
def test_http_2(bench: Bench, over2: Over2, library: Any) -> None:
    @tracer.agent
    def agent() -> list[str]:
        with library.Client(http1=False, http2=True) as client:
            return [client.post(over2.url, json={"n": n}).text for n in range(2)]

    assert agent() == ["onetwo"] * 2
    reached = over2.count
    assert bench.replay(agent).result == ["onetwo"] * 2
    assert over2.count == reached == 2


def test_an_old_client_given_to_the_newest_sdk(bench: Bench, server: OddServer) -> None:
    server.odd = lambda exchange: exchange.say("fine")

    @tracer.agent
    def agent() -> str | None:
        old: Any = httpx.Client()
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", http_client=old) as client:
            asked: Any = [{"role": "user", "content": "x"}]
            reply = client.chat.completions.create(model="m", messages=asked)
            return reply.choices[0].message.content

    assert agent() == "fine"
    assert [step.kind for step in bench.steps()] == ["agent", "model"]
    assert bench.replay(agent).result == "fine"


@pytest.mark.parametrize("first_alias", [True, False])
def test_one_library_under_both_names_is_watched_once(
    bench: Bench, server: OddServer, first_alias: bool
) -> None:
    alias = "httpx2.alias_httpx()"
    program = f"""
import httpx2
import tracer
{alias if first_alias else ""}

@tracer.agent
def early():
    pass

early()
{"" if first_alias else alias}
import httpx
assert httpx is httpx2

@tracer.agent
def agent():
    httpx.get("{server.url}/a")
    httpx2.get("{server.url}/b")

agent()
"""
    environment = {"TRACER_DB": str(bench.database), "PYTHONPATH": str(ROOT), "TRACER_QUIET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert len(bench.steps("http")) == 2


@LIBRARIES
def test_a_patch_of_the_transport_for_tests_goes_on_working(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, library: Any
) -> None:
    """As the usual packages that stand in for servers do it."""
    asked: list[str] = []

    def answer(self: Any, request: Any) -> Any:
        asked.append(str(request.url))
        return library.Response(200, json={"n": len(asked)}, request=request)

    monkeypatch.setattr(library.HTTPTransport, "handle_request", answer)

    @tracer.agent
    def agent() -> list[int]:
        with library.Client() as client:
            return [client.get(f"http://nowhere.example/{n}").json()["n"] for n in range(2)]

    assert agent() == [1, 2]
    assert bench.replay(agent).result == [1, 2]
    assert len(asked) == 2
