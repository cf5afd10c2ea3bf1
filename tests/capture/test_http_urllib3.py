"""requests, urllib3, urllib.request and http.client: recorded and answered under their own code."""

import gzip
import http.client
import io
import json
import threading
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3

import tracer
from tests.support.agents import Bench
from tests.support.replies import EVENTS, WORDS, odd_server, told
from tests.support.servers import OddServer, events, whole
from tracer.demo.conversation import Call

Ask = Callable[[str], Any]


@pytest.fixture
def server() -> Iterator[OddServer]:
    with odd_server() as running:
        yield running


def get(path: str, **more: Any) -> Ask:
    def ask(url: str) -> Any:
        with requests.get(url + path, timeout=5, **more) as reply:
            return reply.status_code, reply.reason, reply.text, reply.headers.get("Content-Length")

    return ask


def streamed(read: Callable[[requests.Response], Any], path: str = "/stream") -> Ask:
    def ask(url: str) -> Any:
        with requests.get(url + path, stream=True, timeout=5) as reply:
            return read(reply)

    return ask


def pooled(method: str, path: str, read: Any = lambda reply: reply.data, **more: Any) -> Ask:
    def ask(url: str) -> Any:
        with urllib3.PoolManager() as pool:
            return read(pool.request(method, url + path, **more))

    return ask


def plain(method: str, *paths: str, body: Any = None, read: Any = lambda r: r.read()) -> Ask:
    def ask(url: str) -> Any:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
        found = []
        for path in paths:
            connection.request(method, path, body() if callable(body) else body)
            reply = connection.getresponse()
            found.append((reply.status, reply.reason, read(reply)))
        connection.close()
        return found

    return ask


def opened(path: str, read: Any = lambda reply: reply.read(), data: Any = None) -> Ask:
    def ask(url: str) -> Any:
        with urllib.request.urlopen(url + path, data, timeout=5) as reply:
            return reply.status, read(reply)

    return ask


def history(url: str) -> Any:
    reply = requests.get(f"{url}/old", timeout=5)
    hops = [(hop.status_code, hop.json()) for hop in reply.history]
    return hops, reply.json(), reply.url == f"{url}/new", reply.elapsed.total_seconds() > 0


def failing(url: str) -> Any:
    requests.get(f"{url}/missing", timeout=5).raise_for_status()


def in_session(url: str) -> Any:
    with requests.Session() as session:
        session.get(f"{url}/cookie", timeout=5)
        return session.get(f"{url}/a?b=c", timeout=5).json(), list(session.cookies.keys())


def pieces() -> Iterator[bytes]:
    yield b"one"
    yield b"two"


def send(**more: Any) -> Ask:
    return lambda url: requests.post(f"{url}/up", timeout=5, **more).json()


def from_file(url: str) -> Any:
    with Path(__file__).open("rb") as file:
        file.readline()
        reply = requests.post(f"{url}/up", data=file, timeout=5)
        return reply.json()["body"][:50], file.read()


def in_pieces(url: str) -> Any:
    return pooled("POST", "/a", body=pieces(), chunked=True)(url)


def unpacked(url: str) -> Any:
    request = urllib.request.Request(f"{url}/gzip", headers={"accept-encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=5) as reply:
        return reply.headers["content-encoding"], json.loads(gzip.decompress(reply.read()))


def from_buffer(url: str) -> Any:
    return send(data=io.BytesIO(b"buffered"))(url)


def put_together(url: str) -> Any:
    found = []
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    for method, body in (("GET", None), ("POST", b"sent")):
        connection.putrequest(method, "/a")
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        found.append(connection.getresponse().read())
    connection.close()
    return found


def remote_procedure(url: str) -> Any:
    proxy: Any = xmlrpc.client.ServerProxy(f"{url}/rpc")
    return proxy.add(2, 3)


def proxied(target: str, proxy: str | None = None) -> Ask:
    def ask(url: str) -> Any:
        proxies = {"http": proxy or url, "https": proxy or url}
        return requests.get(target, proxies=proxies, timeout=5).text

    return ask


class Pipe(io.RawIOBase):
    """Readable once, as a pipe is."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


# name -> what is asked, and how many exchanges that is
ASKED: dict[str, tuple[Ask, int]] = {
    "json": (get("/a"), 1),
    "gzip": (get("/gzip"), 1),
    "deflate": (get("/deflate"), 1),
    "br": (get("/br"), 1),
    "zstd": (get("/zstd"), 1),
    "split characters": (get("/split"), 1),
    "empty": (get("/empty"), 1),
    "until close": (get("/until-close"), 1),
    "own reason": (get("/own-reason"), 1),
    "lies": (get("/lies"), 1),
    "cut in a length": (get("/cut-length"), 1),
    "cut in a chunk": (get("/cut-chunk"), 1),
    "cut between chunks": (get("/cut-between"), 1),
    "reset": (get("/reset"), 1),
    "reset later": (get("/reset-later"), 1),
    "timeout": (lambda url: requests.get(f"{url}/slow", timeout=0.2), 1),
    "refused": (lambda url: requests.get("http://127.0.0.1:9/x", timeout=5), 1),
    "missing": (failing, 1),
    "proxy": (proxied("http://shop.example/a"), 1),
    "proxy refused": (proxied("http://shop.example/a", "http://127.0.0.1:9"), 1),
    "tunnel not opened": (proxied("https://shop.example/a"), 1),
    "tunnel refused": (proxied("https://shop.example/a", "http://127.0.0.1:9"), 1),
    "redirect": (history, 2),
    "cookies": (in_session, 2),
    "lines": (streamed(lambda reply: list(reply.iter_lines())), 1),
    "content by 4": (streamed(lambda reply: list(reply.iter_content(4))), 1),
    "content as it comes": (streamed(lambda reply: list(reply.iter_content(None))), 1),
    "left early": (streamed(lambda reply: next(reply.iter_lines())), 1),
    "raw": (streamed(lambda reply: (reply.raw.read(3), reply.raw.read(5))), 1),
    "raw gzip": (streamed(lambda r: r.raw.read(9, decode_content=True), "/gzip"), 1),
    "never read": (streamed(lambda reply: reply.headers["content-type"]), 1),
    "cut stream": (streamed(lambda r: [told(lambda: list(r.iter_lines()))], "/cut-between"), 1),
    "json body": (send(json={"a": [1, "ü"]}), 1),
    "form": (send(data={"a": "b"}), 1),
    "file": (from_file, 1),
    "buffer": (from_buffer, 1),
    "pipe": (lambda url: send(data=io.BufferedReader(Pipe(b"piped")))(url)["method"], 1),
    "multipart": (send(files={"f": ("name.txt", b"content")}), 1),
    "pool": (pooled("GET", "/a"), 1),
    "pool redirect": (pooled("GET", "/old"), 2),
    "pool retries": (pooled("GET", "/reset", retries=urllib3.Retry(2, backoff_factor=0)), 3),
    "pool status": (
        pooled("GET", "/missing", retries=urllib3.Retry(1, status_forcelist=[404])), 2,
    ),
    "pool stream": (pooled("GET", "/stream", lambda r: [*r.stream(6)], preload_content=False), 1),
    "pool read1": (pooled("GET", "/stream", lambda r: r.read1(4), preload_content=False), 1),
    "pool chunks": (pooled("GET", "/stream", lambda r: [*r], preload_content=False), 1),
    "pool head": (pooled("HEAD", "/a", lambda r: (r.status, r.headers.get("allow"))), 1),
    "pool body of pieces": (in_pieces, 1),
    "pool refused": (lambda url: pooled("GET", "", retries=0)("http://127.0.0.1:9"), 1),
    "connection": (plain("GET", "/a", "/b"), 2),
    "connection body": (plain("POST", "/a", body=b"sent"), 1),
    "connection file": (plain("PUT", "/a", body=lambda: io.BytesIO(b"sent")), 1),
    "connection head": (plain("HEAD", "/a"), 1),
    "connection lines": (plain("GET", "/stream", read=lambda r: r.readlines()), 1),
    "connection by 5": (plain("GET", "/stream", read=lambda r: [r.read(5), r.read1(5)]), 1),
    "connection cut": (plain("GET", "/cut-length"), 1),
    "connection cut by 400": (plain("GET", "/cut-length", read=lambda r: r.read(400)), 1),
    "connection reset": (plain("GET", "/reset"), 1),
    "connection refused": (lambda url: plain("GET", "/")("http://127.0.0.1:9"), 1),
    "connection by hand": (put_together, 2),
    "remote procedure": (remote_procedure, 1),
    "url": (opened("/a"), 1),
    "url data": (opened("/a", data=b"sent"), 1),
    "url redirect": (opened("/old"), 2),
    "url missing": (opened("/missing"), 1),
    "url reset": (opened("/reset"), 1),
    "url refused": (lambda url: opened("/")("http://127.0.0.1:9"), 1),
    "url lines of a list": (opened("/stream", list), 1),
    "url unpacked by hand": (unpacked, 1),
    "url packed though not asked": (opened("/gzip"), 1),
    "url json": (opened("/a", json.load), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_it_comes_to_the_same_without_tracer_with_it_and_again(
    bench: Bench, server: OddServer, name: str
) -> None:
    ask, exchanges = ASKED[name]

    def program() -> Any:
        return told(lambda: ask(server.url))

    agent = tracer.agent(program)
    without = program()
    server.asked.clear()
    assert agent() == without
    steps = bench.steps("http")
    assert len(steps) == exchanges
    assert bench.run().warnings == ()
    reached = server.count
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), without)
    assert server.count == reached, "something was asked again"
    assert [step.status for step in replayed.steps] == [step.status for step in bench.steps()]


def test_the_decoded_body_is_stored(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    def agent() -> None:
        for coding in ("gzip", "deflate", "br"):
            requests.get(f"{server.url}/{coding}", timeout=5)

    agent()
    for step in bench.steps("http"):
        with bench.store as store:
            reply = store.reply(step)
        assert reply is not None and reply.complete
        assert json.loads(b"".join(reply.chunks)) == {"words": WORDS}
        assert "content-encoding" not in {name.lower() for name, _ in reply.headers}


def test_chunks_are_stored_as_they_came_with_their_times(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    def agent() -> None:
        with requests.get(f"{server.url}/stream", stream=True, timeout=5) as reply:
            for _ in reply.iter_content(7):
                pass

    agent()
    with bench.store as store:
        reply = store.reply(bench.step("http"))
    assert reply is not None
    assert list(reply.chunks) == EVENTS
    assert list(reply.times_us) == sorted(reply.times_us)
    assert reply.times_us[-1] - reply.times_us[0] > 30_000


def test_reading_further_than_the_recorded_agent_is_refused(
    bench: Bench, server: OddServer
) -> None:
    lines = [1]

    @tracer.agent
    def agent() -> int:
        with requests.get(f"{server.url}/stream", stream=True, timeout=5) as reply:
            found = reply.iter_lines()
            return len([next(found) for _ in range(lines[0])])

    assert agent() == 1
    assert bench.replay(agent).verdict() == (0, None)
    lines[0] = 5
    code, message = bench.replay(agent).verdict()
    assert code == 3 and message is not None and "read on past" in message


def test_each_attempt_says_which_it_is(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    def agent() -> None:
        with urllib3.PoolManager() as pool:
            retry = urllib3.Retry(2, status_forcelist=[404], raise_on_status=False)
            pool.request("GET", f"{server.url}/missing", retries=retry)
            pool.request("GET", f"{server.url}/other")

    agent()
    steps = bench.steps("http")
    assert [step.detail.get("retry") for step in steps] == [None, 1, 2, None]


def test_writes_are_external_and_reads_are_reads(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    def agent() -> None:
        requests.get(f"{server.url}/a", timeout=5)
        requests.post(f"{server.url}/a", timeout=5)
        requests.delete(f"{server.url}/a", timeout=5)
        urllib.request.urlopen(f"{server.url}/a", b"x", timeout=5).close()

    agent()
    effects = [step.effect for step in bench.steps("http")]
    assert effects == ["read", "external", "external", "external"]


def chat(url: str, question: str, *, stream: bool = False) -> str:
    """A model call by hand, with requests."""
    body = {"model": "gpt-4o-mini", "stream": stream, "messages": [
        {"role": "user", "content": question},
    ]}  # fmt: skip
    headers = {"authorization": "Bearer sk-by-hand-0123456789"}
    reply = requests.post(
        f"{url}/v1/chat/completions", json=body, headers=headers, stream=stream, timeout=5
    )
    reply.raise_for_status()
    if not stream:
        return str(reply.json()["choices"][0]["message"]["content"])
    said = ""
    for line in reply.iter_lines():
        if line in (b"data: [DONE]", b""):
            continue
        choices = json.loads(line.removeprefix(b"data: "))["choices"]
        said += (choices[0]["delta"].get("content") or "") if choices else ""
    return said


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_asked_by_hand_is_a_model_step(
    bench: Bench, server: OddServer, stream: bool
) -> None:
    server.odd = lambda exchange: exchange.say("It is on its way.", Call("look", {"n": 1}))

    @tracer.agent
    def agent() -> str:
        return chat(server.url, "Where is it?", stream=stream)

    assert agent() == "It is on its way."
    step = bench.step("model")
    assert (step.name, step.api, step.status) == ("chat gpt-4o-mini", "openai.chat", "ok")
    assert step.usage is not None and (step.ttft_ms is not None) == stream
    with bench.store as store:
        request = store.request(step)
    assert request is not None and request.body == server.asked[0].body
    assert b"by-hand" not in repr(request.headers).encode()


def test_threads_keep_their_place(bench: Bench, server: OddServer) -> None:
    @tracer.tool
    def look(n: int) -> str:
        return str(requests.get(f"{server.url}/{n}", timeout=5).json()["path"])

    @tracer.agent
    def agent() -> list[str]:
        found: list[str] = [""] * 6
        threads = [
            threading.Thread(target=lambda n=n: found.__setitem__(n, look(n))) for n in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    assert agent() == [f"/{n}" for n in range(6)]
    tools = {step.id: step for step in bench.steps("tool")}
    for step in bench.steps("http"):
        assert step.parent in tools
    assert bench.replay(agent).verdict() == (0, None)


def test_nothing_is_done_outside_a_run(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    def agent() -> None:
        pass

    agent()
    before = len(bench.steps())
    requests.get(f"{server.url}/a", timeout=5)
    urllib.request.urlopen(f"{server.url}/a", timeout=5).close()
    assert len(bench.steps()) == before and len(bench.runs()) == 1


def test_a_body_that_fails_while_it_is_read_fails_as_it_would(
    bench: Bench, server: OddServer
) -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        raise RuntimeError("no more of it")

    @tracer.agent
    def agent() -> None:
        requests.post(f"{server.url}/up", data=broken(), timeout=5)

    with pytest.raises(RuntimeError, match="no more of it"):
        agent()


def test_large_answers_are_not_held_many_times(bench: Bench, server: OddServer) -> None:
    size = 20_000_000

    def odd(exchange: Any) -> None:
        exchange.begin(200, {"content-type": "application/octet-stream"}, size)
        for _ in range(200):
            exchange._handler.wfile.write(b"x" * (size // 200))

    server.odd = odd

    @tracer.agent
    def agent() -> int:
        with requests.get(f"{server.url}/big", stream=True, timeout=20) as reply:
            return sum(len(chunk) for chunk in reply.iter_content(1 << 16))

    assert agent() == size
    assert bench.replay(agent).result == size


def test_recorded_events_and_replies_are_what_the_wire_had(bench: Bench, server: OddServer) -> None:
    server.odd = lambda exchange: exchange.say("words " * 20)

    @tracer.agent
    def agent() -> None:
        chat(server.url, "x", stream=True)
        chat(server.url, "x")

    agent()
    asked = server.asked
    for step, request in zip(bench.steps("model"), asked, strict=True):
        with bench.store as store:
            reply = store.reply(step)
        assert reply is not None
        if request.json["stream"]:
            assert list(reply.chunks) == events(request, "words " * 20)
        else:
            assert json.loads(b"".join(reply.chunks)) == whole(request, "words " * 20)
